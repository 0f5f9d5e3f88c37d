//! The way from a handshake to a WebSocket, and the socket's manners: the same whatever is said on it.
//!
//! What is said is a [`Conversation`]: `/chat`'s, or [`crate::echo`]'s, by which others can hold this
//! code against RFC 6455 from outside. Everything that a standard has an opinion on is here: the
//! answer to the handshake (4.2.2), which mistake gets which close code (7.4.1), and a close that the
//! peer gets to see (7.1.1).

mod line;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use futures_util::{Sink as _, SinkExt as _, Stream as _, StreamExt as _};
use http::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{StatusCode, Version};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use switchback_core::close;
use switchback_core::upgrade::{Decision, Reject, RequestHead, SUBPROTOCOL, decide};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error as SocketError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};
use tokio_util::task::TaskTracker;

use crate::accept::{Connection, PlainStream, TlsStream};
use crate::guard::Guarded;
use crate::http::problem::Refused;
use crate::limits;
use crate::pace::leaving;
pub(crate) use line::{Line, poll_peek};

/// A request without its body.
pub(crate) type Head = http::Request<()>;

/// What is said on a WebSocket.
pub(crate) trait Conversation: Send + 'static {
    /// The largest message that is taken, in bytes.
    const MESSAGE_BYTES: usize;

    /// Holds it, to the socket's end.
    fn hold<S>(self, socket: Socket<S>) -> impl Future<Output = ()> + Send
    where
        S: AsyncRead + AsyncWrite + Unpin + Send;
}

/// What the request becomes.
pub(crate) fn decision<B>(request: &http::Request<B>) -> Decision {
    decide(&RequestHead {
        method: request.method(),
        version: request.version(),
        headers: request.headers(),
        protocol: request.extensions().get::<Protocol>().map(Protocol::as_str),
        query: request.uri().query(),
    })
}

/// The request's head, and its body.
pub(crate) fn taken_apart(request: Request) -> (Head, Body) {
    let (parts, body) = request.into_parts();
    (Head::from_parts(parts, ()), body)
}

/// Answers a handshake; the conversation begins once the peer has the answer.
pub(crate) fn switch<C: Conversation>(
    mut request: Head,
    accept: Option<String>,
    subprotocol: bool,
    sockets: &TaskTracker,
    conversation: C,
) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    // HTTP gives its place back when the socket leaves it.
    let place = request.extensions_mut().remove::<Connection>().and_then(|connection| connection.place);
    let leaving = leaving();
    sockets.spawn(async move {
        let _held = (place, leaving);
        match upgrade.await {
            Ok(upgraded) => hold(upgraded, conversation).await,
            Err(error) => tracing::debug!(%error, "the peer left during the handshake"),
        }
    });
    switching(accept, subprotocol)
}

async fn hold<C: Conversation>(upgraded: Upgraded, conversation: C) {
    // HTTP/1.1: the bare socket or TLS stream, without hyper's layers. Each kind is on the heap while it
    // runs, so that no connection holds room for the largest.
    let upgraded = match downcast::<TokioIo<PlainStream>>(upgraded) {
        Ok(parts) => {
            let stream = parts.io.into_inner();
            return Box::pin(converse(stream, parts.read_buf, conversation)).await;
        }
        Err(upgraded) => upgraded,
    };
    match downcast::<TokioIo<TlsStream>>(upgraded) {
        Ok(parts) => Box::pin(converse(parts.io.into_inner(), parts.read_buf, conversation)).await,
        // HTTP/2: a stream of a connection whose socket may be busy with others, so that this
        // one is watched by itself.
        Err(upgraded) => {
            let stream = Guarded::new(TokioIo::new(upgraded));
            Box::pin(converse(stream, Bytes::new(), conversation)).await;
        }
    }
}

/// `read` is what came with the request.
async fn converse<S, C>(stream: S, read: Bytes, conversation: C)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    C: Conversation,
{
    conversation.hold(Socket::new(stream, read, C::MESSAGE_BYTES).await).await;
}

