//! WebSocket over HTTP/2 (RFC 8441): offered or not. No client needs it, but where a proxy speaks
//! HTTP/2 to browsers it explains why a WebSocket takes one way or the other.

use bytes::Bytes;
use http::{Method, Request, StatusCode, Version};
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use switchback_client::Alpn;
use tokio::time::{Instant, timeout};

use super::PATIENCE;
use super::probe::{Probe, describe};
use super::report::Check;
use super::websocket;

const NAME: &str = "HTTP/2 CONNECT";

pub(super) async fn check(probe: &Probe) -> Check {
    match timeout(PATIENCE, attempt(probe)).await {
        Ok(Ok(check)) => check,
        Ok(Err(why)) => Check::open(NAME, format!("not offered ({why}); nothing needs it")),
        Err(_) => Check::open(NAME, "not offered (no answer); nothing needs it"),
    }
}

async fn attempt(probe: &Probe) -> Result<Check, String> {
    let dialed = probe.dialer.dial(Alpn::Http2).await.map_err(|error| error.to_string())?;
    if dialed.tls.as_ref().is_some_and(|tls| tls.alpn.as_deref() != Some("h2")) {
        return Err("TLS chose another protocol".to_owned());
    }
    let builder = http2::Builder::new(TokioExecutor::new());
    let refused = |_| "HTTP/2 is not spoken here".to_owned();
    let handshake = builder.handshake::<_, Empty<Bytes>>(TokioIo::new(dialed.stream)).await;
    let (mut sender, connection) = handshake.map_err(refused)?;
    tokio::spawn(connection);
    // The first answer also brings the settings that say whether extended CONNECT is offered.
    let alive = sender.send_request(request(probe, Method::GET, "/livez")).await.map_err(refused)?;
    if alive.status() != StatusCode::OK {
        return Err(format!("over HTTP/2 the answer is {}", describe(&alive)));
    }
    let begun = Instant::now();
    let mut connect = request(probe, Method::CONNECT, "/chat");
    connect.extensions_mut().insert(Protocol::from_static("websocket"));
    connect.headers_mut().insert(http::header::SEC_WEBSOCKET_VERSION, http::HeaderValue::from_static("13"));
    let not_enabled = |_| "HTTP/2 is spoken, but without extended CONNECT".to_owned();
    let response = sender.send_request(connect).await.map_err(not_enabled)?;
    let took = begun.elapsed();
    match response.status() {
        StatusCode::OK => {
            let upgraded = hyper::upgrade::on(response).await.map_err(|error| error.to_string())?;
            let after = websocket::hello(&mut websocket::wrap(upgraded).await).await?;
            Ok(Check::ok(NAME, took + after, "offered, and the first frame comes through"))
        }
        StatusCode::UNAUTHORIZED if !probe.has_token() => {
            Ok(Check::ok(NAME, took, "offered; the request reaches the server"))
        }
        _ => Err(format!("the answer is {}", describe(&response))),
    }
}

fn request(probe: &Probe, method: Method, path: &str) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = method;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = probe.dialer.address().join(path).parse().unwrap_or_default();
    probe.sign(request.headers_mut());
    request
}
