//! The one reader of the log's end: after each commit it encodes the new events once, brings
//! memberships up to date, makes the events visible, and wakes whom they concern.

use std::collections::HashSet;
use std::sync::Arc;

use switchback_core::UserId;
use switchback_storage::{Error, LoggedEvent};
use tokio_util::sync::CancellationToken;

use super::Hub;
use crate::bus::Signal;
use crate::limits;
use crate::log::Entry;
use crate::metrics::Metrics;

/// Follows the log's end until it is told to stop.
pub(crate) struct Tail {
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
}

impl Tail {
    /// Follows this hub's store.
    pub(crate) fn new(hub: Arc<Hub>, metrics: Arc<Metrics>) -> Self {
        Self { hub, metrics }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut doorbell = self.hub.store.doorbell();
        let mut poll = tokio::time::interval(limits::HEAD_POLL);
        let mut presence = tokio::time::interval(limits::PRESENCE_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                // The store is closed: nothing comes any more.
                rung = doorbell.changed() => if rung.is_err() { return },
                _ = poll.tick() => {}
                _ = presence.tick() => {
                    self.hub.tick();
                    continue;
                }
            }
            if let Err(error) = self.catch_up().await {
                tracing::warn!(%error, "the log cannot be read; trying again");
                tokio::time::sleep(limits::LOG_RETRY).await;
            }
        }
    }

    /// Reads to the end of the log.
    async fn catch_up(&self) -> Result<(), Error> {
        loop {
            let head = self.hub.ring.head();
            let page = self.hub.store.events_after(head, limits::LOG_PAGE_EVENTS).await?;
            if page.events.is_empty() {
                return Ok(());
            }
            self.take(page.events).await?;
        }
    }

    async fn take(&self, events: Vec<LoggedEvent>) -> Result<(), Error> {
        let epoch = self.hub.epoch();
        let entries: Vec<_> = events.into_iter().map(|event| Arc::new(Entry::new(event, epoch))).collect();
        let changed: HashSet<UserId> = entries.iter().filter_map(|entry| entry.member).collect();
        for user in changed {
            let person = self.hub.state().people.get(&user).map(|person| Arc::clone(&person.viewer));
            if let Some(viewer) = person {
                self.hub.load(&viewer).await?;
            }
        }
        let accounts: HashSet<UserId> = entries.iter().filter_map(|entry| entry.account).collect();
        let mut remaining = Vec::new();
        for user in accounts {
            // Another process (an admin command) may have ended sessions together with the change.
            if self.hub.is_connected(user) {
                remaining.push((user, self.hub.store.credentials(user).await?));
            }
        }
        self.metrics.published(entries.iter().map(|entry| entry.at));
        self.hub.publish(&entries);
        for (user, credentials) in remaining {
            self.hub.receive(Signal::Remaining { user, credentials });
        }
        Ok(())
    }
}
