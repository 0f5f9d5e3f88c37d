//! Holds open connections against the database: whose session or token has ended is sent away.
//!
//! A revocation that another node tells of is looked up here, and everybody is looked up now and
//! then in any case, because the news may be lost. It has a loop of its own, so that a database
//! that is slow to answer does not keep a node from hearing the others.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use switchback_core::UserId;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::hub::Hub;
use crate::limits;

/// Cheap to ask; the asking is gathered while a look is under way.
pub(crate) struct Recheck {
    hub: Arc<Hub>,
    asked: Mutex<Asked>,
    ring: Notify,
}

/// Whom to look up.
#[derive(Default)]
struct Asked {
    everybody: bool,
    users: HashSet<UserId>,
}

impl Recheck {
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, asked: Mutex::default(), ring: Notify::new() }
    }

    /// Look everybody up.
    pub(super) fn everybody(&self) {
        self.asked().everybody = true;
        self.ring.notify_one();
    }

    /// Look this person up.
    pub(super) fn user(&self, user: UserId) {
        self.asked().users.insert(user);
        self.ring.notify_one();
    }

    /// Does what is asked, and looks everybody up when nobody has asked for as long as `every` says.
    pub(super) async fn run(&self, every: impl Fn() -> Duration) -> Infallible {
        let mut next = Instant::now() + every();
        loop {
            tokio::select! {
                () = self.ring.notified() => {}
                () = tokio::time::sleep_until(next) => self.asked().everybody = true,
            }
            let asked = std::mem::take(&mut *self.asked());
            let users = (!asked.everybody).then_some(&asked.users);
            if let Err(error) = self.end_connections(users).await {
                tracing::warn!(%error, "sessions could not be looked up; trying again");
                next = Instant::now() + limits::RECHECK_WITHOUT_BUS;
            } else if asked.everybody {
                next = Instant::now() + every();
            }
        }
    }

    async fn end_connections(
        &self,
        users: Option<&HashSet<UserId>>,
    ) -> Result<(), switchback_storage::Error> {
        for (user, credential) in self.hub.ended(users).await? {
            self.hub.revoked(user, credential);
        }
        Ok(())
    }

    fn asked(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
