//! The front door: live connections that come as clients open them, without HTTP's machinery.
//!
//! A browser opens a connection of its own for a WebSocket, and so do most for an event stream: its first
//! bytes are one whole request of HTTP/1.1 for `/chat`. They are looked at here before anything else is
//! set up. Whoever asks for nothing else and is let in gets the same answer as by the route, and the
//! conversation begins on the bare stream. In every other case (no whole head, something behind it, HTTP/2,
//! another address, whatever is refused) nothing has happened: the bytes are read again, by HTTP.
//!
//! A command by POST comes on a connection that is HTTP's and is known by its first line: it needs no route.
//!
//! What is decided here is decided by the route's own functions; only what would go through is carried out.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_LENGTH, DATE, EXPECT, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Method, StatusCode, Uri, Version};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::accept::Connection;
use crate::app::App;
use crate::guard::Prompt;
use crate::socket::{Head, poll_peek};
use crate::{chat, http as edge, limits};

/// Where connections come in.
#[derive(Clone)]
pub(crate) struct Door {
    app: App,
}

/// Who has come.
pub(crate) enum Visitor<S> {
    /// Somebody who was let in, to the connection's end.
    Guest(BoxFuture<'static, ()>),
    /// Somebody for HTTP.
    Other(Prompt<S>),
    /// Nobody any more.
    Gone,
}

/// What the first bytes are.
enum First {
    Head(Box<Head>, Bytes),
    Other(Bytes),
}

impl Door {
    pub(crate) const fn new(app: App) -> Self {
        Self { app }
    }

    /// Whether a request is a command by POST, which is what who has an event stream asks for most.
    pub(crate) fn is_command(request: &Request) -> bool {
        request.method() == Method::POST && request.uri().path() == chat::PATH
    }

    /// The answer to it.
    pub(crate) fn command(&self, request: Request) -> impl Future<Output = Response> + use<> {
        edge::for_chat(self.app.clone(), request)
    }

    /// Looks who comes. `accepting`: ends the wait for the first bytes; `handle`: the stream, where bytes can
    /// be written to it as they are.
    pub(crate) async fn look<S>(
        &self,
        mut stream: Prompt<S>,
        handle: Option<Arc<TcpStream>>,
        connection: Connection,
        accepting: &CancellationToken,
    ) -> Visitor<S>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let first = first_bytes(&mut stream);
        let (mut head, read) = match accepting.run_until_cancelled(first).await {
            None => return Visitor::Gone,
            Some(Ok(First::Head(head, read))) => (head, read),
            Some(Ok(First::Other(read))) => {
                stream.take_back(read);
                return Visitor::Other(stream);
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "a connection broke");
                return Visitor::Gone;
            }
        };
        let begun = Instant::now();
        head.extensions_mut().insert(connection.clone());
        let Some(welcome) = chat::welcome(&self.app, &head).await else {
            stream.take_back(read);
            return Visitor::Other(stream);
        };
        let status = welcome.answer.status();
        self.app.metrics.answered(head.method(), chat::PATH, status, begun.elapsed());
        let answer = written(status, welcome.answer.headers());
        drop((head, read));
        Visitor::Guest(welcome.guest.stay(stream.into_inner(), handle, answer, connection.place).await)
    }
}

/// What comes in one piece.
async fn first_bytes<S: AsyncRead + Unpin>(stream: &mut Prompt<S>) -> std::io::Result<First> {
    let read = poll_fn(|cx| poll_peek(stream, cx, Bytes::copy_from_slice)).await?;
    Ok(match head(&read) {
        Some(head) => First::Head(Box::new(head), read),
        None => First::Other(read),
    })
}

/// The request, if these bytes are all of it and it may be for us.
fn head(bytes: &Bytes) -> Option<Head> {
    if !bytes.starts_with(b"GET /chat") {
        return None;
    }
    let mut lines = [const { MaybeUninit::uninit() }; limits::HEADER_LINES];
    let mut parsed = httparse::Request::new(&mut []);
    let status = parsed.parse_with_uninit_headers(bytes, &mut lines).ok()?;
    if status != httparse::Status::Complete(bytes.len()) || parsed.version != Some(1) {
        return None;
    }
    let uri = bytes.slice_ref(parsed.path?.as_bytes());
    let uri = Uri::from_maybe_shared(uri).ok().filter(|uri| uri.path() == chat::PATH)?;
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for line in &*parsed.headers {
        let name = HeaderName::from_bytes(line.name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_maybe_shared(bytes.slice_ref(line.value)).ok()?);
    }
    // A body, or somebody who waits to be asked for one.
    if [CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT].iter().any(|name| headers.contains_key(name)) {
        return None;
    }
    let mut head = Head::new(());
    *head.method_mut() = Method::GET;
    *head.version_mut() = Version::HTTP_11;
    *head.uri_mut() = uri;
    *head.headers_mut() = headers;
    edge::names_its_host(&head).then_some(head)
}

/// The answer's head as it goes over the wire (RFC 9112 4).
fn written(status: StatusCode, headers: &HeaderMap) -> Bytes {
    let mut head = String::with_capacity(HEAD_BYTES);
    let reason = status.canonical_reason().unwrap_or_default();
    // Writing to memory does not fail.
    let _ = write!(head, "HTTP/1.1 {} {reason}\r\n", status.as_u16());
    // All of them are ours, and text.
    let lines = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    for (name, value) in lines {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&Timestamp::now());
    let _ = write!(head, "{DATE}: {}\r\n\r\n", date.unwrap_or_default());
    Bytes::from(head)
}

