//! Password hashing off the async threads and bounded: it must not become a way to burn the
//! machine's processors or memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback_core::Password;
use switchback_core::wire::ErrorCode;
use tokio::sync::Semaphore;

use super::Refusal;
use crate::{limits, secrets};

/// How long somebody whose turn did not come is asked to wait.
const BUSY_RETRY_MS: u64 = 2_000;

pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Checked when there is no such account, so that the answer takes as long as for one that is.
    decoy: String,
}

impl Passwords {
    pub(super) fn new() -> Self {
        let decoy = Password::new(&secrets::new_secret().text).ok();
        let decoy = decoy.and_then(|password| secrets::hash_password(&password).ok()).unwrap_or_default();
        Self { turns: Arc::new(Semaphore::new(limits::HASHES_AT_ONCE)), waiting: AtomicUsize::new(0), decoy }
    }

    pub(super) async fn hash(&self, password: Password) -> Result<String, Refusal> {
        self.turn(move || secrets::hash_password(&password)).await?.map_err(|error| {
            tracing::error!(%error, "hashing failed");
            Refusal::new(ErrorCode::Internal, "the password could not be saved; the server's log says why")
        })
    }

    /// `hash`: the account's, if there is one.
    pub(super) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Refusal> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let matches = self.turn(move || secrets::verify_password(&password, &hash)).await?;
        Ok(matches && known)
    }

    async fn turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        let _place = Place::take(&self.waiting)
            .ok_or_else(|| Refusal::rate_limited("too many people sign in at once", BUSY_RETRY_MS))?;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        // The turn moves into the thread: a caller that goes away does not free it before it is done.
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "hashing ended early");
            Refusal::new(ErrorCode::Internal, "the server could not check the password")
        })
    }
}

/// One of the places in front of the hashing, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let most = limits::HASHES_AT_ONCE + limits::HASHES_WAITING;
        let taken = waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < most).then_some(count + 1));
        taken.ok().map(|_| Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
