//! One live connection, as the hub knows it: how to wake it, and whether it must end.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use socket2::SockRef;
use switchback_core::wire::{ByeReason, Transport};
use switchback_core::{Seq, SessionId, close};
use switchback_storage::Credential;
use tokio::net::TcpStream;

use super::Viewer;
use rand::RngExt as _;

use super::lane::{Lane, Lent, Selection};
use crate::limits;
use crate::log::{Entry, Frame};

/// Why and how a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Goodbye {
    /// Why.
    pub reason: ByeReason,
    /// When to come back; `None`: not by oneself.
    pub retry_ms: Option<u64>,
}

impl Goodbye {
    /// For good.
    pub(crate) const fn forever(reason: ByeReason) -> Self {
        Self { reason, retry_ms: None }
    }

    /// The WebSocket close code that goes with it (RFC 6455 7.4).
    pub(crate) const fn close_code(self) -> u16 {
        match self.reason {
            ByeReason::GoingAway => close::GOING_AWAY,
            ByeReason::SignedOut | ByeReason::Deactivated | ByeReason::TooManyConnections => {
                close::POLICY_VIOLATION
            }
            ByeReason::NoProgress => close::NO_PROGRESS,
            ByeReason::BadCommandStream => close::BAD_COMMAND_STREAM,
            ByeReason::TooBig => close::MESSAGE_TOO_BIG,
            ByeReason::Unsupported => close::UNSUPPORTED_DATA,
        }
    }
}

/// Each is given a time of its own to come back, spread over longer the more there are.
pub(super) fn going_away(connections: usize) -> Goodbye {
    let connections = u64::try_from(connections).unwrap_or(u64::MAX);
    let spread =
        connections.saturating_mul(limits::BYE_RETRY_PER_SESSION_MS).max(limits::BYE_RETRY_SPREAD_MS);
    let latest = (limits::BYE_RETRY_MIN_MS + spread).min(limits::BYE_RETRY_MAX_MS);
    let retry_ms = rand::rng().random_range(limits::BYE_RETRY_MIN_MS..=latest);
    Goodbye { reason: ByeReason::GoingAway, retry_ms: Some(retry_ms) }
}

/// One live connection. One task serves it, and waits here for something to do.
#[derive(Debug)]
pub(crate) struct Session {
    /// Names the connection, for logs and support.
    pub id: SessionId,
    /// By what it was let in.
    pub credential: Credential,
    /// How it is framed.
    pub transport: Transport,
    /// Whose it is and what they may see.
    pub viewer: Arc<Viewer>,
    /// When in each round of heartbeats it is its turn.
    pub(super) beat: usize,
    beat_due: AtomicBool,
    goodbye: OnceLock<Goodbye>,
    /// There may be something new.
    rung: AtomicBool,
    waiting: AtomicWaker,
    lane: Lane,
    /// See [`Session::place`].
    placed_for: AtomicU64,
    place: AtomicUsize,
}

impl Session {
    pub(super) fn new(
        id: SessionId,
        credential: Credential,
        transport: Transport,
        viewer: Arc<Viewer>,
        beat: usize,
    ) -> Self {
        let (goodbye, waiting) = (OnceLock::new(), AtomicWaker::new());
        let (beat_due, rung) = (AtomicBool::new(false), AtomicBool::new(false));
        let (lane, placed_for, place) = (Lane::default(), AtomicU64::new(0), AtomicUsize::new(0));
        Self {
            id,
            credential,
            transport,
            viewer,
            beat,
            beat_due,
            goodbye,
            rung,
            waiting,
            lane,
            placed_for,
            place,
        }
    }

    /// There may be something new. Never lost: a wake-up before the wait ends the wait at once.
    /// Who was woken and has not looked yet is not woken again.
    pub(crate) fn wake(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.waiting.wake();
        }
    }

    /// This stream can be written to by the hub as well, while it is lent.
    pub(crate) fn open_lane(&self, stream: Arc<TcpStream>) {
        self.lane.open(stream);
    }

    /// Lends the hub the stream, to go on from `cursor`. For the connection's own task alone, before it waits.
    pub(crate) fn lend(&self, cursor: Seq) {
        self.lane.lend(cursor);
    }

    /// Takes back what was lent. For the connection's own task alone, before anything else it does.
    pub(crate) fn take_back(&self) -> Option<Lent> {
        self.lane.take_back()
    }

    /// Where it is written to directly: not who was woken and has not looked yet, and not every stream.
    pub(super) fn socket(&self) -> Option<SockRef<'_>> {
        if self.rung.load(Ordering::Acquire) { None } else { self.lane.socket() }
    }

    /// Writes to its socket what of the log's newest events is for it, if the connection is idle and that is
    /// all there is to do. Otherwise it must be woken. `is_as_indexed`: its person may see them all.
    ///
    /// What lies between its cursor and these events was published while it was lent, or before: had any
    /// of it been for this connection, it would have been written or the connection been woken, and who
    /// was woken and has not looked yet is not written to here.
    pub(super) fn deliver(
        &self,
        socket: &SockRef<'_>,
        entries: &[Arc<Entry>],
        theirs: Selection,
        is_as_indexed: bool,
    ) -> bool {
        if self.rung.load(Ordering::Acquire) || self.goodbye.get().is_some() {
            return false;
        }
        self.lane.write(socket, |cursor, messages| {
            let new = theirs.of(entries).filter(|entry| entry.seq > cursor);
            if is_as_indexed {
                new.for_each(|entry| messages.push(self.framed(&entry.frame)));
            } else {
                let sight = self.viewer.sight();
                new.filter(|entry| sight.sees(entry.seq, entry.audience))
                    .for_each(|entry| messages.push(self.framed(sight.frame(entry))));
            }
            cursor.max(entries.last().map_or(cursor, |entry| entry.seq))
        })
    }

    /// Its place in a list that is made for this head of the log: the one that it has, or this one.
    pub(super) fn place(&self, head: Seq, next: usize) -> usize {
        if self.placed_for.swap(head, Ordering::Relaxed) != head {
            self.place.store(next, Ordering::Relaxed);
        }
        self.place.load(Ordering::Relaxed)
    }

    /// A frame as it goes over a connection that it has for itself.
    fn framed<'f>(&self, frame: &'f Frame) -> &'f Bytes {
        match self.transport {
            Transport::Websocket => &frame.message,
            Transport::Sse | Transport::Batch => frame.chunk(),
        }
    }

    /// Waits for the next wake-up. For the connection's own task alone.
    pub(crate) fn poll_woken(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_rung() {
            return Poll::Ready(());
        }
        self.waiting.register(cx.waker());
        // It may have rung between the look and the registration.
        if self.has_rung() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn has_rung(&self) -> bool {
        // Most looks find nothing, and a look that only reads leaves the memory shared.
        self.rung.load(Ordering::Acquire) && self.rung.swap(false, Ordering::AcqRel)
    }

    /// It is time for a heartbeat.
    pub(super) fn beat(&self) {
        self.beat_due.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Whether it is time for a heartbeat; asked once, answered once.
    pub(crate) fn takes_beat(&self) -> bool {
        self.beat_due.load(Ordering::Relaxed) && self.beat_due.swap(false, Ordering::Relaxed)
    }

    /// Ends the connection; the first reason stays.
    pub(crate) fn end(&self, goodbye: Goodbye) {
        // A second reason is dropped on purpose.
        self.goodbye.get_or_init(|| goodbye);
        self.wake();
    }

    /// Why it must end, if it must.
    pub(crate) fn goodbye(&self) -> Option<Goodbye> {
        self.goodbye.get().copied()
    }
}
