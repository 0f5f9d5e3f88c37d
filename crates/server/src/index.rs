//! Keeps the search index up with the log: a reader with a cursor of its own, which costs a post nothing.
//!
//! The doorbell wakes it; what comes within a moment is taken together, and after each page it rests for
//! longer than it has worked. A flood of messages has the processors to itself, and is indexed when it is over.
//! Somebody who searches does not wait for the moment. Writing down what is next is `storage`'s; with
//! several nodes on one database all offer to, and one at a time does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use switchback_core::Seq;
use switchback_storage::{Error, Indexed, Store};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::limits;

/// The index, for those who search and for those who look after it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    /// Somebody searches.
    hurry: Notify,
    reached: watch::Sender<Indexed>,
    messages: AtomicU64,
    failures: AtomicU64,
}

/// How the index is doing, for `/metrics`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct IndexStats {
    /// The log is indexed up to here.
    pub(crate) through: Seq,
    /// Events that are not, when that was last looked at.
    pub(crate) behind: u64,
    /// Messages that this process has written down.
    pub(crate) messages: u64,
    /// Pages that could not be.
    pub(crate) failures: u64,
}

impl Index {
    pub(crate) fn new(store: Store) -> Self {
        let nothing = Indexed { through: 0, head: 0, messages: 0, by_another: false };
        let (hurry, (messages, failures)) = (Notify::new(), Default::default());
        let shared = Shared { store, hurry, reached: watch::Sender::new(nothing), messages, failures };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn stats(&self) -> IndexStats {
        let Indexed { through, head, .. } = *self.shared.reached.borrow();
        IndexStats {
            through,
            behind: head.saturating_sub(through),
            messages: self.shared.messages.load(Ordering::Relaxed),
            failures: self.shared.failures.load(Ordering::Relaxed),
        }
    }

    /// Waits for the index to have come to where the log is now, if that is only a moment away.
    pub(crate) async fn catch_up(&self) -> Result<(), Error> {
        let head = self.shared.store.head().await?;
        let mut reached = self.shared.reached.subscribe();
        let through = reached.borrow().through;
        if through < head && head - through <= limits::SEARCH_WAIT_EVENTS {
            self.shared.hurry.notify_one();
            let there = reached.wait_for(|reached| reached.through >= head);
            // If it takes longer, the answer says that it is not complete.
            drop(tokio::time::timeout(limits::SEARCH_WAIT, there).await);
        }
        Ok(())
    }

    /// Takes the next page.
    pub(crate) async fn step(&self) -> Result<Indexed, Error> {
        match self.shared.store.index_next().await {
            Ok(indexed) => {
                self.shared.messages.fetch_add(indexed.messages, Ordering::Relaxed);
                self.shared.reached.send_replace(indexed);
                Ok(indexed)
            }
            Err(error) => {
                self.shared.failures.fetch_add(1, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// Follows the log until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.follow()).await;
    }

    async fn follow(self) {
        let mut doorbell = self.shared.store.doorbell();
        let mut poll = tokio::time::interval(limits::INDEX_POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = poll.tick() => {}
                () = self.shared.hurry.notified() => {}
                rung = doorbell.changed() => {
                    if rung.is_err() {
                        // The store is closed: nothing comes any more.
                        return;
                    }
                    self.rest(limits::INDEX_GATHER).await;
                }
            }
            self.catch_up_with_the_log().await;
            // What came meanwhile was taken along, or rings again.
            poll.reset();
        }
    }

    async fn catch_up_with_the_log(&self) {
        let (mut pause, mut told) = (limits::INDEX_RETRY_MIN, Told::default());
        let mut head_before = None;
        loop {
            let begun = Instant::now();
            match self.step().await {
                Ok(indexed) if indexed.through >= indexed.head => {
                    told.done(indexed);
                    return;
                }
                Ok(Indexed { by_another: true, .. }) => self.rest(limits::INDEX_ELSEWHERE).await,
                Ok(indexed) => {
                    told.how_far(indexed);
                    let before = head_before.replace(indexed.head).unwrap_or(indexed.head);
                    let grown = indexed.head.saturating_sub(before);
                    let is_flood = grown > limits::INDEX_FLOOD_EVENTS;
                    let rest = begun.elapsed() * limits::INDEX_RESTS;
                    tokio::time::sleep(if is_flood { limits::INDEX_FLOOD_REST } else { rest }).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the search index could not be extended; trying again");
                    tokio::time::sleep(pause).await;
                    pause = limits::INDEX_RETRY_MAX.min(pause * 2);
                }
            }
        }
    }

    /// Waits, unless somebody searches.
    async fn rest(&self, duration: Duration) {
        drop(tokio::time::timeout(duration, self.shared.hurry.notified()).await);
    }
}

/// What an operator has been told of an index that is far behind.
#[derive(Default)]
struct Told(Option<Instant>);

impl Told {
    fn how_far(&mut self, indexed: Indexed) {
        let Indexed { through, head, .. } = indexed;
        let is_due = match self.0 {
            None => head - through >= limits::INDEX_TOLD_EVENTS,
            Some(at) => at.elapsed() >= limits::INDEX_TOLD_EVERY,
        };
        if is_due {
            tracing::info!(through, head, "the search index is being made; what is in it is found meanwhile");
            self.0 = Some(Instant::now());
        }
    }

    fn done(&self, indexed: Indexed) {
        if self.0.is_some() {
            tracing::info!(through = indexed.through, "the search index is up to date");
        }
    }
}
