//! A client with the rules of the real one (`crates/client`) and little else: the chain of ways in,
//! `hello` counts as open, full jitter, `retry_ms` obeyed, the watchdog, resuming at its cursor.

use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use switchback_client::limits::{CHAIN, STABLE};
use switchback_client::{Transport, TransportPolicy};
use switchback_core::Cursor;
use switchback_core::limits as shared;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::frame::{Frame, message};
use crate::line::{Line, Lost, Target};
use crate::record::{Live, Record};

/// Best first.
const ALL: [Transport; 3] = [Transport::Websocket, Transport::Sse, Transport::Batch];

pub(crate) struct Lean {
    target: Target,
    policy: TransportPolicy,
    record: Record,
    line: Option<Line>,
    /// What won last.
    remembered: Option<Transport>,
    attempts: u32,
}

impl Lean {
    pub(crate) const fn new(target: Target, policy: TransportPolicy, record: Record) -> Self {
        Self { target, policy, record, line: None, remembered: None, attempts: 0 }
    }

    /// Stays connected for ever.
    pub(crate) async fn stay(&mut self) {
        loop {
            let lost = self.connect_once().await;
            self.line = None;
            {
                let mut record = self.record.lock();
                (record.live, record.lost) = (None, lost.why);
            }
            let wait = lost.after.unwrap_or_else(|| backoff(self.attempts));
            self.attempts = self.attempts.saturating_add(1);
            sleep(wait).await;
        }
    }

    /// Goes, in good order or as if its cable was pulled.
    pub(crate) async fn leave(&mut self, in_order: bool) {
        if let Some(line) = self.line.take()
            && in_order
        {
            line.close().await;
        }
        self.record.lock().live = None;
    }

    async fn connect_once(&mut self) -> Lost {
        let cursor = self.record.lock().cursor();
        let line = match self.open(cursor).await {
            Ok(line) => line,
            Err(lost) => {
                self.remembered = None;
                return lost;
            }
        };
        self.remembered = Some(line.transport);
        {
            let mut record = self.record.lock();
            record.lines += 1;
            if cursor.is_none() {
                record.begin(line.began);
            }
        }
        let since = Instant::now();
        let lost = self.read(line).await.err().unwrap_or_else(|| Lost::broken("the line ended"));
        if since.elapsed() >= STABLE {
            self.attempts = 0;
        }
        lost
    }

    /// The race for an open way in, as `crates/client` runs it.
    async fn open(&self, cursor: Option<Cursor>) -> Result<Line, Lost> {
        let ways: Vec<Transport> = match self.policy {
            TransportPolicy::Only(transport) => vec![transport],
            TransportPolicy::Auto => {
                ALL.into_iter().skip_while(|way| self.remembered.is_some_and(|best| *way != best)).collect()
            }
        };
        let deadline = Instant::now() + CHAIN;
        let mut attempts = FuturesUnordered::new();
        let mut lost = Lost::broken("nobody said hello in time");
        for way in ways {
            attempts.push(Line::open(&self.target, way, cursor).boxed());
            let until = patience(way).map_or(deadline, |patience| Instant::now() + patience);
            match timeout_at(until.min(deadline), attempts.next()).await {
                Ok(Some(Ok(line))) => return Ok(line),
                Ok(Some(Err(end))) if end.unreachable => return Err(end),
                Ok(Some(Err(error))) if lost.after.is_none() => lost = error,
                _ => {}
            }
        }
        while let Ok(Some(opened)) = timeout_at(deadline, attempts.next()).await {
            match opened {
                Ok(line) => return Ok(line),
                Err(error) if lost.after.is_none() => lost = error,
                Err(_) => {}
            }
        }
        Err(lost)
    }

    async fn read(&mut self, line: Line) -> Result<(), Lost> {
        let line = self.line.insert(line);
        loop {
            let watchdog = Duration::from_millis(shared::WATCHDOG_MS);
            let text = timeout(watchdog, pin!(line.next())).await;
            let text = text.map_err(|_| Lost::broken("nothing came for too long"))??;
            take(&self.record, &text, line)?;
        }
    }
}

/// Notes what a frame says.
pub(crate) fn take(record: &Record, text: &str, line: &Line) -> Result<(), Lost> {
    let frame = Frame::read(text).map_err(Lost::broken)?;
    let cursor =
        || -> Result<Cursor, Lost> { frame.cursor.unwrap_or_default().parse().map_err(Lost::broken) };
    let mut record = record.lock();
    match frame.kind {
        "ready" => {
            record.caught_up(cursor()?);
            let (transport, opened_at) = (line.transport, line.opened_at);
            record.live.get_or_insert_with(|| Live { transport, opened_at, ready_at: Instant::now() });
        }
        "heartbeat" => record.caught_up(cursor()?),
        "reset" => {
            record.fault(format!("told to start over: {}", frame.reason.unwrap_or_default()));
            record.begin(cursor()?);
        }
        "bye" => {
            let why = format!("bye: {}", frame.reason.unwrap_or_default());
            if frame.retry_ms.is_none() {
                record.fault(why.clone());
            }
            return Err(Lost { after: frame.retry_ms.map(Duration::from_millis), ..Lost::broken(why) });
        }
        kind => {
            let Some(seq) = frame.seq.filter(|_| kind != "ack") else { return Ok(()) };
            record.event(seq, frame.room, frame.n);
            if let ("message.posted", Some(room)) = (kind, frame.room) {
                record.newest = message(text).map(|id| (room, id));
            }
        }
    }
    Ok(())
}

fn patience(way: Transport) -> Option<Duration> {
    match way {
        Transport::Websocket => Some(Duration::from_millis(shared::HELLO_WEBSOCKET_MS)),
        Transport::Sse => Some(Duration::from_millis(shared::HELLO_SSE_MS)),
        Transport::Batch => None,
    }
}

/// Full jitter: anywhere between nothing and a step that doubles.
fn backoff(attempts: u32) -> Duration {
    let factor = 1_u64.checked_shl(attempts).unwrap_or(u64::MAX);
    let step = shared::RECONNECT_BASE_MS.saturating_mul(factor).min(shared::RECONNECT_MAX_MS);
    Duration::from_millis(step).mul_f64(rand::random())
}
