//! HTTP/1.1 over [`Dialer`]: requests with the credential in them, and a few connections kept open.
//!
//! HTTP/1.1 on purpose: everything behind a middlebox understands it, and there is never more than
//! one stream and one command under way. A connection that was idle too long is thrown away instead
//! of trusted, because a proxy that dropped it silently costs a whole timeout.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout};

use crate::{Address, Alpn, ConnectError, DialError, Dialer, ProxyPolicy, limits};

/// What proves who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// `Authorization: Bearer <token>`.
    Token(String),
    /// `Cookie: <name>=<value>`, as [`crate::SignedIn::cookie`] gives it.
    Cookie(String),
}

/// Shows its kind only: it must not reach a log.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(..)",
            Self::Cookie(_) => "Cookie(..)",
        })
    }
}

/// Sends requests to one server. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dialer: Dialer,
    credential: Option<(header::HeaderName, HeaderValue)>,
    /// Requests with a cookie must name where they come from (CSRF).
    origin: Option<HeaderValue>,
    user_agent: HeaderValue,
    host: HeaderValue,
    idle: Mutex<Vec<Idle>>,
}

type Sender = http1::SendRequest<Full<Bytes>>;

#[derive(Debug)]
struct Idle {
    sender: Sender,
    since: Instant,
}

/// A request failed before its answer's head was there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
}

/// An answer's body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is over its limit")]
    TooLong,
    #[error("the connection broke: {0}")]
    Broken(String),
}

impl Http {
    pub(crate) fn new(
        address: Address,
        extra_roots: Option<&[u8]>,
        proxy: &ProxyPolicy,
        credential: Option<&Credential>,
    ) -> Result<Self, ConnectError> {
        let host = header_value(&address.authority())?;
        let origin = match credential {
            Some(Credential::Cookie(_)) => Some(header_value(&address.origin())?),
            _ => None,
        };
        let credential = credential.map(credential_header).transpose()?;
        let user_agent = HeaderValue::from_static(concat!("switchback/", env!("CARGO_PKG_VERSION")));
        let proxy = proxy.for_server(&address)?;
        let dialer = Dialer::new(address, extra_roots)?.through(proxy);
        let idle = Mutex::default();
        let inner = Inner { dialer, credential, origin, user_agent, host, idle };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(crate) fn dialer(&self) -> &Dialer {
        &self.inner.dialer
    }

    /// A request with everything that each needs. A body is JSON.
    pub(crate) fn request(&self, method: Method, path: &str, body: Option<Bytes>) -> Request<Full<Bytes>> {
        let has_body = body.is_some();
        let mut request = Request::new(Full::new(body.unwrap_or_default()));
        *request.method_mut() = method;
        // Paths are made of constants, ids and cursors: always valid. `/` is the harmless answer.
        *request.uri_mut() = path.parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.inner.host.clone());
        if has_body {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        self.sign(headers);
        self.inner.dialer.name_server_to_proxy(&mut request);
        request
    }

    /// Says who asks.
    pub(crate) fn sign(&self, headers: &mut HeaderMap) {
        headers.insert(header::USER_AGENT, self.inner.user_agent.clone());
        if let Some((name, value)) = &self.inner.credential {
            headers.insert(name, value.clone());
        }
        if let Some(origin) = &self.inner.origin {
            headers.insert(header::ORIGIN, origin.clone());
        }
    }

    /// Sends a request, over a connection that is open already if there is one.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, HttpError> {
        let mut request = request;
        while let Some(mut sender) = self.take_idle() {
            // Right after an answer's last byte the connection is not quite ready yet.
            if !matches!(timeout(limits::IDLE_READY, sender.ready()).await, Ok(Ok(()))) {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(self.answer(sender, response)),
                // It never left: the connection had gone. Another one then.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let mut sender = self.open().await?;
        let response = sender.send_request(request).await?;
        Ok(self.answer(sender, response))
    }

    fn answer(&self, sender: Sender, response: Response<Incoming>) -> Answer {
        let (head, body) = response.into_parts();
        Answer { head, body, sender, http: self.clone() }
    }

    async fn open(&self) -> Result<Sender, HttpError> {
        let dialed = self.inner.dialer.dial(Alpn::Http1).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(dialed.stream)).await?;
        // Ends by itself when the sender and the body are dropped, or the peer closes.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an HTTP connection ended");
            }
        });
        Ok(sender)
    }

    fn take_idle(&self) -> Option<Sender> {
        let mut idle = self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() < limits::IDLE_CONNECTION_AGE);
        idle.pop().map(|idle| idle.sender)
    }

    fn keep(&self, sender: Sender) {
        let mut idle = self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < limits::IDLE_CONNECTIONS && !sender.is_closed() {
            idle.push(Idle { sender, since: Instant::now() });
        }
    }
}

/// An answer's head, with the body still to be read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: http::response::Parts,
    pub(crate) body: Incoming,
    sender: Sender,
    http: Http,
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The media type without parameters, in lower case; empty without one.
    pub(crate) fn media_type(&self) -> String {
        media_type(&self.head.headers)
    }

    /// `Retry-After` in seconds (the only form that this server sends).
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.head.headers)
    }

    /// Reads the whole body, up to `limit` bytes, and keeps the connection for the next request.
    pub(crate) async fn read(self, limit: usize) -> Result<Bytes, BodyError> {
        let body = Limited::new(self.body, limit).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                BodyError::TooLong
            } else {
                BodyError::Broken(error.to_string())
            }
        })?;
        self.http.keep(self.sender);
        Ok(body.to_bytes())
    }

    /// The body as a stream; the connection is kept open as long as it lives.
    pub(crate) fn into_stream(self) -> BodyStream {
        BodyStream { body: self.body, sender: self.sender, http: self.http }
    }
}

/// A body that is read as it comes.
#[derive(Debug)]
pub(crate) struct BodyStream {
    body: Incoming,
    sender: Sender,
    http: Http,
}

impl BodyStream {
    /// The next bytes; `None` at the end. Cancel-safe.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(BodyError::Broken(error.to_string())),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// After the end: the connection can carry the next request.
    pub(crate) fn recycle(self) {
        self.http.keep(self.sender);
    }
}

pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

fn credential_header(credential: &Credential) -> Result<(header::HeaderName, HeaderValue), ConnectError> {
    let (name, text) = match credential {
        Credential::Token(token) => (header::AUTHORIZATION, format!("Bearer {token}")),
        Credential::Cookie(cookie) => (header::COOKIE, cookie.clone()),
    };
    let mut value = header_value(&text)?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn header_value(text: &str) -> Result<HeaderValue, ConnectError> {
    HeaderValue::try_from(text).map_err(|_| ConnectError::Credential)
}
