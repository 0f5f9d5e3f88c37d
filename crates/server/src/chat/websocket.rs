//! A connection as a WebSocket (RFC 6455), after `101 Switching Protocols` or by extended CONNECT.
//!
//! Two loops share the socket in one task: one reads commands and carries them out one after the
//! other, one writes what the feed and the commands bring. A peer that does not read stops the
//! writer; once its answers pile up, nothing more is read from it either.

use std::sync::Arc;

use futures_util::{SinkExt as _, Stream, StreamExt as _, stream::SplitSink};
use switchback_core::wire::{Ack, ByeReason, CommandError, ErrorCode, Request};
use switchback_core::{close, limits as bounds};
use switchback_storage::Identity;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::Error as SocketError;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::command;
use super::feed::{Feed, Pulled, bye};
use crate::app::App;
use crate::hub::Goodbye;
use crate::limits;
use crate::log::Frame;
use crate::socket::{self, Conversation, Farewell, Silence};

/// How a connection came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ending {
    /// The peer closed it, or the way broke: nothing more to say.
    Gone,
    /// We close it, and say why.
    Goodbye {
        /// Why, and when to come back.
        goodbye: Goodbye,
        /// RFC 6455 7.4.
        code: u16,
        /// For people; at most 123 bytes.
        reason: String,
        /// What the peer still sends can be read as frames.
        sound: bool,
    },
}

impl Ending {
    fn goodbye(goodbye: Goodbye) -> Self {
        Self::Goodbye { goodbye, code: goodbye.close_code(), reason: String::new(), sound: true }
    }

    fn broken(reason: ByeReason, code: u16, detail: impl Into<String>, sound: bool) -> Self {
        Self::Goodbye { goodbye: Goodbye::forever(reason), code, reason: detail.into(), sound }
    }

    fn after(silence: Silence) -> Self {
        match silence {
            Silence::Gone => Self::Gone,
            Silence::Broken(code, detail) => {
                let too_big = code == close::MESSAGE_TOO_BIG;
                let reason = if too_big { ByeReason::TooBig } else { ByeReason::Unsupported };
                Self::broken(reason, code, detail, false)
            }
        }
    }

    fn farewell(self) -> Option<Farewell> {
        let Self::Goodbye { goodbye, code, reason, sound } = self else { return None };
        Some(Farewell { last_words: Some(bye(goodbye).json.clone()), code, reason, sound })
    }
}

/// A connection that has been let in.
pub(super) struct Chatting {
    pub(super) feed: Feed,
    pub(super) opening: Vec<Arc<Frame>>,
    pub(super) app: App,
    pub(super) caller: Identity,
}

impl Conversation for Chatting {
    const MESSAGE_BYTES: usize = bounds::COMMAND_BYTES;

    async fn hold<S>(self, socket: WebSocketStream<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        self.talk(socket).await;
    }
}

impl Chatting {
    /// To the socket's end. A simulated socket need not be `Send`.
    pub(super) async fn talk<S>(self, socket: WebSocketStream<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { feed, opening, app, caller } = self;
        let (sink, stream) = socket.split();
        let mut halves = (sink, stream);
        let ending = {
            let (answers, waiting) = mpsc::channel(limits::ANSWERS_WAITING);
            let session = Arc::clone(feed.session());
            let writer = Writer { sink: &mut halves.0, feed, waiting, pending: opening };
            let (app, caller) = (&app, &caller);
            // On the heap while it runs, so that an idle connection does not hold room for it.
            let run = |text: Utf8Bytes| {
                Box::pin(async move {
                    let outcome = command::run(&app.ops, caller, text.as_bytes()).await;
                    if matches!(&outcome, Err(error) if error.code == ErrorCode::RateLimited) {
                        app.metrics.rate_limited();
                    }
                    outcome
                })
            };
            tokio::select! {
                // First, and also while a write waits for the peer: from here on nothing is for them.
                biased;
                goodbye = session.ended() => Ending::goodbye(goodbye),
                ending = read(&mut halves.1, run, answers) => ending,
                ending = writer.run() => ending,
            }
        };
        if let Ok(socket) = halves.0.reunite(halves.1) {
            socket::finish(socket, ending.farewell()).await;
        }
    }
}

