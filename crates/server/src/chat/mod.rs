//! `/chat`: one path, four ways in. `switchback_core::upgrade` decides which; here it is done.
//!
//! Every way in is let in the same way (origin, credential, hub), starts a [`feed::Feed`] at the
//! same cursor, and differs only in framing: [`websocket`], [`stream`] (event stream and batch).
//! Commands by POST and by WebSocket run the same [`command`]. Who comes by the front door
//! ([`crate::door`]) and not by the route is let in the same way, too.

mod command;
mod feed;
mod listening;
mod stream;
pub(crate) mod websocket;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, LOCATION};
use http::{HeaderMap, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use switchback_core::limits as bounds;
use switchback_core::upgrade::{ChatQuery, Decision};
use switchback_core::wire::{ByeReason, ErrorCode, ServerFrame, Transport};
use switchback_storage::{Admission, Error};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::app::App;
use crate::http::credential::{Presented, presented};
use crate::http::problem::Refused;
use crate::http::{csrf, is_https, keep_careful};
use crate::hub::{Goodbye, Hub, Known, NotConnected, Recognized};
use crate::limits;
use crate::log::{self, Frame};
use crate::ops::Refusal;
use crate::secrets;
use crate::socket::{self, Conversation as _, Head, Line, Socket};
use feed::{Feed, Start};

/// The one path.
pub(crate) const PATH: &str = "/chat";

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
    Router::new().route(PATH, any(enter))
}

/// Serves a WebSocket whose handshake is done, over any stream.
#[cfg(feature = "simulation")]
pub(crate) async fn serve_over<S>(app: &App, request: &Head, stream: S) -> Result<(), Refusal>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let (caller, feed, opening) = open(app, request, Transport::Websocket).await?;
    let chatting = websocket::Chatting { feed, opening, app: app.clone(), caller, stay: None };
    let bytes = <websocket::Chatting as socket::Conversation>::MESSAGE_BYTES;
    chatting.talk(socket::Socket::new(stream, bytes::Bytes::new(), bytes).await).await;
    Ok(())
}

/// Somebody who was let in, on a connection of their own, and the answer that they have not got yet.
pub(crate) struct Welcome {
    pub(crate) answer: http::Response<()>,
    pub(crate) guest: Guest,
}

/// Somebody who was let in, on a connection of their own.
pub(crate) struct Guest {
    way: Way,
    staying: TaskTrackerToken,
}

/// What somebody holds who stays.
struct Stay {
    /// See [`crate::accept::Connection`].
    _place: Option<Arc<OwnedSemaphorePermit>>,
    /// A planned stop waits for it.
    _staying: TaskTrackerToken,
}

enum Way {
    Talking(websocket::Chatting),
    Listening(Feed, Vec<Arc<Frame>>),
}

impl Way {
    const fn feed(&self) -> &Feed {
        match self {
            Self::Talking(chatting) => &chatting.feed,
            Self::Listening(feed, _) => feed,
        }
    }
}

/// Lets somebody in who asks for a live connection and may have one. `None`: something is odd or refused,
/// and the route says what.
pub(crate) async fn welcome(app: &App, request: &Head) -> Option<Welcome> {
    let decision = socket::decision(request);
    // Before the hub knows them: from then on they must get to hear of a stop.
    let staying = app.chat.sockets.token();
    let (answer, way) = match decision {
        Decision::WebSocket { accept, subprotocol } => {
            let (caller, feed, opening) = open(app, request, Transport::Websocket).await.ok()?;
            let chatting = websocket::Chatting { feed, opening, app: app.clone(), caller, stay: None };
            (socket::switching(accept, subprotocol), Way::Talking(chatting))
        }
        Decision::EventStream => {
            let (_, feed, opening) = open(app, request, Transport::Sse).await.ok()?;
            let mut answer = http::Response::new(());
            *answer.headers_mut() = listening::headers();
            let https = is_https(request.extensions(), request.headers(), &app.config);
            keep_careful(answer.headers_mut(), https);
            (answer, Way::Listening(feed, opening))
        }
        _ => return None,
    };
    Some(Welcome { answer, guest: Guest { way, staying } })
}

