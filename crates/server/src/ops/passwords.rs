//! Password hashing off the async threads and bounded: it must not become a way to burn the
//! machine's processors or memory.
//!
//! It has threads of its own, as many as may hash at once. On the runtime's pool each of its many
//! threads would sooner or later keep a hash's memory for itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;

use switchback_core::Password;
use switchback_core::wire::ErrorCode;
use tokio::sync::oneshot;

use super::Refusal;
use crate::secrets::Hasher;
use crate::{limits, secrets};

/// How long somebody whose turn did not come is asked to wait.
const BUSY_RETRY_MS: u64 = 2_000;

type Work = Box<dyn FnOnce(&mut Hasher) + Send>;

pub(super) struct Passwords {
    /// The threads end when it is dropped.
    queue: SyncSender<Work>,
}

/// Checked when there is no such account, so that the answer takes as long as for one that is. One does
/// for the process.
static DECOY: LazyLock<String> = LazyLock::new(|| secrets::nobodys_hash().unwrap_or_default());

impl Passwords {
    pub(super) fn new() -> Self {
        let (queue, waiting) = sync_channel(limits::HASHES_WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..limits::HASHES_AT_ONCE {
            let waiting = Arc::clone(&waiting);
            thread::spawn(move || work(&waiting));
        }
        Self { queue }
    }

    pub(super) async fn hash(&self, password: Password) -> Result<String, Refusal> {
        self.turn(move |hasher| hasher.hash(&password)).await?.map_err(|error| {
            tracing::error!(%error, "hashing failed");
            Refusal::new(ErrorCode::Internal, "the password could not be saved; the server's log says why")
        })
    }

    /// `hash`: the account's, if there is one.
    pub(super) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Refusal> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| DECOY.clone());
        let matches = self.turn(move |hasher| hasher.verify(&password, &hash)).await?;
        Ok(matches && known)
    }

    async fn turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (reply, done) = oneshot::channel();
        let work = move |hasher: &mut Hasher| {
            // A caller that went away while it waited gets no work done.
            if !reply.is_closed() {
                drop(reply.send(work(hasher)));
            }
        };
        self.queue.try_send(Box::new(work)).map_err(|error| match error {
            TrySendError::Full(_) => Refusal::rate_limited("too many people sign in at once", BUSY_RETRY_MS),
            TrySendError::Disconnected(_) => broken(),
        })?;
        done.await.map_err(|_| broken())
    }
}

/// What one thread does until nobody can ask any more.
fn work(waiting: &Mutex<Receiver<Work>>) {
    let mut hasher = Hasher::default();
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        // A defect must not take the thread from everybody; its caller hears of it.
        if catch_unwind(AssertUnwindSafe(|| work(&mut hasher))).is_err() {
            tracing::error!("hashing ended early");
        }
    }
}

fn broken() -> Refusal {
    Refusal::new(ErrorCode::Internal, "the server could not check the password")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn all_work_is_done_by_the_same_few_threads_and_a_panic_takes_none_of_them() {
        let passwords = Passwords::new();
        for _ in 0..limits::HASHES_AT_ONCE {
            let panicked = passwords.turn::<()>(|_| panic!("a defect")).await;
            assert_eq!(panicked.unwrap_err().code(), ErrorCode::Internal);
        }
        let turns = (0..20).map(|_| passwords.turn(|_| thread::current().id()));
        let threads: HashSet<_> = join_all(turns).await.into_iter().map(Result::unwrap).collect();
        assert!(threads.len() <= limits::HASHES_AT_ONCE, "{threads:?}");
    }

    #[tokio::test]
    async fn whoever_would_wait_too_long_is_told_when_to_come_back() {
        let passwords = Passwords::new();
        let barrier = Arc::new(Barrier::new(limits::HASHES_AT_ONCE + 1));
        let held = |_| {
            let barriers = (Arc::clone(&barrier), Arc::clone(&barrier));
            passwords.turn(move |_| {
                barriers.0.wait();
                barriers.1.wait();
            })
        };
        let mut holding: Vec<_> = (0..limits::HASHES_AT_ONCE).map(|turn| Box::pin(held(turn))).collect();
        for turn in &mut holding {
            assert!(futures_util::poll!(turn).is_pending());
        }
        barrier.wait();
        let waiting: Vec<_> = (0..limits::HASHES_WAITING).map(|_| Box::pin(passwords.turn(|_| ()))).collect();
        let mut waiting = join_all(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        let refused = passwords.turn(|_| ()).await.unwrap_err();
        assert_eq!((refused.code(), refused.0.retry_after_ms), (ErrorCode::RateLimited, Some(BUSY_RETRY_MS)));
        barrier.wait();
        assert!(waiting.await.iter().all(Result::is_ok));
    }
}