/// Room for what is answered.
const HEAD_BYTES: usize = 640;

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};

    use hyper::body::Incoming;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    fn head(text: &str) -> Option<Head> {
        super::head(&Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn one_whole_request_for_the_chat_is_taken_apart() {
        let head = head(
            "GET /chat?after=a.1 HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nCookie: a=b\r\ncookie:  c=d \r\n\r\n",
        );
        let head = head.unwrap();
        assert_eq!(head.uri().query(), Some("after=a.1"));
        let cookies: Vec<_> = head.headers().get_all(http::header::COOKIE).iter().collect();
        assert_eq!(cookies, ["a=b", "c=d"]);
        assert_eq!(head.headers()["x-empty"], "");
    }

    #[test]
    fn everything_else_is_for_http() {
        let good = "GET /chat HTTP/1.1\r\nHost: a\r\n\r\n";
        assert!(head(good).is_some());
        for length in 0..good.len() {
            assert!(head(&good[..length]).is_none(), "the first {length} bytes");
        }
        let many = "X: y\r\n".repeat(limits::HEADER_LINES);
        for odd in [
            &format!("{good}G"),
            &format!("{good}{good}"),
            &format!("\r\n{good}"),
            &format!("GET /chat HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
            "GET /chat HTTP/1.0\r\nHost: a\r\n\r\n",
            "GET /chat HTTP/2.0\r\nHost: a\r\n\r\n",
            "GET /chats HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /chat/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /Chat HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://a/chat HTTP/1.1\r\nHost: a\r\n\r\n",
            "get /chat HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /chat HTTP/1.1\r\nHost: a\r\n\r\n",
            "HEAD /chat HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /chat HTTP/1.1\r\n\r\n",
            "GET /chat HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET /chat HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "GET /chat HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET /chat HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
            "GET /chat HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n",
            "GET /chat HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            assert!(head(odd).is_none(), "{odd}");
        }
    }

    /// The same bytes as HTTP reads them.
    async fn by_http(bytes: &[u8]) -> Option<Head> {
        let (near, mut far) = duplex(4096);
        let seen = Arc::new(Mutex::new(None));
        let service = service_fn(|request: http::Request<Incoming>| {
            let (parts, _) = request.into_parts();
            *seen.lock().unwrap() = Some(Head::from_parts(parts, ()));
            async { Ok::<_, Infallible>(http::Response::new(String::new())) }
        });
        far.write_all(bytes).await.unwrap();
        drop(far);
        // What cannot be read as a request is an error.
        drop(crate::accept::protocol().serve_connection(TokioIo::new(near), service).await);
        seen.lock().unwrap().take()
    }

    #[tokio::test]
    async fn what_the_door_takes_is_what_http_would_have_read() {
        let targets = [
            "/chat",
            "/chat?",
            "/chat?a=b&a",
            "/chat?%zz",
            "/chat?a b",
            "/chat#f",
            "/chat?a#f",
            "/chat?\u{e9}",
            "/chat?<\">",
            "/chat?a\tb",
            "/chat?\\",
            "/chat?{|}`^",
            "/chat;a",
            "/chat?\u{7f}",
        ];
        let lines = [
            "X: a",
            "x:a",
            "X :a",
            "X: a\tb",
            "X:",
            ": a",
            "X: a\0",
            "X: \u{e9}",
            "\u{e9}: a",
            "X: a\r",
            "(x): a",
            "X: a \t",
            "X: a\nY: b",
            "X",
            "X: a\r\n b",
            "X: a\r\nX: b\r\nx: a",
            "X: \u{7f}",
            "Connection: close",
            "X_y!#$: a",
        ];
        let mut taken = 0;
        for (target, line) in targets.iter().flat_map(|target| lines.iter().map(move |line| (target, line))) {
            let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n");
            let Some(here) = head(&request) else { continue };
            let there = by_http(request.as_bytes()).await.unwrap_or_else(|| panic!("{request:?} is none"));
            assert_eq!((here.method(), here.version()), (there.method(), there.version()));
            assert_eq!((here.uri(), here.headers()), (there.uri(), there.headers()), "{request:?}");
            taken += 1;
        }
        assert!(taken > targets.len(), "only {taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_waited_for_longer_than_http_waits() {
        let (near, far) = duplex(64);
        let begun = tokio::time::Instant::now();
        let error = first_bytes(&mut Prompt::new(near)).await.err().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed(), limits::HEADER_TIMEOUT);
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_for_the_door_is_read_again_and_the_time_goes_on() {
        let (near, mut far) = duplex(64);
        let mut stream = Prompt::new(near);
        let begun = tokio::time::Instant::now();
        far.write_all(b"GET /chat").await.unwrap();
        let First::Other(read) = first_bytes(&mut stream).await.unwrap() else { panic!("no whole head") };
        stream.take_back(read);
        let mut again = [0; 4];
        stream.read_exact(&mut again).await.unwrap();
        far.write_all(b"!").await.unwrap();
        let mut rest = [0; 6];
        stream.read_exact(&mut rest).await.unwrap();
        assert_eq!((&again, &rest), (b"GET ", b"/chat!"));
        assert_eq!(stream.read(&mut rest).await.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed(), limits::HEADER_TIMEOUT);
    }

    #[test]
    fn an_answer_is_written_with_its_date() {
        let headers = HeaderMap::from_iter([(http::header::UPGRADE, HeaderValue::from_static("websocket"))]);
        let answer = written(StatusCode::SWITCHING_PROTOCOLS, &headers);
        let answer = str::from_utf8(&answer).unwrap();
        let date =
            answer.strip_prefix("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\ndate: ").unwrap();
        assert!(
            date.ends_with(" GMT\r\n\r\n") && date.len() == "Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n".len(),
            "{date}"
        );
    }
}