impl Guest {
    /// To the connection's end, which begins with the answer; `place` is given up there. Each kind is on
    /// the heap by itself, so that none holds room for another.
    pub(crate) async fn stay<S>(
        self,
        stream: S,
        handle: Option<Arc<TcpStream>>,
        answer: Bytes,
        place: Option<Arc<OwnedSemaphorePermit>>,
    ) -> BoxFuture<'static, ()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stay = Stay { _place: place, _staying: self.staying };
        if let Some(handle) = handle {
            self.way.feed().session().open_lane(handle);
        }
        match self.way {
            Way::Talking(chatting) => {
                let mut socket = Socket::new(stream, Bytes::new(), websocket::Chatting::MESSAGE_BYTES).await;
                socket.begin(answer);
                Box::pin(websocket::Chatting { stay: Some(stay), ..chatting }.talk(socket))
            }
            Way::Listening(feed, opening) => {
                let mut line = Line::new(stream);
                line.begin(answer);
                Box::pin(listening::listen(feed, opening, line, stay))
            }
        }
    }
}

/// Answers a request for `/chat`, whichever of its ways in it asks for.
pub(crate) async fn enter(State(app): State<App>, request: Request) -> Response {
    let (request, body) = socket::taken_apart(request);
    let entered = match socket::decision(&request) {
        Decision::Reject(reject) => return socket::rejected(reject, request.version()),
        Decision::Page => return (StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response(),
        Decision::Command => command(app, &request, body).await,
        Decision::WebSocket { accept, subprotocol } => websocket(app, request, accept, subprotocol).await,
        Decision::EventStream => event_stream(app, &request).await,
        Decision::Batch { wait_s } => batch(app, &request, wait_s).await,
    };
    entered.unwrap_or_else(|refusal| Refused::from(refusal).into_response())
}

/// The secret of who asks. A cookie that another site's page sent along counts for nothing.
fn secret<'r>(app: &App, request: &'r Head) -> Result<&'r str, Refusal> {
    let Some(presented) = presented(request.headers()) else {
        return Err(Refusal::unauthorized("sign in first: send a session cookie or `Authorization: Bearer`"));
    };
    if matches!(presented, Presented::Cookie(_)) && csrf::is_foreign(request, &app.config) {
        return Err(Refusal::forbidden("this request comes from another site's page"));
    }
    Ok(presented.secret())
}

/// Lets a connection in and finds its place in the log.
async fn open(
    app: &App,
    request: &Head,
    transport: Transport,
) -> Result<(Arc<Recognized>, Feed, Vec<Arc<Frame>>), Refusal> {
    let (hub, secret) = (&app.chat.hub, secret(app, request)?);
    let hash = secrets::hash_secret(secret);
    let (caller, registration) = if let Some(known) = hub.reconnect(&hash, transport).await {
        app.ops.recognized(&known.0.identity);
        known
    } else {
        let stirred = hub.stirred();
        let Admission { identity, as_of, memberships } = app.ops.admit(hash).await?;
        let (user, credential) = (identity.user.id, identity.credential);
        let caller = Arc::new(Recognized { secret: hash, identity });
        let known = Known { stirred, recognized: Arc::clone(&caller), as_of, memberships };
        let connected = hub.connect(user, credential, transport, Some(known)).await;
        (caller, connected.map_err(not_connected)?)
    };
    let start = start(request.headers(), request.uri().query());
    let (feed, opening) = Feed::open(registration, &start).await?;
    tracing::debug!(session = %feed.session().id, user = %caller.identity.user.id, ?transport, "connected");
    Ok((caller, feed, opening))
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
    request: Head,
    accept: Option<String>,
    subprotocol: bool,
) -> Result<Response, Refusal> {
    let (caller, feed, opening) = open(&app, &request, Transport::Websocket).await?;
    let sockets = app.chat.sockets.clone();
    let chatting = websocket::Chatting { feed, opening, app, caller, stay: None };
    Ok(socket::switch(request, accept, subprotocol, &sockets, chatting))
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
    let secret = secret(&app, request)?;
    let identity = match app.chat.hub.recognize(&secrets::hash_secret(secret)) {
        Some(known) => {
            app.ops.recognized(&known.identity);
            known.identity.clone()
        }
        None => app.ops.identify(secret).await?,
    };
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
    let (_, json) = log::answer(&ServerFrame::Ack(ack.map_err(|error| Refusal(Box::new(error)))?));
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    Ok((headers, Bytes::from(json)).into_response())
}