/// Reads commands, and has `run` carry them out, until the connection ends.
async fn read<T, F>(stream: &mut T, run: impl Fn(Utf8Bytes) -> F, answers: mpsc::Sender<Arc<Frame>>) -> Ending
where
    T: Stream<Item = Result<Message, SocketError>> + Unpin,
    F: Future<Output = Result<Ack, CommandError>>,
{
    let mut bad_in_a_row = 0;
    loop {
        let text = match socket::hear(stream, Chatting::MESSAGE_BYTES).await {
            Ok(Message::Text(text)) => text,
            Ok(_) => {
                let detail = "binary message: this protocol is JSON text";
                return Ending::broken(ByeReason::Unsupported, close::UNSUPPORTED_DATA, detail, true);
            }
            Err(silence) => return Ending::after(silence),
        };
        let outcome = run(text).await;
        bad_in_a_row = match &outcome {
            Err(error) if error.code.is_malformed() => bad_in_a_row + 1,
            _ => 0,
        };
        let frame = Frame::server(&command::answer(outcome));
        if answers.send(frame).await.is_err() {
            return Ending::Gone;
        }
        if bad_in_a_row >= limits::BAD_COMMANDS_IN_A_ROW {
            let detail = "too many bad commands in a row";
            return Ending::broken(ByeReason::BadCommandStream, close::BAD_COMMAND_STREAM, detail, true);
        }
    }
}

/// What goes out: the feed, and answers to commands.
struct Writer<'s, S> {
    sink: &'s mut SplitSink<WebSocketStream<S>, Message>,
    feed: Feed,
    waiting: mpsc::Receiver<Arc<Frame>>,
    pending: Vec<Arc<Frame>>,
}

impl<S> Writer<'_, S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    async fn run(mut self) -> Ending {
        loop {
            let pulled = match self.feed.pull(&mut self.pending).await {
                Ok(pulled) => pulled,
                Err(error) => return Ending::goodbye(super::unreadable(&error)),
            };
            while self.pending.len() < limits::FLUSH_FRAMES
                && let Ok(answer) = self.waiting.try_recv()
            {
                self.pending.push(answer);
            }
            if self.write().await.is_err() {
                return Ending::Gone;
            }
            if pulled == Pulled::All && self.wait().await.is_none() {
                return Ending::Gone;
            }
        }
    }

    /// Everything that is pending, with one flush.
    async fn write(&mut self) -> Result<(), SocketError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        for frame in self.pending.drain(..) {
            self.sink.feed(Message::Text(frame.json.clone())).await?;
        }
        self.sink.flush().await
    }

    /// Until there is something to do. `None`: nobody reads commands any more.
    async fn wait(&mut self) -> Option<()> {
        let heartbeat = self.feed.next_heartbeat();
        tokio::select! {
            // In a fixed order, so that a run can be repeated: what follows a wake-up is pulled and
            // written together with the answers.
            biased;
            () = self.feed.woken() => {}
            answer = self.waiting.recv() => self.pending.push(answer?),
            () = tokio::time::sleep_until(heartbeat) => self.pending.push(self.feed.heartbeat()),
        }
        Some(())
    }
}

/// Reads `socket` as `/chat` does, with commands that are understood and never carried out. Returns
/// the close code, if it is us who close.
pub(crate) async fn rehearse<S>(
    mut socket: WebSocketStream<S>,
    answers: mpsc::Sender<Arc<Frame>>,
) -> Option<u16>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let run = |json: Utf8Bytes| {
        let understood = Request::parse(json.as_bytes());
        std::future::ready(understood.map(|request| Ack { id: request.id, seq: None, message: None }))
    };
    let farewell = read(&mut socket, run, answers).await.farewell();
    let code = farewell.as_ref().map(|farewell| farewell.code);
    socket::finish(socket, farewell).await;
    code
}
