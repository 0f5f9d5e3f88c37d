//! `/chat`: one path, four ways in. `switchback_core::upgrade` decides which; here it is done.
//!
//! Every way in is let in the same way (origin, credential, hub), starts a [`feed::Feed`] at the
//! same cursor, and differs only in framing: [`websocket`], [`stream`] (event stream and batch).
//! Commands by POST and by WebSocket run the same [`command`].

mod command;
mod feed;
mod stream;
mod websocket;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, StatusCode, Version};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use switchback_core::limits as bounds;
use switchback_core::upgrade::{ChatQuery, Decision, Reject, RequestHead, SUBPROTOCOL, decide};
use switchback_core::wire::{ByeReason, ErrorCode, ServerFrame, Transport};
use switchback_storage::{Error, Identity};
use tokio_util::task::TaskTracker;

use crate::accept::{Connection, PlainStream, TlsStream};
use crate::app::App;
use crate::guard::Guarded;
use crate::http::credential::{Presented, presented};
use crate::http::csrf;
use crate::http::problem::Refused;
use crate::hub::{Goodbye, Hub, NotConnected};
use crate::limits;
use crate::log::Frame;
use crate::ops::Refusal;
use crate::pace::leaving;
use feed::{Feed, Start};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Live connections: the hub, and the tasks that serve upgraded sockets (which have left HTTP's
/// own graceful stop).
#[derive(Clone)]
pub(crate) struct Chat {
    hub: Arc<Hub>,
    sockets: TaskTracker,
}

impl Chat {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, sockets: TaskTracker::new() }
    }

    /// Asks every connection to end, each with its own time to come back.
    pub(crate) fn drain(&self) {
        self.hub.drain();
        self.sockets.close();
    }

    /// Until the last upgraded socket is closed.
    pub(crate) async fn drained(&self) {
        self.sockets.wait().await;
    }

    /// Who is listening.
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }
}

/// The one route.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/chat", any(enter))
}

/// Serves a WebSocket whose handshake is done, over any stream.
#[cfg(feature = "simulation")]
pub(crate) async fn serve_over<S>(app: &App, request: &Head, stream: S) -> Result<(), Refusal>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let (identity, feed, opening) = open(app, request, Transport::Websocket).await?;
    let socket = websocket::wrap(stream, bytes::Bytes::new()).await;
    websocket::serve(socket, feed, opening, app, &identity).await;
    Ok(())
}

/// A request without its body.
type Head = http::Request<()>;

