//! Requests and answers in the raw, and the first checks: name, TCP, TLS, HTTP, who is there.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use switchback_client::{Alpn, DialError, Dialer};
use tokio::time::{Instant, timeout};

use super::PATIENCE;
use super::advice::Trouble;
use super::report::Check;

/// The longest body that is looked at, in bytes.
const BODY_BYTES: usize = 256 * 1024;
/// Proxies remembered by what they say about themselves.
const PROXIES: usize = 16;
/// Of each, so many characters.
const PROXY_CHARS: usize = 80;

/// The other end, as far as it is known.
pub(super) struct Probe {
    pub(super) dialer: Dialer,
    token: Option<String>,
    seen: BTreeSet<String>,
}

/// An answer's head and the stream behind it.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    /// From the request to the head.
    pub(super) took: Duration,
}

/// Nobody answered, or not in time.
#[derive(Debug)]
pub(super) enum NoAnswer {
    Dial(DialError),
    Cut(hyper::Error),
    Silence,
}

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dial(error) => error.fmt(f),
            Self::Cut(error) => write!(f, "the connection was cut ({error})"),
            Self::Silence => write!(f, "no answer within {} s", PATIENCE.as_secs()),
        }
    }
}

impl Probe {
    pub(super) fn new(dialer: Dialer, token: Option<String>) -> Self {
        Self { dialer, token, seen: BTreeSet::new() }
    }

    /// Whether there is a token that the server takes.
    pub(super) const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// What those in between say about themselves.
    pub(super) const fn seen(&self) -> &BTreeSet<String> {
        &self.seen
    }

    /// Name, TCP and TLS; whether HTTP can be tried.
    pub(super) async fn connect(&self) -> (Vec<Check>, bool) {
        let begun = Instant::now();
        let dialed = match self.dialer.dial(Alpn::Http1).await {
            Ok(dialed) => dialed,
            Err(error) => return (vec![not_connected(&error, begun.elapsed())], false),
        };
        let (lookup, tcp) = (dialed.lookup.as_millis(), dialed.tcp.as_millis());
        let detail = format!("{} (name {lookup} ms, connection {tcp} ms)", dialed.peer);
        let mut checks = vec![Check::ok("name and TCP", dialed.lookup + dialed.tcp, detail)];
        if let Some(proxy) = self.dialer.proxy() {
            checks.push(Check::ok("proxy", Duration::ZERO, format!("going by {proxy}")));
        }
        if let Some(tls) = dialed.tls {
            checks.push(Check::ok("TLS", tls.handshake, tls.version));
        }
        (checks, true)
    }

    /// Whether HTTP gets there, and whether it is Switchback that answers.
    pub(super) async fn identify(&mut self) -> (Vec<Check>, bool) {
        const NAME: &str = "HTTP";
        let answer = match self.send(self.request(Method::GET, "/livez")).await {
            Ok(answer) => answer,
            Err(error) => return (vec![Check::failed(NAME, PATIENCE, error.to_string())], false),
        };
        let (took, status) = (answer.took, answer.response.status());
        let kind = describe(&answer.response);
        let body = body(answer.response).await;
        if status != StatusCode::OK || body.trim() != "ok" {
            let detail = format!("this is not Switchback: {kind}{}", portal_hint(status, &body));
            return (vec![Check::failed(NAME, took, detail).because(Trouble::Foreign)], false);
        }
        let who = self.who_asks().await;
        let ours = who.trouble.is_none();
        (vec![Check::ok(NAME, took, "the server is alive"), who], ours)
    }

    /// Whether the server knows the token; its answer also proves that it is ours.
    async fn who_asks(&mut self) -> Check {
        const NAME: &str = "who asks";
        let answer = match self.send(self.request(Method::GET, "/api/v1/session")).await {
            Ok(answer) => answer,
            Err(error) => return Check::failed(NAME, PATIENCE, error.to_string()),
        };
        let (took, status, kind) = (answer.took, answer.response.status(), describe(&answer.response));
        let body: serde_json::Value = serde_json::from_str(&body(answer.response).await).unwrap_or_default();
        let says = body["detail"].as_str().unwrap_or_default();
        match (status, self.has_token(), body["user"]["handle"].as_str()) {
            (StatusCode::OK, true, Some(handle)) => Check::ok(NAME, took, format!("@{handle}")),
            (StatusCode::UNAUTHORIZED, true, _) if is_ours(&body) => {
                self.token = None;
                Check::failed(NAME, took, format!("the token does not count ({says}); going on without"))
            }
            (StatusCode::UNAUTHORIZED, false, _) if is_ours(&body) => {
                Check::open(NAME, "nobody: there is no token, so streams cannot be opened")
            }
            _ => {
                Check::failed(NAME, took, format!("this is not Switchback: {kind}")).because(Trouble::Foreign)
            }
        }
    }