/// A WebSocket. What is heard is read by tungstenite, what is said is framed already.
pub(crate) struct Socket<S> {
    frames: WebSocketStream<Line<S>>,
    message_bytes: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Wraps an upgraded stream; `read` is what came with the request.
    pub(crate) async fn new(stream: S, read: Bytes, message_bytes: usize) -> Self {
        let (line, config) = (Line::new(stream), Some(config(message_bytes)));
        let frames = WebSocketStream::from_partially_read(line, read.into(), Role::Server, config).await;
        Self { frames, message_bytes }
    }

    /// Answers the handshake, before anything else is said.
    pub(crate) fn begin(&mut self, answer: Bytes) {
        self.frames.get_mut().begin(answer);
    }

    /// See [`Line::go_on`].
    pub(crate) fn go_on(&mut self, messages: Vec<Bytes>, begun: bool) {
        self.frames.get_mut().go_on(messages, begun);
    }

    /// Whether nothing waits, of ours or of tungstenite's.
    pub(crate) fn is_idle(&self) -> bool {
        !self.waits() && !self.frames.get_ref().is_held_back()
    }

    /// Says a framed message after those that wait.
    pub(crate) fn queue(&mut self, message: Bytes) {
        self.frames.get_mut().queue(message);
    }

    /// Whether something waits for the peer to take it.
    pub(crate) fn waits(&self) -> bool {
        self.frames.get_ref().waits()
    }

    /// Until everything that waits is with the kernel.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.frames.get_ref().is_held_back() {
            ready!(self.frames.get_mut().poll_end_of_begun(cx))?;
            ready!(Pin::new(&mut self.frames).poll_flush(cx)).map_err(io::Error::other)?;
        }
        self.frames.get_mut().poll_send(cx)
    }

    /// [`Socket::poll_send`].
    pub(crate) async fn send(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_send(cx)).await
    }

    /// The next message, of text or of bytes.
    pub(crate) fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Silence>> {
        loop {
            match ready!(Pin::new(&mut self.frames).poll_next(cx)) {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    return Poll::Ready(Ok(message));
                }
                // Answered by tungstenite itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(Err(Silence::Gone)),
                Some(Err(error)) => return Poll::Ready(Err(broken(&error, self.message_bytes))),
            }
        }
    }

    /// [`Socket::poll_hear`].
    pub(crate) async fn hear(&mut self) -> Result<Message, Silence> {
        poll_fn(|cx| self.poll_hear(cx)).await
    }
}

fn config(message_bytes: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(limits::WEBSOCKET_READ_BUFFER_BYTES)
        .write_buffer_size(limits::WEBSOCKET_READ_BUFFER_BYTES)
        // Room for the longest message that may be sent back.
        .max_write_buffer_size(limits::WEBSOCKET_WRITE_BUFFER_BYTES.max(2 * message_bytes))
        .max_message_size(Some(message_bytes))
        .max_frame_size(Some(message_bytes))
}

/// RFC 6455 4.2.2; RFC 8441 5 for HTTP/2, where 200 is the answer and nothing is proved.
pub(crate) fn switching<B: Default>(accept: Option<String>, subprotocol: bool) -> http::Response<B> {
    let mut response = http::Response::new(B::default());
    let headers = response.headers_mut();
    if subprotocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    if let Some(accept) = accept.and_then(|accept| HeaderValue::try_from(accept).ok()) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    }
    response
}

