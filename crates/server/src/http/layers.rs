//! What happens to every request and answer, whatever its route: the check of its host, counting, headers
//! that keep browsers careful, what becomes of a defect; and for all but `/chat` the check against other
//! sites' pages, a time limit, compression.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use switchback_core::wire::ErrorCode;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate as _, SizeAbove};

use super::credential::{Presented, presented};
use super::problem::Refused;
use super::visitor::is_https;
use super::{csrf, pages};
use crate::app::App;
use crate::limits;
use crate::ops::Refusal;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// Routes that are not in the table share one name in the figures.
const NO_ROUTE: &str = "none";

/// What is true of every request, in one layer: each costs a few blocks of memory for each request.
pub(super) async fn every(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    around(&app, route, request, |request| next.run(request)).await
}

/// Has a request answered that names its host, also if that panics; counts it by route and status, and keeps
/// browsers careful.
pub(super) async fn around<F>(
    app: &App,
    route: &str,
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    let start = Instant::now();
    let method = request.method().clone();
    let https = is_https(request.extensions(), request.headers(), &app.config);
    let mut response = if names_its_host(&request) {
        let answered = AssertUnwindSafe(async { answer(request).await }).catch_unwind();
        answered.await.unwrap_or_else(|_| panicked())
    } else {
        without_its_host(&request)
    };
    // A handshake's answer has a form of its own.
    if method != Method::CONNECT && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        keep_careful(response.headers_mut(), https);
    }
    app.metrics.answered(&method, route, response.status(), start.elapsed());
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        app.metrics.rate_limited();
    }
    response
}

/// Refuses a request of HTTP/1.1 that does not name exactly one host (RFC 9112 3.2).
pub(crate) async fn one_host(request: Request, next: Next) -> Response {
    if names_its_host(&request) { next.run(request).await } else { without_its_host(&request) }
}

fn without_its_host(request: &Request) -> Response {
    let hosts = request.headers().get_all(HOST).iter().count();
    let detail = format!("a request names exactly one host; this one has {hosts} lines `Host`");
    Refused::new(ErrorCode::BadRequest, detail).with_status(StatusCode::BAD_REQUEST).into_response()
}

/// Whether a request of HTTP/1.1 names exactly one host.
pub(crate) fn names_its_host<B>(request: &http::Request<B>) -> bool {
    request.version() != Version::HTTP_11 || request.headers().get_all(HOST).iter().count() == 1
}

/// The headers that keep browsers careful; `https`: the browser's side of the connection is encrypted.
pub(crate) fn keep_careful(headers: &mut HeaderMap, https: bool) {
    let fixed = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        (PERMISSIONS_POLICY, "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Refuses what another site's page has a browser do: anything but reading, for programs where a
/// cookie goes along, for forms always (signing somebody in unasked is an attack too).
pub(super) async fn own_site(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let headers = request.headers();
    let is_guarded = match presented(headers) {
        Some(Presented::Bearer(_)) => false,
        Some(Presented::Cookie(_)) => true,
        None => !is_for_programs(request.uri()),
    };
    if is_guarded && csrf::is_foreign(&request, &app.config) {
        return refuse(request.uri(), &foreign(headers));
    }
    next.run(request).await
}

/// Gives up on a request that takes too long, its body included.
pub(super) async fn in_time(request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    if let Ok(response) = tokio::time::timeout(limits::REQUEST_TIMEOUT, next.run(request)).await {
        return response;
    }
    let detail = format!("this took longer than {} s; try again", limits::REQUEST_TIMEOUT.as_secs());
    refuse(&uri, &Refusal::new(ErrorCode::Unavailable, detail))
}

/// What nobody answers, in the language of whoever asks.
pub(super) async fn nowhere(uri: Uri) -> Response {
    if is_for_programs(&uri) { Refused::no_such_address().into_response() } else { pages::not_found() }
}

/// A route without this method; axum adds `Allow`.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let detail = format!("{method} is not possible here; the header `Allow` lists what is");
    if is_for_programs(&uri) {
        return Refused::new(ErrorCode::BadRequest, detail).with_status(status).into_response();
    }
    pages::error(status, "That is not possible here", &format!("{method} does not work at this address."))
}

/// A handler panicked: a defect, told to the log by the panic itself. The connection stays.
fn panicked() -> Response {
    let detail = "something is wrong with the server; its log says what";
    Refused::new(ErrorCode::Internal, detail).into_response()
}

/// Compresses texts that are worth it. Files of the client bring their own.
pub(super) fn compression() -> CompressionLayer<impl tower_http::compression::Predicate> {
    let is_text = |_: StatusCode, _: http::Version, headers: &HeaderMap, _: &http::Extensions| {
        let content_type =
            headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        ["application/json", "text/html", "application/openmetrics-text"]
            .iter()
            .any(|text| content_type.starts_with(text))
    };
    CompressionLayer::new().compress_when(SizeAbove::new(limits::COMPRESS_BYTES.into()).and(is_text))
}

fn is_for_programs(uri: &Uri) -> bool {
    let path = uri.path();
    path == "/api" || path.starts_with("/api/") || path == "/chat"
}

fn refuse(uri: &Uri, refusal: &Refusal) -> Response {
    if is_for_programs(uri) {
        return Refused::from(refusal.clone()).into_response();
    }
    pages::refused(refusal)
}

fn foreign(headers: &HeaderMap) -> Refusal {
    let line = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("none");
    let detail = format!(
        "this request comes from another site (Origin: {}, Host: {}); behind a proxy, set the public address or \
         pass `Host` on",
        line("origin"),
        line("host"),
    );
    Refusal::new(ErrorCode::Forbidden, detail)
}
