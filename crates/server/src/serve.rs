//! The server's life: bind, serve, stop in good order.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hyper_util::server::graceful::GracefulShutdown;
use switchback_storage::Store;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::accept::Acceptor;
use crate::app::App;
use crate::bus::{Bus, Lines};
use crate::chat::Chat;
use crate::door::Door;
use crate::hub::{Hub, Tail};
use crate::metrics::Metrics;
use crate::ops::{Ops, Refusal};
use crate::tls::{Tls, TlsError, TlsReload};
use crate::{Config, http, limits, text};

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, not ours, or needs more rights.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The database could not be read or written.
    #[error("cannot start on this database: {0}")]
    Storage(#[from] Refusal),
    /// Certificate and key cannot be used.
    #[error("cannot start with TLS: {0}")]
    Tls(#[from] TlsError),
}

/// A part of the server broke, which is a defect of ours; the log says more.
#[derive(Debug, thiserror::Error)]
#[error("a part of the server broke: {0}")]
pub struct Broken(String);

/// A server that listens and does not serve yet.
pub struct Server {
    app: App,
    listener: TcpListener,
    address: SocketAddr,
    setup_url: Option<String>,
    store: Store,
    tls: Option<Arc<Tls>>,
    tail: Tail,
    lines: Lines,
}

impl Server {
    /// Binds the address and prepares everything; connections wait until [`Server::run`].
    pub async fn bind(config: Config, store: Store) -> Result<Self, StartError> {
        let tls = match config.tls.clone() {
            Some(files) => Some(Arc::new(Tls::new(files).await?)),
            None => None,
        };
        let listen = |source| StartError::Listen { address: config.listen, source };
        let listener = listener(config.listen).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let hub = Hub::open(store.clone(), config.ring_events).await.map_err(Refusal::from)?;
        let hub = Arc::new(hub);
        let (rings, rung) = mpsc::channel(limits::BUS_RINGS);
        let (bus, lines) = Bus::new(&config.bus, Arc::clone(&hub), rings);
        let ops = Ops::new(store.clone(), bus.clone(), &config);
        let metrics = Arc::new(Metrics::new());
        let tail = Tail::new(Arc::clone(&hub), Arc::clone(&metrics), rung, Arc::new(bus));
        let app = App { ops, chat: Chat::new(hub), config: Arc::new(config), metrics };
        let secret = app.ops.new_setup_secret().await?;
        let base_url = base_url(&app.config, address);
        let setup_url = secret.map(|secret| format!("{base_url}/setup/{secret}"));
        Ok(Self { app, listener, address, setup_url, store, tls, tail, lines })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The address to open in a browser, without a slash at its end.
    pub fn base_url(&self) -> String {
        base_url(&self.app.config, self.address)
    }

    /// Has the certificate and key read again; `None` without TLS.
    pub fn tls_reload(&self) -> Option<TlsReload> {
        self.tls.clone().map(TlsReload)
    }

    /// The one-time address at which the owner's account is made; `None` once there is an owner.
    pub fn setup_url(&self) -> Option<&str> {
        self.setup_url.as_deref()
    }

    /// Serves until `stop`, then ends in good order: nothing new is accepted, every connection is
    /// told when to come back, and what is under way may finish for `Config::drain`. The store is
    /// closed at the end. It ends in the same way, and with an error, when a part of it breaks without which
    /// people would wait for what never comes: whoever has started it can start it again.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), Broken> {
        let background = CancellationToken::new();
        let mut parts = JoinSet::new();
        parts.spawn(self.tail.run(background.clone()));
        let (lines, stopping) = (self.lines, background.clone());
        parts.spawn(async move {
            lines.run(stopping.clone()).await;
            // A server that is alone has none.
            stopping.cancelled().await;
        });
        let (hub, stop_beating) = (Arc::clone(self.app.chat.hub()), background.clone());
        parts.spawn(async move {
            let _ = stop_beating.run_until_cancelled(hub.beat()).await;
        });
        let indexing = tokio::spawn(self.app.ops.index().clone().run(background.clone()));
        let tidying = tokio::spawn(tidy(self.app.ops.clone(), background.clone()));
        // Grammars and files are loaded before somebody waits for them.
        drop(tokio::task::spawn_blocking(|| {
            text::warm_up();
            http::warm_up();
        }));
        let graceful = GracefulShutdown::new();
        let broken = {
            // Dropped before the stop goes on: whoever is not accepted yet is refused at once.
            let router = http::router(self.app.clone());
            let (door, connections) = (Door::new(self.app.clone()), self.app.config.connections);
            let acceptor = Acceptor::new(router, Some(door), connections, self.tls, &graceful);
            tokio::select! {
                () = acceptor.accept(self.listener) => None,
                () = stop => None,
                broken = broken(&mut parts) => Some(broken),
            }
        };
        let deadline = Instant::now() + self.app.config.drain.min(limits::DRAIN_MAX);
        self.app.chat.drain();
        let drained = async { tokio::join!(graceful.shutdown(), self.app.chat.drained()) };
        if tokio::time::timeout_at(deadline, drained).await.is_err() {
            tracing::warn!("some connections did not end in time and are cut off");
        }
        background.cancel();
        let mut rest = vec![indexing.await, tidying.await];
        while let Some(ended) = parts.join_next().await {
            rest.push(ended);
        }
        for error in rest.into_iter().filter_map(Result::err) {
            tracing::error!(%error, "a background task ended early");
        }
        self.app.ops.tidy().await;
        self.store.close().await;
        broken.map_or(Ok(()), Err)
    }
}

/// Waits until a part of the server ends, which none should do before it is told to.
async fn broken(parts: &mut JoinSet<()>) -> Broken {
    let why = match parts.join_next().await {
        Some(Err(error)) => error.to_string(),
        // The tail ends when the writer does.
        Some(Ok(())) => "nothing is written or told any more".to_owned(),
        None => return std::future::pending().await,
    };
    tracing::error!(why, "a part of the server broke: it stops");
    Broken(why)
}

async fn tidy(ops: Ops, stop: CancellationToken) {
    let mut every = tokio::time::interval(limits::TOUCH_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => ops.tidy().await,
        }
    }
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restarted server must not wait for the old one's connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(limits::ACCEPT_BACKLOG)
}

fn base_url(config: &Config, address: SocketAddr) -> String {
    if let Some(url) = &config.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let ip = match address.ip() {
        // Not an address that a browser can open.
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[expect(clippy::panic, reason = "what is to be noticed")]
    async fn a_part_that_breaks_or_ends_is_noticed() {
        let mut parts = JoinSet::new();
        parts.spawn(std::future::pending());
        let (break_it, breaking) = tokio::sync::oneshot::channel::<()>();
        parts.spawn(async {
            assert!(breaking.await.is_err());
            panic!("on purpose");
        });
        let mut noticing = std::pin::pin!(broken(&mut parts));
        let early = tokio::time::timeout(std::time::Duration::from_millis(20), &mut noticing).await;
        assert!(early.is_err(), "nothing is broken yet");
        drop(break_it);
        assert!(noticing.await.to_string().contains("on purpose"));
        let mut parts = JoinSet::new();
        parts.spawn(std::future::ready(()));
        assert!(broken(&mut parts).await.to_string().contains("nothing is written"));
    }
}
