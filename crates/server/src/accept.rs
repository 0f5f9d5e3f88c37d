//! Accepting connections and speaking HTTP on them, with and without TLS.
//!
//! The two kinds are served by the same code over different streams, so that a plain connection pays
//! nothing for TLS. A handshake runs in its connection's own task and place: nobody who is slow at it
//! keeps others from being accepted.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use futures_util::future::{BoxFuture, Either};
use futures_util::{FutureExt as _, TryFutureExt as _};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::door::{Door, Visitor};
use crate::guard::{Guarded, Prompt};
use crate::limits;
use crate::pace::{PacedExecutor, paced};
use crate::tcp::Tcp;
use crate::tls::{Encrypted, Tls};

/// What HTTP runs over without TLS.
pub(crate) type PlainStream = Prompt<Guarded<Tcp>>;
/// What HTTP runs over with TLS.
pub(crate) type TlsStream = Prompt<Encrypted>;

/// What every request knows of the connection that it came over.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// The address of the socket's other end; behind a proxy, the proxy's.
    pub(crate) peer: IpAddr,
    /// Whether we decrypt it ourselves.
    pub(crate) tls: bool,
    /// One of `Config::connections`. Whoever goes on with the socket after HTTP keeps it.
    pub(crate) place: Option<Arc<OwnedSemaphorePermit>>,
}

/// What every accepted connection needs.
pub(crate) struct Acceptor<'g> {
    router: Router,
    door: Option<Door>,
    protocol: Arc<auto::Builder<PacedExecutor>>,
    tls: Option<Arc<Tls>>,
    graceful: &'g GracefulShutdown,
    places: Arc<Semaphore>,
    /// Whoever has not asked for anything yet goes when the accepting ends.
    accepting: CancellationToken,
}

impl Drop for Acceptor<'_> {
    fn drop(&mut self) {
        self.accepting.cancel();
    }
}

impl<'g> Acceptor<'g> {
    /// Answers with `router`, and at the `door` who need not come so far, on at most `connections` at once.
    pub(crate) fn new(
        router: Router,
        door: Option<Door>,
        connections: usize,
        tls: Option<Arc<Tls>>,
        graceful: &'g GracefulShutdown,
    ) -> Self {
        let places = Arc::new(Semaphore::new(connections.clamp(1, limits::CONNECTIONS)));
        let accepting = CancellationToken::new();
        Self { router, door, protocol: Arc::new(protocol()), tls, graceful, places, accepting }
    }

    pub(crate) async fn accept(&self, listener: TcpListener) {
        loop {
            // With every place taken, the next ones wait in the kernel's queue.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((socket, peer)) => self.serve(socket, peer, place),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn serve(&self, socket: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was not set");
        }
        let connection = Connection {
            peer: peer.ip().to_canonical(),
            tls: self.tls.is_some(),
            place: Some(Arc::new(place)),
        };
        let arrival = Arrival {
            door: self.door.clone(),
            accepting: self.accepting.clone(),
            http: Http {
                router: self.router.clone(),
                protocol: Arc::clone(&self.protocol),
                watcher: self.graceful.watcher(),
                connection,
            },
        };
        // On the heap while it runs: what an arrival needs, an idle connection does not hold.
        let arriving: BoxFuture<'static, Option<BoxFuture<'static, ()>>> = if let Some(tls) = &self.tls {
            Box::pin(arrival.encrypted(Arc::clone(tls), socket))
        } else {
            let stream = Tcp::new(socket);
            let handle = stream.handle();
            Box::pin(arrival.received(Guarded::new(stream), Some(handle)))
        };
        tokio::spawn(async move {
            if let Some(staying) = arriving.await {
                staying.await;
            }
        });
    }
}

/// A connection that nobody knows yet.
struct Arrival {
    door: Option<Door>,
    accepting: CancellationToken,
    http: Http,
}

impl Arrival {
    async fn encrypted(self, tls: Arc<Tls>, socket: TcpStream) -> Option<BoxFuture<'static, ()>> {
        let handshake = self.accepting.run_until_cancelled(tls.accept(socket));
        let stream = handshake.await.flatten()?;
        self.received(stream, None).await
    }

    /// Finds out who it is. `None`: nobody any more. `handle`: where bytes can be written as they are.
    async fn received<S>(self, stream: S, handle: Option<Arc<TcpStream>>) -> Option<BoxFuture<'static, ()>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { door, accepting, http } = self;
        let stream = Prompt::new(stream);
        let Some(door) = door else { return Some(Box::pin(http.serve(stream, None))) };
        match door.look(stream, handle, http.connection.clone(), &accepting).await {
            Visitor::Guest(staying) => Some(staying),
            Visitor::Other(stream) => Some(Box::pin(http.serve(stream, Some(door)))),
            Visitor::Gone => None,
        }
    }
}

/// HTTP on one connection.
struct Http {
    router: Router,
    protocol: Arc<auto::Builder<PacedExecutor>>,
    watcher: Watcher,
    connection: Connection,
}

impl Http {
    async fn serve<S>(self, stream: S, door: Option<Door>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { router, protocol, watcher, connection } = self;
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(connection.clone());
            let answer = match &door {
                Some(door) if Door::is_command(&request) => {
                    Either::Left(Box::pin(door.command(request)).map(Ok))
                }
                _ => Either::Right(router.clone().oneshot(request)),
            };
            answer.map_ok(|response| response.map(paced))
        });
        let served = protocol.serve_connection_with_upgrades(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(served.into_owned()).await {
            tracing::debug!(%error, "a connection broke");
        }
    }
}

/// HTTP/1.1 and HTTP/2 on one port, every step of a request bounded.
pub(crate) fn protocol() -> auto::Builder<PacedExecutor> {
    let mut builder = auto::Builder::new(PacedExecutor);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEADER_TIMEOUT)
        .max_headers(limits::HEADER_LINES)
        .max_buf_size(limits::HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::HTTP2_STREAMS)
        .max_header_list_size(u32::try_from(limits::HEADER_BYTES).unwrap_or(u32::MAX))
        .max_send_buf_size(limits::HTTP2_SEND_BUFFER_BYTES)
        .keep_alive_interval(limits::HTTP2_KEEP_ALIVE)
        .keep_alive_timeout(limits::HTTP2_KEEP_ALIVE)
        .enable_connect_protocol();
    builder
}
