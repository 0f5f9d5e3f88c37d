//! How the line to the other nodes is, for `/readyz` and `/metrics`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counted as it happens.
#[derive(Debug)]
pub(crate) struct Status {
    home: &'static str,
    connected: AtomicBool,
    connects: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    dropped: AtomicU64,
}

/// A copy of what was counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BusStats {
    /// Whether the others can be heard. Always true where there can be no others.
    pub(crate) connected: bool,
    /// Times that a line was opened.
    pub(crate) connects: u64,
    /// Messages sent.
    pub(crate) sent: u64,
    /// Messages of other nodes received.
    pub(crate) received: u64,
    /// Frames that could not be sent: the line was away, or could not keep up.
    pub(crate) dropped: u64,
}

impl Status {
    /// Nobody is heard yet.
    pub(super) fn new(home: &'static str) -> Self {
        Self::with(home, false)
    }

    /// There is nobody to be heard.
    pub(super) fn in_process() -> Self {
        Self::with("in process", true)
    }

    fn with(home: &'static str, connected: bool) -> Self {
        let (connected, zero) = (AtomicBool::new(connected), AtomicU64::default);
        Self { home, connected, connects: zero(), sent: zero(), received: zero(), dropped: zero() }
    }

    /// What the bus is at home in.
    pub(crate) const fn home(&self) -> &'static str {
        self.home
    }

    /// The figures.
    pub(crate) fn stats(&self) -> BusStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        BusStats {
            connected: self.connected.load(Ordering::Relaxed),
            connects: read(&self.connects),
            sent: read(&self.sent),
            received: read(&self.received),
            dropped: read(&self.dropped),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    pub(super) fn up(&self) {
        self.connects.fetch_add(1, Ordering::Relaxed);
        self.connected.store(true, Ordering::Relaxed);
    }

    /// Returns whether it was up.
    pub(super) fn down(&self) -> bool {
        self.connected.swap(false, Ordering::Relaxed)
    }

    pub(super) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self, frames: usize) {
        self.dropped.fetch_add(u64::try_from(frames).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