    /// A request with the credential in it.
    pub(super) fn request(&self, method: Method, path: &str) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::default());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap_or_default();
        let headers = request.headers_mut();
        if let Ok(host) = HeaderValue::try_from(self.dialer.address().authority()) {
            headers.insert(header::HOST, host);
        }
        headers.insert(header::USER_AGENT, HeaderValue::from_static("switchback-doctor"));
        self.sign(headers);
        request
    }

    pub(super) fn sign(&self, headers: &mut HeaderMap) {
        let value = self.token.as_ref().map(|token| HeaderValue::try_from(format!("Bearer {token}")));
        if let Some(Ok(mut value)) = value {
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
    }

    /// Sends it over a connection of its own, as each way in does.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        let answer = send(&self.dialer, request).await?;
        for (name, label) in [(header::SERVER, "Server"), (header::VIA, "Via")] {
            for value in answer.response.headers().get_all(name) {
                let value = String::from_utf8_lossy(value.as_bytes());
                let value: String = value.chars().filter(|c| !c.is_control()).take(PROXY_CHARS).collect();
                if self.seen.len() < PROXIES {
                    self.seen.insert(format!("{label}: {value}"));
                }
            }
        }
        Ok(answer)
    }
}

/// Sends a request over a connection of its own and waits for the head.
pub(super) async fn send(dialer: &Dialer, mut request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
    let exchange = async {
        let connected = if request.headers().contains_key(header::UPGRADE) {
            dialer.tunnel().await
        } else {
            dialer.name_server_to_proxy(&mut request);
            dialer.dial(Alpn::Http1).await
        };
        let connected = connected.map_err(NoAnswer::Dial)?;
        let handshake = http1::handshake(TokioIo::new(connected.stream)).await;
        let (mut sender, connection) = handshake.map_err(NoAnswer::Cut)?;
        // Ends with the body; an error shows in the body, too.
        tokio::spawn(connection.with_upgrades());
        let begun = Instant::now();
        let response = sender.send_request(request).await.map_err(NoAnswer::Cut)?;
        Ok(Answer { response, took: begun.elapsed() })
    };
    timeout(PATIENCE, exchange).await.map_err(|_| NoAnswer::Silence)?
}

/// The whole body, as far as it is looked at.
pub(super) async fn body(response: Response<Incoming>) -> String {
    let collected = timeout(PATIENCE, Limited::new(response.into_body(), BODY_BYTES).collect()).await;
    let bytes = match collected {
        Ok(Ok(body)) => body.to_bytes(),
        _ => Bytes::new(),
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `200 text/html`.
pub(super) fn describe(response: &Response<Incoming>) -> String {
    let media_type = media_type(response.headers());
    let status = response.status().as_u16();
    match response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()) {
        Some(to) => format!("{status} to {to}"),
        None if media_type.is_empty() => format!("{status}"),
        None => format!("{status} {media_type}"),
    }
}

pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a problem is one of this server's.
pub(super) fn is_ours(problem: &serde_json::Value) -> bool {
    problem["type"].as_str().is_some_and(|kind| kind.starts_with("urn:switchback:"))
}

fn not_connected(error: &DialError, took: Duration) -> Check {
    match error {
        DialError::Tls { .. } => Check::failed("TLS", took, error.to_string()).because(Trouble::Certificate),
        DialError::Lookup { .. } | DialError::Tcp { .. } => {
            Check::failed("name and TCP", took, error.to_string())
        }
        DialError::Tunnel { .. } => Check::failed("proxy", took, error.to_string()),
    }
}

fn portal_hint(status: StatusCode, body: &str) -> &'static str {
    let body = body.trim_start().to_ascii_lowercase();
    let is_page = body.starts_with("<html") || body.starts_with("<!doc");
    let asks = status == StatusCode::NETWORK_AUTHENTICATION_REQUIRED || status.is_redirection();
    if asks || (status.is_success() && is_page) {
        ", as a network's sign-in page answers"
    } else if status.is_server_error() {
        ", as a proxy answers that does not find the server behind it"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_in_place_of_the_server_is_told_from_a_lost_proxy() {
        assert!(portal_hint(StatusCode::OK, "\n<!DOCTYPE html><p>Welcome aboard").contains("sign-in"));
        assert!(portal_hint(StatusCode::FOUND, "").contains("sign-in"));
        assert!(portal_hint(StatusCode::BAD_GATEWAY, "<html>502").contains("proxy"));
        assert_eq!(portal_hint(StatusCode::NOT_FOUND, "no"), "");
    }
}
