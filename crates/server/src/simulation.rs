//! A server without sockets, for simulated runs: the same router, socket loop, hub and log's reader as
//! in a real one, over byte streams and doorbells that the simulation carries.
//!
//! Only compiled with the feature `simulation`, which no build that is shipped has.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use switchback_core::Seq;
use switchback_storage::{Error, Store};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::accept::Connection;
use crate::app::App;
use crate::bus::{Bus, Doorbells};
use crate::chat::{self, Chat};
use crate::hub::{Hub, Tail};
use crate::metrics::Metrics;
use crate::ops::Ops;
use crate::{Config, http as edge, limits};

thread_local! {
    static READS_FIRST: Cell<bool> = const { Cell::new(false) };
}

/// Switches "register first, read afterwards" off or on, for the nodes of this thread.
pub fn switch_registering_first(off: bool) {
    READS_FIRST.set(off);
}

/// Whether a node trusts what it has read of somebody before they registered.
pub(crate) fn trusts_what_was_read() -> bool {
    READS_FIRST.get()
}

/// A run starts nodes often, and their routes are the same.
fn routes() -> Router<App> {
    static ROUTES: OnceLock<Router<App>> = OnceLock::new();
    ROUTES.get_or_init(edge::routes).clone()
}

/// One node of the workspace. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    app: App,
    router: Router,
    doorbells: Arc<Doorbells>,
}

impl Node {
    /// A node on this store that keeps `ring_events` in memory, and the task that follows the log.
    pub async fn start(store: Store, ring_events: usize) -> Result<(Self, impl Future<Output = ()>), Error> {
        let config = Config { ring_events, ..Config::default() };
        let hub = Arc::new(Hub::open(store.clone(), config.ring_events).await?);
        let (rings, rung) = mpsc::channel(limits::BUS_RINGS);
        let doorbells = Arc::new(Doorbells::new(Arc::clone(&hub), rings));
        let ops = Ops::new(store, Bus::in_process(Arc::clone(&hub)), &config);
        let metrics = Arc::new(Metrics::new());
        let tail = Tail::new(Arc::clone(&hub), Arc::clone(&metrics), rung, Arc::clone(&doorbells) as _);
        let app = App { ops, chat: Chat::new(hub), config: Arc::new(config), metrics };
        let router = edge::layered(routes(), app.clone());
        Ok((Self { app, router, doorbells }, tail.run(CancellationToken::new())))
    }

    /// Serves a WebSocket over `stream` after its handshake. `false`: it was not let in.
    pub async fn websocket<S>(self, request: http::Request<()>, stream: S) -> bool
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        chat::serve_over(&self.app, &request, stream).await.is_ok()
    }

    /// Answers a request.
    pub async fn answer(self, request: http::Request<Bytes>) -> http::Response<Body> {
        let mut request = request.map(Body::from);
        let peer = std::net::Ipv4Addr::LOCALHOST.into();
        request.extensions_mut().insert(Connection { peer, tls: false, place: None });
        match self.router.oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }

    /// What this node has to tell the others.
    pub fn doorbells(&self) -> Vec<String> {
        self.doorbells.take()
    }

    /// Hears what another node told.
    pub fn hear(&self, message: &str) {
        self.doorbells.hear(message);
    }

    /// How far this node has made the log visible.
    pub fn head(&self) -> Seq {
        self.app.chat.hub().ring().head()
    }
}