async fn enter(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let request = Head::from_parts(parts, ());
    let decision = decide(&RequestHead {
        method: request.method(),
        version: request.version(),
        headers: request.headers(),
        protocol: request.extensions().get::<Protocol>().map(Protocol::as_str),
        query: request.uri().query(),
    });
    let entered = match decision {
        Decision::Reject(reject) => return rejected(reject, request.version()),
        Decision::Page => return (StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response(),
        Decision::Command => command(app, &request, body).await,
        Decision::WebSocket { accept, subprotocol } => websocket(app, request, accept, subprotocol).await,
        Decision::EventStream => event_stream(app, &request).await,
        Decision::Batch { wait_s } => batch(app, &request, wait_s).await,
    };
    entered.unwrap_or_else(|refusal| Refused::from(refusal).into_response())
}

/// Who asks. A cookie that another site's page sent along counts for nothing.
async fn caller(app: &App, request: &Head) -> Result<Identity, Refusal> {
    let Some(presented) = presented(request.headers()) else {
        return Err(Refusal::unauthorized("sign in first: send a session cookie or `Authorization: Bearer`"));
    };
    if matches!(presented, Presented::Cookie(_)) && csrf::is_foreign(request, &app.config) {
        return Err(Refusal::forbidden("this request comes from another site's page"));
    }
    app.ops.identify(presented.secret()).await
}

/// Lets a connection in and finds its place in the log.
async fn open(
    app: &App,
    request: &Head,
    transport: Transport,
) -> Result<(Identity, Feed, Vec<Arc<Frame>>), Refusal> {
    let identity = caller(app, request).await?;
    let connected = app.chat.hub.connect(identity.user.id, identity.credential, transport).await;
    let registration = connected.map_err(not_connected)?;
    let start = start(request.headers(), request.uri().query());
    let (feed, opening) = Feed::open(registration, &start).await?;
    tracing::debug!(session = %feed.session().id, user = %identity.user.id, ?transport, "connected");
    Ok((identity, feed, opening))
}

fn start(headers: &HeaderMap, query: Option<&str>) -> Start {
    let query = ChatQuery::parse(query);
    let last = headers.get(LAST_EVENT_ID).map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let after = last.filter(|id| !id.is_empty()).or_else(|| query.after().map(str::to_owned));
    Start { after, seen: query.seen() }
}

fn not_connected(error: NotConnected) -> Refusal {
    match error {
        NotConnected::Storage(error) => Refusal::from(error),
        NotConnected::Refused(goodbye) => match goodbye.reason {
            ByeReason::TooManyConnections => {
                let detail = format!("at most {} connections of one account", limits::SESSIONS_PER_USER);
                Refusal::rate_limited(detail, bounds::RECONNECT_MAX_MS)
            }
            ByeReason::GoingAway => {
                let mut refusal = Refusal::new(ErrorCode::Unavailable, "the server is stopping; try again");
                refusal.0.retry_after_ms = goodbye.retry_ms;
                refusal
            }
            _ => Refusal::unauthorized("this session or token has ended; sign in again"),
        },
    }
}

/// A connection whose part of the log cannot be read: it comes back at its cursor.
fn unreadable(error: &Error) -> Goodbye {
    match error {
        // The account is no longer active.
        Error::NotFound(_) => Goodbye::forever(ByeReason::Deactivated),
        error => {
            tracing::warn!(%error, "the log cannot be read for a connection");
            Goodbye { reason: ByeReason::GoingAway, retry_ms: Some(limits::UNREADABLE_RETRY_MS) }
        }
    }
}

async fn websocket(
    app: App,
    mut request: Head,
    accept: Option<String>,
    subprotocol: bool,
) -> Result<Response, Refusal> {
    let (identity, feed, opening) = open(&app, &request, Transport::Websocket).await?;
    let upgrade = hyper::upgrade::on(&mut request);
    // HTTP gives its place back when the socket leaves it.
    let place = request.extensions_mut().remove::<Connection>().and_then(|connection| connection.place);
    let leaving = leaving();
    let sockets = app.chat.sockets.clone();
    sockets.spawn(async move {
        let _held = (place, leaving);
        let upgraded = match upgrade.await {
            Ok(upgraded) => upgraded,
            Err(error) => {
                tracing::debug!(%error, "the peer left during the handshake");
                return;
            }
        };
        // HTTP/1.1: the bare socket or TLS stream, without hyper's layers.
        let upgraded = match downcast::<TokioIo<PlainStream>>(upgraded) {
            Ok(parts) => {
                let socket = websocket::wrap(parts.io.into_inner(), parts.read_buf).await;
                return websocket::serve(socket, feed, opening, &app, &identity).await;
            }
            Err(upgraded) => upgraded,
        };
        match downcast::<TokioIo<TlsStream>>(upgraded) {
            Ok(parts) => {
                let socket = websocket::wrap(parts.io.into_inner(), parts.read_buf).await;
                websocket::serve(socket, feed, opening, &app, &identity).await;
            }
            // HTTP/2: a stream of a connection whose socket may be busy with others, so that this
            // one is watched by itself.
            Err(upgraded) => {
                let stream = Guarded::new(TokioIo::new(upgraded));
                let socket = websocket::wrap(stream, bytes::Bytes::new()).await;
                websocket::serve(socket, feed, opening, &app, &identity).await;
            }
        }
    });
    Ok(switching(accept, subprotocol))
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

async fn event_stream(app: App, request: &Head) -> Result<Response, Refusal> {
    let (_, feed, opening) = open(&app, request, Transport::Sse).await?;
    Ok(stream::endless(feed, opening))
}

async fn batch(app: App, request: &Head, wait_s: u64) -> Result<Response, Refusal> {
    let (_, feed, opening) = open(&app, request, Transport::Batch).await?;
    Ok(stream::batch(feed, opening, wait_s).await)
}

async fn command(app: App, request: &Head, body: Body) -> Result<Response, Refusal> {
    let identity = caller(&app, request).await?;
    let too_long = || {
        let detail = format!("a command has at most {} bytes", bounds::COMMAND_BYTES);
        Refusal::new(ErrorCode::TooLong, detail)
    };
    // Announced: no need to wait for it.
    if usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX) > bounds::COMMAND_BYTES {
        return Err(too_long());
    }
    let body = Limited::new(body, bounds::COMMAND_BYTES).collect();
    let Ok(body) = tokio::time::timeout(limits::COMMAND_BODY_TIMEOUT, body).await else {
        let detail = format!("the body took longer than {} s", limits::COMMAND_BODY_TIMEOUT.as_secs());
        let refused = Refused::new(ErrorCode::BadJson, detail).with_status(StatusCode::REQUEST_TIMEOUT);
        return Ok(refused.into_response());
    };
    let body = body.map_err(|error| {
        if error.is::<LengthLimitError>() {
            return too_long();
        }
        Refusal::new(ErrorCode::BadJson, "the body ended too early")
    })?;
    let ack = command::run(&app.ops, &identity, &body.to_bytes()).await;
    let frame = Frame::server(&ServerFrame::Ack(ack.map_err(|error| Refusal(Box::new(error)))?));
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    Ok((headers, bytes::Bytes::from(frame.json.clone())).into_response())
}

/// None of the ways in: the status and headers of the table.
fn rejected(reject: Reject, version: Version) -> Response {
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
