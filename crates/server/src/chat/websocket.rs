//! A connection as a WebSocket (RFC 6455), after `101 Switching Protocols` or by extended CONNECT.
//!
//! One task, and one place where it waits: for the hub to wake it, for the peer to take what waits, for
//! the command under way, for the next one. Commands are carried out one after the other. A peer that
//! does not read gets nothing more pulled for it; once its answers pile up, nothing more is read from
//! it either.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use switchback_core::wire::{Ack, ByeReason, CommandError, ErrorCode, Request};
use switchback_core::{Seq, close, limits as bounds};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::feed::{Feed, Outlet, Pulled, bye};
use super::{Stay, command};
use crate::app::App;
use crate::hub::{Goodbye, Recognized};
use crate::limits;
use crate::log::{self, Frame};
use crate::socket::{self, Conversation, Farewell, Silence, Socket};

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
    pub(super) caller: Arc<Recognized>,
    /// Given up at the socket's end.
    pub(super) stay: Option<Stay>,
}

impl Conversation for Chatting {
    const MESSAGE_BYTES: usize = bounds::COMMAND_BYTES;

    fn hold<S>(self, socket: Socket<S>) -> impl Future<Output = ()> + Send
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        self.talk(socket)
    }
}

impl Chatting {
    /// To the socket's end. A simulated socket need not be `Send`.
    ///
    /// A block and not an `async fn`, which would hold room for each argument twice.
    pub(super) fn talk<S>(self, mut socket: Socket<S>) -> impl Future<Output = ()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { mut feed, opening, app, caller, stay } = self;
        socket.put_all(&opening);
        async move {
            let run = |text: Utf8Bytes| {
                let (app, caller) = (&app, &caller);
                async move {
                    let outcome = command::run(&app.ops, &caller.identity, text.as_bytes()).await;
                    if matches!(&outcome, Err(error) if error.code == ErrorCode::RateLimited) {
                        app.metrics.rate_limited();
                    }
                    outcome
                }
            };
            let ending = converse(&mut socket, &mut feed, run).await;
            // On the heap while it runs, so that a connection does not hold room for its end all its life.
            Box::pin(socket::finish(socket, ending.farewell())).await;
            drop(stay);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Outlet for Socket<S> {
    fn put(&mut self, frame: &Arc<Frame>) {
        self.queue(frame.message.clone());
    }
}

/// What there is to do next.
enum Next {
    /// Something may be new, and there is room for it.
    Pull,
    /// Nothing any more.
    End(Ending),
}

/// Delivers what is new and carries out commands, until the connection ends.
async fn converse<S, F>(socket: &mut Socket<S>, feed: &mut Feed, run: impl Fn(Utf8Bytes) -> F) -> Ending
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Result<Ack, CommandError>>,
{
    let mut commands = Commands::new(run);
    // Goes out together with what waits already.
    let mut woken = match feed.pull(socket).await {
        Ok(pulled) => pulled == Pulled::More,
        Err(error) => return Ending::goodbye(super::unreadable(&error)),
    };
    loop {
        let next = poll_fn(|cx| {
            if let Some(rest) = feed.take_back() {
                socket.go_on(rest.messages, rest.begun);
            }
            // First, and also while the peer takes nothing: after a goodbye nothing is for them.
            while feed.session().poll_woken(cx).is_ready() {
                woken = true;
            }
            if let Some(goodbye) = feed.goodbye() {
                return Poll::Ready(Next::End(Ending::goodbye(goodbye)));
            }
            // Has had its moment, if it is still held back.
            if commands.held_back.take().is_some_and(|seq| woken || feed.reaches(seq)) {
                return Poll::Ready(Next::Pull);
            }
            let carried_out = commands.poll_carry_out(socket, cx, |_| {});
            if let Some(seq) = commands.held_back {
                if woken || feed.reaches(seq) {
                    commands.held_back = None;
                    return Poll::Ready(Next::Pull);
                }
                // A turn for whoever makes the event visible, who was woken before this task.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match carried_out {
                Poll::Ready(ending) => Poll::Ready(Next::End(ending)),
                Poll::Pending if woken && !socket.waits() => Poll::Ready(Next::Pull),
                Poll::Pending => {
                    // An answer that is under way goes out together with what is new.
                    if !woken && socket.is_idle() && commands.is_idle() {
                        feed.lend();
                    }
                    Poll::Pending
                }
            }
        });
        match next.await {
            Next::Pull => match feed.pull(socket).await {
                Ok(pulled) => woken = pulled == Pulled::More,
                Err(error) => return Ending::goodbye(super::unreadable(&error)),
            },
            Next::End(ending) => return ending,
        }
    }
}

/// Commands of one peer, carried out one after the other.
struct Commands<R, F> {
    run: R,
    /// On the heap while it runs, so that an idle connection does not hold room for it.
    under_way: Option<Pin<Box<F>>>,
    /// Answers that the peer may not have taken.
    unread: usize,
    bad_in_a_row: u32,
    /// The newest answer is held back until the event that it acknowledges goes out with it, or for a moment:
    /// the event's position.
    held_back: Option<Seq>,
}

impl<R, F> Commands<R, F>
where
    R: Fn(Utf8Bytes) -> F,
    F: Future<Output = Result<Ack, CommandError>>,
{
    const fn new(run: R) -> Self {
        Self { run, under_way: None, unread: 0, bad_in_a_row: 0, held_back: None }
    }

    const fn is_idle(&self) -> bool {
        self.under_way.is_none()
    }

    /// Says what waits, hears commands and answers them, as far as that goes now; `said` is shown the
    /// answers. Ready: with the end. If an answer is held back, nobody wakes this task: that is the caller's.
    fn poll_carry_out<S>(
        &mut self,
        socket: &mut Socket<S>,
        cx: &mut Context<'_>,
        mut said: impl FnMut(&Utf8Bytes),
    ) -> Poll<Ending>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            if let Some(under_way) = &mut self.under_way
                && let Poll::Ready(outcome) = under_way.as_mut().poll(cx)
            {
                self.under_way = None;
                let is_malformed = matches!(&outcome, Err(error) if error.code.is_malformed());
                self.bad_in_a_row = if is_malformed { self.bad_in_a_row + 1 } else { 0 };
                self.unread += 1;
                let event = outcome.as_ref().ok().and_then(|ack| ack.seq);
                let (message, json) = log::answer(&command::answer(outcome));
                said(&json);
                self.held_back = event.filter(|_| !socket.waits());
                socket.queue(message);
                if self.held_back.is_some() {
                    return Poll::Pending;
                }
            }
            match socket.poll_send(cx) {
                Poll::Ready(Ok(())) => self.unread = 0,
                Poll::Ready(Err(_)) => return Poll::Ready(Ending::Gone),
                Poll::Pending => {}
            }
            if self.bad_in_a_row >= limits::BAD_COMMANDS_IN_A_ROW {
                let detail = "too many bad commands in a row";
                let (reason, code) = (ByeReason::BadCommandStream, close::BAD_COMMAND_STREAM);
                return Poll::Ready(Ending::broken(reason, code, detail, true));
            }
            if self.under_way.is_some() || self.unread >= limits::ANSWERS_WAITING {
                return Poll::Pending;
            }
            match socket.poll_hear(cx) {
                Poll::Ready(Ok(Message::Text(text))) => self.under_way = Some(Box::pin((self.run)(text))),
                Poll::Ready(Ok(_)) => {
                    let detail = "binary message: this protocol is JSON text";
                    let (reason, code) = (ByeReason::Unsupported, close::UNSUPPORTED_DATA);
                    return Poll::Ready(Ending::broken(reason, code, detail, true));
                }
                Poll::Ready(Err(silence)) => return Poll::Ready(Ending::after(silence)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Reads `socket` as `/chat` does, with commands that are understood and never carried out. Returns
/// the close code, if it is us who close, and the answers as JSON.
pub(crate) async fn rehearse<S>(mut socket: Socket<S>) -> (Option<u16>, Vec<String>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let run = |json: Utf8Bytes| {
        let understood = Request::parse(json.as_bytes());
        std::future::ready(understood.map(|request| Ack { id: request.id, seq: None, message: None }))
    };
    let (mut commands, mut answers) = (Commands::new(run), Vec::new());
    let ending =
        poll_fn(|cx| commands.poll_carry_out(&mut socket, cx, |answer| answers.push(answer.to_string())));
    let farewell = ending.await.farewell();
    let code = farewell.as_ref().map(|farewell| farewell.code);
    socket::finish(socket, farewell).await;
    (code, answers)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use switchback_core::wire::Transport;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::sync::Notify;
    use tokio_tungstenite::tungstenite::Bytes;

    use super::*;
    use crate::chat::feed::Start;
    use crate::chat::feed::tests::{entry, registered};

    const ROOM: usize = 4096;
    /// `{}` as a client says it, masked with zeros.
    const COMMAND: &[u8] = b"\x81\x82\0\0\0\0{}";

    async fn told(far: &mut DuplexStream) -> String {
        let mut said = vec![0; ROOM];
        let read = far.read(&mut said).await.unwrap();
        String::from_utf8_lossy(&said[..read]).into_owned()
    }

    /// When an event becomes visible.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Visible {
        /// Before the answer; whom it concerns is yet to be woken.
        Already,
        /// By a task that the command wakes.
        Next,
        Never,
    }

    /// What a connection is told in one go after a command.
    async fn told_after_a_command(visible: Visible) -> String {
        let (_dir, hub, registration) = registered(Transport::Websocket).await;
        let session = Arc::clone(registration.session());
        let (mut feed, _) = Feed::open(registration, &Start::default()).await.unwrap();
        let (near, mut far) = duplex(ROOM);
        let seq = hub.ring().head() + 1;
        let happens = Arc::new(Notify::new());
        let happening = Arc::clone(&happens);
        let by_another = Arc::clone(&hub);
        tokio::spawn(async move {
            happening.notified().await;
            if visible == Visible::Next {
                by_another.ring().push([entry(seq)]);
                session.wake();
            }
        });
        tokio::spawn(async move {
            let run = |_: Utf8Bytes| {
                happens.notify_one();
                if visible == Visible::Already {
                    hub.ring().push([entry(seq)]);
                }
                std::future::ready(Ok(Ack { id: None, seq: Some(seq), message: None }))
            };
            let mut socket = Socket::new(near, Bytes::new(), ROOM).await;
            converse(&mut socket, &mut feed, run).await
        });
        while !told(&mut far).await.contains("ready") {}
        // As a task among the others: it has its turn before a second write, if there is one.
        let peer = async move {
            far.write_all(COMMAND).await.unwrap();
            told(&mut far).await
        };
        tokio::spawn(peer).await.unwrap()
    }

    #[tokio::test]
    async fn an_answer_goes_out_together_with_the_event_that_it_acknowledges() {
        for visible in [Visible::Already, Visible::Next] {
            let said = told_after_a_command(visible).await;
            assert!(said.contains("\"ack\"") && said.contains("\"presence\""), "{visible:?}: {said}");
        }
    }

    #[tokio::test]
    async fn an_answer_whose_event_does_not_come_goes_out_without_it() {
        let said = told_after_a_command(Visible::Never).await;
        assert!(said.contains("\"ack\"") && !said.contains("\"presence\""), "{said}");
    }
}
