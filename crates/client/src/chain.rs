//! The race for an open way in: WebSocket, an event stream beside it when no `hello` came in time,
//! then batches. The first `hello` wins and the others are dropped, which closes them.
//!
//! A way that failed starts the next one at once; one that is only slow keeps running beside it,
//! because a slow network should still end up with the best way it allows.

use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use switchback_core::Cursor;
use switchback_core::wire::Transport;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::client::{Timings, TransportPolicy};
use crate::http::Http;
use crate::transport::{Failure, Line};

/// Best first.
const ALL: [Transport; 3] = [Transport::Websocket, Transport::Sse, Transport::Batch];

/// Opens lines.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) http: Http,
    pub(crate) policy: TransportPolicy,
    pub(crate) timings: Timings,
}

type Attempt = BoxFuture<'static, (Transport, Result<Line, Failure>)>;

impl Chain {
    /// Opens the best way in that gets through; `remembered` won last time, so what is better than
    /// it is not tried.
    pub(crate) async fn open(
        &self,
        remembered: Option<Transport>,
        cursor: Option<Cursor>,
    ) -> Result<Line, Failure> {
        self.race(self.ways(remembered), cursor).await
    }

    /// These, in this order.
    async fn race(&self, ways: Vec<Transport>, cursor: Option<Cursor>) -> Result<Line, Failure> {
        let mut waiting = ways.into_iter();
        let mut attempts: FuturesUnordered<Attempt> = FuturesUnordered::new();
        let deadline = Instant::now() + self.timings.chain;
        let mut failure = Failure::broken("no way in was tried");
        // The way begun last, and when the one after it begins even if it has not failed.
        let mut latest = None;
        let mut next_start = Instant::now();
        loop {
            if Instant::now() >= next_start
                && let Some(transport) = waiting.next()
            {
                attempts.push(self.attempt(transport, cursor));
                latest = Some(transport);
                next_start = self.patience(transport).map_or(deadline, |patience| Instant::now() + patience);
            }
            match timeout_at(next_start.min(deadline), attempts.next()).await {
                Ok(Some((_, Ok(line)))) => return Ok(line),
                Ok(Some((_, Err(end @ (Failure::Stop(_) | Failure::Unreachable(_)))))) => return Err(end),
                Ok(Some((transport, Err(error)))) => {
                    tracing::debug!(?transport, ?error, "a way in does not get through");
                    failure = worse(failure, error);
                    if latest == Some(transport) {
                        next_start = Instant::now();
                    }
                }
                Ok(None) if waiting.len() == 0 => return Err(failure),
                Ok(None) => next_start = Instant::now(),
                Err(_) if Instant::now() >= deadline => return Err(worse(failure, self.silent())),
                Err(_) => {}
            }
        }
    }

    fn ways(&self, remembered: Option<Transport>) -> Vec<Transport> {
        match self.policy {
            TransportPolicy::Only(transport) => vec![transport],
            TransportPolicy::Auto => {
                ALL.into_iter().skip_while(|way| remembered.is_some_and(|best| *way != best)).collect()
            }
        }
    }

    /// How long this way has before the next one is started beside it.
    fn patience(&self, transport: Transport) -> Option<Duration> {
        match transport {
            Transport::Websocket => Some(self.timings.hello_websocket),
            Transport::Sse => Some(self.timings.hello_sse),
            Transport::Batch => None,
        }
    }

    fn attempt(&self, transport: Transport, cursor: Option<Cursor>) -> Attempt {
        let (http, wait_s) = (self.http.clone(), self.timings.batch_wait_s);
        async move { (transport, Line::open(http, transport, cursor, wait_s).await) }.boxed()
    }

    fn silent(&self) -> Failure {
        Failure::Broken(format!("nobody said hello within {} s", self.timings.chain.as_secs_f32()))
    }
}

/// Of two failures the one that says more about when to come back.
fn worse(old: Failure, new: Failure) -> Failure {
    if matches!(old, Failure::Later { .. }) { old } else { new }
}

/// While a lesser way is in use: looks for a better one now and then.
pub(crate) struct Probe {
    chain: Chain,
    /// Best first; none: there is nothing better.
    better: Vec<Transport>,
    at: Instant,
    /// Before this no WebSocket is tried.
    distrust_until: Instant,
    running: Option<BoxFuture<'static, Option<Line>>>,
}

impl Probe {
    /// For a line that has just opened. After a loss (`again`) the first look comes soon: the better
    /// ways may have failed only because the server was still away when it was their turn.
    pub(crate) fn new(chain: Chain, in_use: Transport, again: bool, distrust_until: Instant) -> Self {
        let better = match chain.policy {
            TransportPolicy::Only(_) => Vec::new(),
            TransportPolicy::Auto => ALL.into_iter().take_while(|way| *way != in_use).collect(),
        };
        let at = Instant::now() + if again { chain.timings.probe_soon } else { chain.timings.probe };
        Self { chain, better, at, distrust_until, running: None }
    }

    /// A better line, open at a cursor which was current a moment ago; never, if there is none to be
    /// had. Cancel-safe.
    pub(crate) async fn better(&mut self, cursor: Option<Cursor>) -> Line {
        if self.better.is_empty() {
            return std::future::pending().await;
        }
        loop {
            sleep_until(self.at).await;
            let trusted = Instant::now() >= self.distrust_until;
            let running = self.running.get_or_insert_with(|| {
                let mut ways = self.better.clone();
                ways.retain(|way| trusted || *way != Transport::Websocket);
                look(self.chain.clone(), ways, cursor)
            });
            let found = pin!(running).await;
            self.running = None;
            self.at = Instant::now() + self.chain.timings.probe;
            if let Some(line) = found {
                return line;
            }
        }
    }
}

fn look(chain: Chain, ways: Vec<Transport>, cursor: Option<Cursor>) -> BoxFuture<'static, Option<Line>> {
    async move { chain.race(ways, cursor).await.ok() }.boxed()
}
