//! Does the handshake get there, does the 101 come back, and does `hello` come through?

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::Full;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use switchback_core::upgrade::SUBPROTOCOL;
use switchback_core::wire::{Incoming, ServerFrame};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::PATIENCE;
use super::advice::Trouble;
use super::probe::{self, Probe, body, describe, is_ours, media_type};
use super::report::{Check, WayState};

const NAME: &str = "WebSocket";
const VERSION: &str = "13";
/// A version that does not exist: the server refuses it by 426 before it asks who one is.
const NO_VERSION: &str = "12";
const READ_BUFFER_BYTES: usize = 16 * 1024;

pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

pub(super) async fn check(probe: &mut Probe) -> (Check, WayState) {
    if probe.has_token() { open_fully(probe).await } else { knock(probe).await }
}

/// With a token: the whole way up to `hello`.
async fn open_fully(probe: &mut Probe) -> (Check, WayState) {
    let (request, key) = handshake(probe, VERSION);
    let answer = match probe.send(request).await {
        Ok(answer) => answer,
        Err(error) => return blocked(PATIENCE, format!("the handshake got no answer: {error}")),
    };
    let took = answer.took;
    if answer.response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return blocked(took, instead(answer).await);
    }
    if let Some(lost) = lost_in_answer(answer.response.headers(), &key) {
        return blocked(took, lost);
    }
    let Ok(upgraded) = hyper::upgrade::on(answer.response).await else {
        return blocked(took, "101 came, then the connection was cut".to_owned());
    };
    match hello(&mut wrap(upgraded).await).await {
        Ok(after) => {
            let ms = after.as_millis();
            (
                Check::ok(NAME, took + after, format!("101, and the first frame {ms} ms later")),
                WayState::Works,
            )
        }
        Err(why) => {
            let detail = format!("101 came, but {why}: somebody lets the handshake pass and not the frames");
            blocked(took, detail)
        }
    }
}

/// Without a token: whether the handshake arrives as it was sent.
async fn knock(probe: &mut Probe) -> (Check, WayState) {
    let (request, _) = handshake(probe, NO_VERSION);
    let answer = match probe.send(request).await {
        Ok(answer) => answer,
        Err(error) => return blocked(PATIENCE, format!("the handshake got no answer: {error}")),
    };
    let (took, status) = (answer.took, answer.response.status());
    // Only our server knows which version it wants.
    let wants = answer.response.headers().get(header::SEC_WEBSOCKET_VERSION).cloned();
    if status == StatusCode::UPGRADE_REQUIRED && wants.is_some_and(|version| version == VERSION) {
        let detail =
            "the handshake reaches the server as it was sent; only a token shows whether 101 comes back";
        return (Check::ok(NAME, took, detail), WayState::Reaches);
    }
    blocked(took, instead(answer).await)
}

fn blocked(took: Duration, detail: String) -> (Check, WayState) {
    (Check::failed(NAME, took, detail).because(Trouble::Upgrade), WayState::Blocked)
}

/// Why it is not 101, as far as the answer tells.
async fn instead(answer: probe::Answer) -> String {
    let (status, kind) = (answer.response.status(), describe(&answer.response));
    let media_type = media_type(answer.response.headers());
    // An event stream does not end.
    let says = if media_type == "text/event-stream" { None } else { problem(&body(answer.response).await) };
    format!("{kind} instead of 101: {}", reason(status, &media_type, says.as_deref()))
}

fn reason(status: StatusCode, media_type: &str, says: Option<&str>) -> String {
    let removed = "the server saw an ordinary request: somebody on the way removes `Upgrade`";
    let reason = match (status.as_u16(), says) {
        (200, _) if media_type == "text/event-stream" => removed,
        (401, Some(_)) => removed,
        (_, Some(says)) => return format!("the handshake arrived changed ({says})"),
        (200, None) if media_type == "text/html" => "a page from somebody in between",
        (403 | 407, None) => "somebody in between forbids it",
        (426, None) => "somebody in between wants another protocol",
        (502..=504, None) => "a proxy in between does not manage the upgrade",
        _ => "somebody in between answers for the server",
    };
    reason.to_owned()
}

/// What is missing from a 101, if anything.
fn lost_in_answer(headers: &HeaderMap, key: &str) -> Option<String> {
    let value = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if value(header::SEC_WEBSOCKET_ACCEPT) != Some(derive_accept_key(key.as_bytes()).as_str()) {
        return Some("101 came with a wrong `Sec-WebSocket-Accept`: it is somebody else's".to_owned());
    }
    if value(header::SEC_WEBSOCKET_PROTOCOL) != Some(SUBPROTOCOL) {
        return Some("101 came without `Sec-WebSocket-Protocol`: somebody on the way removes it".to_owned());
    }
    None
}

/// The server's own words, if it is ours.
fn problem(body: &str) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    is_ours(&body).then(|| body["detail"].as_str().unwrap_or_default().to_owned())
}

fn handshake(probe: &Probe, version: &'static str) -> (Request<Full<Bytes>>, String) {
    let key = STANDARD.encode(uuid::Uuid::now_v7().as_bytes());
    let mut request = probe.request(Method::GET, "/chat");
    let headers = request.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(version));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    if let Ok(value) = HeaderValue::try_from(key.as_str()) {
        headers.insert(header::SEC_WEBSOCKET_KEY, value);
    }
    (request, key)
}

/// Opens a WebSocket without asking why it might not work; for watching it.
pub(super) async fn open(probe: &Probe) -> Option<Socket> {
    let (request, _) = handshake(probe, VERSION);
    let answer = probe::send(&probe.dialer, request).await.ok()?;
    if answer.response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return None;
    }
    Some(wrap(hyper::upgrade::on(answer.response).await.ok()?).await)
}

pub(super) async fn wrap(upgraded: Upgraded) -> Socket {
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(config)).await
}

/// Waits for `hello`, and says how long it took or what came instead.
pub(super) async fn hello(socket: &mut Socket) -> Result<Duration, String> {
    let begun = Instant::now();
    match timeout(PATIENCE, next_frame(socket)).await {
        Ok(Some(Incoming::Frame(frame))) if matches!(*frame, ServerFrame::Hello(_)) => Ok(begun.elapsed()),
        Ok(Some(_)) => Err("the first frame was not hello".to_owned()),
        Ok(None) => Err("then the connection was cut".to_owned()),
        Err(_) => Err(format!("no frame within {} s", PATIENCE.as_secs())),
    }
}

/// The next frame of the protocol; `None` at the end.
pub(super) async fn next_frame(socket: &mut Socket) -> Option<Incoming> {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(json) = message {
            return Incoming::parse(&json).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_instead_of_101_is_put_into_words() {
        let cases = [
            (200, "text/event-stream", None, "removes `Upgrade`"),
            (401, "application/problem+json", Some("sign in"), "removes `Upgrade`"),
            (400, "application/problem+json", Some("the key is absent"), "the key is absent"),
            (200, "text/html", None, "a page"),
            (403, "text/html", None, "forbids"),
            (426, "", None, "another protocol"),
            (502, "text/html", None, "proxy"),
            (418, "", None, "somebody"),
        ];
        for (status, media_type, says, word) in cases {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            let reason = reason(status, media_type, says);
            assert!(reason.contains(word), "{status}: {reason}");
        }
    }
}
