//! The way from a handshake to a WebSocket, and the socket's manners: the same whatever is said on it.
//!
//! What is said is a [`Conversation`]: `/chat`'s, or [`crate::echo`]'s, by which others can hold this
//! code against RFC 6455 from outside. Everything that a standard has an opinion on is here: the
//! answer to the handshake (4.2.2), which mistake gets which close code (7.4.1), and a close that the
//! peer gets to see (7.1.1).

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use futures_util::{SinkExt as _, Stream, StreamExt as _};
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

/// A request without its body.
pub(crate) type Head = http::Request<()>;

/// What is said on a WebSocket.
pub(crate) trait Conversation: Send + 'static {
    /// The largest message that is taken, in bytes.
    const MESSAGE_BYTES: usize;

    /// Holds it, to the socket's end.
    fn hold<S>(self, socket: WebSocketStream<S>) -> impl Future<Output = ()> + Send
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
    // HTTP/1.1: the bare socket or TLS stream, without hyper's layers.
    let upgraded = match downcast::<TokioIo<PlainStream>>(upgraded) {
        Ok(parts) => {
            let socket = wrap(parts.io.into_inner(), parts.read_buf, C::MESSAGE_BYTES).await;
            return conversation.hold(socket).await;
        }
        Err(upgraded) => upgraded,
    };
    match downcast::<TokioIo<TlsStream>>(upgraded) {
        Ok(parts) => {
            let socket = wrap(parts.io.into_inner(), parts.read_buf, C::MESSAGE_BYTES).await;
            conversation.hold(socket).await;
        }
        // HTTP/2: a stream of a connection whose socket may be busy with others, so that this
        // one is watched by itself.
        Err(upgraded) => {
            let stream = Guarded::new(TokioIo::new(upgraded));
            conversation.hold(wrap(stream, Bytes::new(), C::MESSAGE_BYTES).await).await;
        }
    }
}

/// Wraps an upgraded stream; `read` is what came with the request.
pub(crate) async fn wrap<S>(stream: S, read: Bytes, message_bytes: usize) -> WebSocketStream<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = Some(config(message_bytes));
    WebSocketStream::from_partially_read(stream, read.into(), Role::Server, config).await
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
fn switching(accept: Option<String>, subprotocol: bool) -> Response {
    let mut response = Response::new(Body::empty());
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

/// The next message, of text or of bytes.
pub(crate) async fn hear<T>(stream: &mut T, message_bytes: usize) -> Result<Message, Silence>
where
    T: Stream<Item = Result<Message, SocketError>> + Unpin,
{
    loop {
        match stream.next().await {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => return Ok(message),
            // Answered by tungstenite itself.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(_))) | None => return Err(Silence::Gone),
            Some(Err(error)) => return Err(broken(&error, message_bytes)),
        }
    }
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
/// `None`: the peer closed, or is gone.
pub(crate) async fn finish<S>(mut socket: WebSocketStream<S>, farewell: Option<Farewell>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
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
        let mut rest = [0; 4096];
        while let Ok(1..) = raw.read(&mut rest).await {}
        Ok(())
    };
    drop(tokio::time::timeout(limits::CLOSE_LINGER, linger).await);
}

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
        tokio::spawn(async move { Echo.hold(wrap(near, Bytes::new(), 1024).await).await });
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
        let held = tokio::spawn(async move { Echo.hold(wrap(near, Bytes::new(), 1024).await).await });
        let begun = Instant::now();
        far.write_all(b"\x81\x01x").await.unwrap();
        far.write_all(&[0; 1000]).await.unwrap();
        held.await.unwrap();
        assert_eq!(begun.elapsed(), limits::CLOSE_LINGER);
    }
}
