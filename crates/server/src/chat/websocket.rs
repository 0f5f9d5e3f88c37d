//! A connection as a WebSocket (RFC 6455), after `101 Switching Protocols` or by extended CONNECT.
//!
//! Two loops share the socket in one task: one reads commands and carries them out one after the
//! other, one writes what the feed and the commands bring. A peer that does not read stops the
//! writer; once its answers pile up, nothing more is read from it either.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _, stream::SplitSink, stream::SplitStream};
use switchback_core::wire::{ByeReason, ErrorCode};
use switchback_core::{close, limits as bounds};
use switchback_storage::Identity;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error as SocketError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::command;
use super::feed::{Feed, Pulled, bye};
use crate::app::App;
use crate::hub::Goodbye;
use crate::limits;
use crate::log::Frame;

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
}

/// How the socket is set up.
pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(limits::WEBSOCKET_READ_BUFFER_BYTES)
        .write_buffer_size(limits::WEBSOCKET_READ_BUFFER_BYTES)
        .max_write_buffer_size(limits::WEBSOCKET_WRITE_BUFFER_BYTES)
        .max_message_size(Some(bounds::COMMAND_BYTES))
        .max_frame_size(Some(bounds::COMMAND_BYTES))
}

/// Serves a connection to its end.
pub(super) async fn serve<S>(
    socket: WebSocketStream<S>,
    feed: Feed,
    opening: Vec<Arc<Frame>>,
    app: &App,
    caller: &Identity,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (sink, stream) = socket.split();
    let mut halves = (sink, stream);
    let ending = {
        let (answers, waiting) = mpsc::channel(limits::ANSWERS_WAITING);
        let session = Arc::clone(feed.session());
        let writer = Writer { sink: &mut halves.0, feed, waiting, pending: opening };
        tokio::select! {
            // First, and also while a write waits for the peer: from here on nothing is for them.
            biased;
            goodbye = session.ended() => Ending::goodbye(goodbye),
            ending = read(&mut halves.1, app, caller, answers) => ending,
            ending = writer.run() => ending,
        }
    };
    if let Ok(socket) = halves.0.reunite(halves.1) {
        finish(socket, ending).await;
    }
}

/// Reads commands until the connection ends.
async fn read<S>(
    stream: &mut SplitStream<WebSocketStream<S>>,
    app: &App,
    caller: &Identity,
    answers: mpsc::Sender<Arc<Frame>>,
) -> Ending
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut bad_in_a_row = 0;
    loop {
        let text = match stream.next().await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(_))) => {
                let detail = "binary message: this protocol is JSON text";
                return Ending::broken(ByeReason::Unsupported, close::UNSUPPORTED_DATA, detail, true);
            }
            // Answered by tungstenite itself.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            Some(Ok(Message::Close(_))) | None => return Ending::Gone,
            Some(Err(error)) => return broken(&error),
        };
        // On the heap while it runs, so that an idle connection does not hold room for it.
        let outcome = Box::pin(command::run(&app.ops, caller, text.as_bytes())).await;
        bad_in_a_row = match &outcome {
            Err(error) if error.code.is_malformed() => bad_in_a_row + 1,
            _ => 0,
        };
        if matches!(&outcome, Err(error) if error.code == ErrorCode::RateLimited) {
            app.metrics.rate_limited();
        }
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

/// What an error of the socket means for the peer (RFC 6455 7.4.1).
fn broken(error: &SocketError) -> Ending {
    match error {
        SocketError::Capacity(CapacityError::MessageTooLong { .. }) => {
            let detail = format!("over the limit of {} bytes", bounds::COMMAND_BYTES);
            Ending::broken(ByeReason::TooBig, close::MESSAGE_TOO_BIG, detail, false)
        }
        SocketError::Utf8(_) => {
            Ending::broken(ByeReason::Unsupported, close::INVALID_PAYLOAD, "text is not UTF-8", false)
        }
        SocketError::Protocol(error) => {
            Ending::broken(ByeReason::Unsupported, close::PROTOCOL_ERROR, error.to_string(), false)
        }
        _ => Ending::Gone,
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

/// Says why and closes (RFC 6455 7.1.1), then reads on for a moment: bytes that nobody reads would
/// make the kernel answer with a reset, and the peer would never see why. TLS has an end of its own.
async fn finish<S>(mut socket: WebSocketStream<S>, ending: Ending)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Ending::Goodbye { goodbye, code, reason, sound } = ending else {
        // Sends the close frame that answers the peer's, if there is one to send.
        drop(tokio::time::timeout(limits::CLOSE_LINGER, socket.flush()).await);
        return;
    };
    let said = async {
        socket.send(Message::Text(bye(goodbye).json.clone())).await?;
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        socket.send(Message::Close(Some(frame))).await
    };
    // A peer that takes nothing, or is gone, is not waited for.
    if !matches!(tokio::time::timeout(limits::CLOSE_LINGER, said).await, Ok(Ok(()))) {
        return;
    }
    let linger = async {
        if sound {
            while let Some(Ok(_)) = socket.next().await {}
        }
        let mut raw = socket.into_inner();
        if !sound {
            let mut rest = [0; 4096];
            while let Ok(1..) = raw.read(&mut rest).await {}
        }
        raw.shutdown().await
    };
    drop(tokio::time::timeout(limits::CLOSE_LINGER, linger).await);
}

/// Wraps an upgraded stream; `read` is what came with the request.
pub(super) async fn wrap<S>(stream: S, read: Bytes) -> WebSocketStream<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let role = tokio_tungstenite::tungstenite::protocol::Role::Server;
    WebSocketStream::from_partially_read(stream, read.into(), role, Some(config())).await
}