/// None of the ways in: the status and headers of the table.
pub(crate) fn rejected(reject: Reject, version: Version) -> Response {
    let mut response = Refused::from(reject.problem()).into_response();
    for (name, value) in reject.headers() {
        let name = HeaderName::from_static(name);
        // HTTP/2 has neither (RFC 9113 8.2.2).
        if version >= Version::HTTP_2 && (name == CONNECTION || name == UPGRADE) {
            continue;
        }
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Why nothing more is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Silence {
    /// The peer closed it, or the way broke: nothing more to say.
    Gone,
    /// What the peer sent cannot be read as frames; RFC 6455 7.4.1 has a code for it.
    Broken(u16, String),
}

/// What an error of the socket means for the peer (RFC 6455 7.4.1).
fn broken(error: &SocketError, message_bytes: usize) -> Silence {
    match error {
        SocketError::Capacity(CapacityError::MessageTooLong { .. }) => {
            Silence::Broken(close::MESSAGE_TOO_BIG, format!("over the limit of {message_bytes} bytes"))
        }
        SocketError::Utf8(_) => Silence::Broken(close::INVALID_PAYLOAD, "text is not UTF-8".to_owned()),
        SocketError::Protocol(error) => Silence::Broken(close::PROTOCOL_ERROR, error.to_string()),
        _ => Silence::Gone,
    }
}

/// How we close a socket.
#[derive(Debug, Clone)]
pub(crate) struct Farewell {
    /// A message that goes before.
    pub(crate) last_words: Option<Utf8Bytes>,
    /// RFC 6455 7.4.
    pub(crate) code: u16,
    /// For people; at most 123 bytes.
    pub(crate) reason: String,
    /// What the peer still sends can be read as frames.
    pub(crate) sound: bool,
}

/// Says why and closes (RFC 6455 7.1.1), then reads on for a moment: bytes that nobody reads would
/// make the kernel answer with a reset, and the peer would never see why. TLS has an end of its own.
/// What waits and was not begun is not said any more. `None`: the peer closed, or is gone.
pub(crate) async fn finish<S>(socket: Socket<S>, farewell: Option<Farewell>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut socket = socket.frames;
    socket.get_mut().forget();
    let Some(Farewell { last_words, code, reason, sound }) = farewell else {
        // Sends the close frame that answers the peer's, if there is one to send.
        drop(tokio::time::timeout(limits::CLOSE_LINGER, socket.flush()).await);
        return;
    };
    let said = async {
        if let Some(words) = last_words {
            socket.send(Message::Text(words)).await?;
        }
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
            return socket.into_inner().shutdown().await;
        }
        // The peer's own close cannot be told from noise any more, and they wait for us to end the
        // connection (RFC 6455 7.1.1): nothing comes after this, so they hear it at once.
        let mut raw = socket.into_inner();
        raw.shutdown().await?;
        let mut rest = vec![0; LINGER_BYTES];
        while let Ok(1..) = raw.read(&mut rest).await {}
        Ok(())
    };
    drop(tokio::time::timeout(limits::CLOSE_LINGER, linger).await);
}

/// What a peer that broke the rules still sends is read in pieces of this many bytes.
const LINGER_BYTES: usize = 4096;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use tokio::io::duplex;
    use tokio::time::Instant;

    use super::*;
    use crate::echo::Echo;

    #[tokio::test(start_paused = true)]
    async fn who_broke_the_rules_hears_why_and_the_end_at_once() {
        let (near, mut far) = duplex(1024);
        tokio::spawn(async move { Echo.hold(Socket::new(near, Bytes::new(), 1024).await).await });
        let begun = Instant::now();
        // Not masked, as only a server may send.
        far.write_all(b"\x81\x01x").await.unwrap();
        let mut said = Vec::new();
        far.read_to_end(&mut said).await.unwrap();
        assert_eq!(said[2..4], close::PROTOCOL_ERROR.to_be_bytes());
        assert_eq!(begun.elapsed().as_millis(), 0, "they did not have to wait, nor to close first");
    }

    #[tokio::test(start_paused = true)]
    async fn what_they_still_send_is_read_for_a_moment_only() {
        let (near, mut far) = duplex(1024);
        let held = tokio::spawn(async move { Echo.hold(Socket::new(near, Bytes::new(), 1024).await).await });
        let begun = Instant::now();
        far.write_all(b"\x81\x01x").await.unwrap();
        far.write_all(&[0; 1000]).await.unwrap();
        held.await.unwrap();
        assert_eq!(begun.elapsed(), limits::CLOSE_LINGER);
    }
}
