//! What was committed a moment ago, on its way to whoever follows the log in this process, and the answers to
//! those who wrote it.
//!
//! A follower who is at rest gets both, makes the events visible, and gives the answers: so a post's answer finds
//! its event visible, and the two go out together. To the runtime that is one task woken after the other, where two
//! woken at once would wake another processor for the second. Who does anything else first, or does not follow,
//! is not waited for: the writer answers by itself.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Write;
use crate::{LoggedEvent, limits, turn};

/// Between the writer and the follower.
#[derive(Debug, Default)]
pub(super) struct Fresh(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    follower: Standing,
    /// Bounded by `limits::FRESH_EVENTS`.
    events: Vec<LoggedEvent>,
    /// Of what was committed while the follower was at rest, which is one group.
    answers: Answers,
}

/// How the follower stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Standing {
    #[default]
    Absent,
    Busy,
    AtRest,
}

/// Answers to operations that are on disk. They are given when this is dropped.
#[derive(Default)]
pub struct Answers(pub(super) Vec<Write>);

impl Answers {
    /// Whether nobody waits for any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        for write in self.0.drain(..) {
            write.answer(Ok(()));
        }
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answers({})", self.0.len())
    }
}

impl Fresh {
    /// Before the doorbell rings. Returns the answers that the writer gives, after it has rung.
    pub(super) fn put(&self, told: Vec<LoggedEvent>, answers: Answers) -> Answers {
        let mut waiting = self.lock();
        // The events of read marks are read from the log.
        if waiting.follower == Standing::Absent || told.is_empty() {
            return answers;
        }
        if waiting.events.len() + told.len() > limits::FRESH_EVENTS {
            // Whoever follows is far behind, and the database is the truth.
            waiting.events.clear();
        } else if waiting.events.is_empty() {
            waiting.events = told;
        } else {
            waiting.events.extend(told);
        }
        if waiting.follower == Standing::AtRest {
            waiting.follower = Standing::Busy;
            waiting.answers = answers;
            return Answers::default();
        }
        answers
    }

    /// Held for an instant, never across an `await`.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever follows the log in this process. Dropped, nobody does.
#[derive(Debug)]
pub struct Follower(Arc<Fresh>);

impl Follower {
    pub(super) fn of(fresh: &Arc<Fresh>) -> Self {
        fresh.lock().follower = Standing::Busy;
        Self(Arc::clone(fresh))
    }

    /// Says that the doorbell is waited for, and will be heeded at once.
    pub fn rest(&self) {
        // A schedule has the answer arrive before or after the event is visible, as it decides.
        if !turn::is_scheduled() {
            self.0.lock().follower = Standing::AtRest;
        }
    }

    /// Says that something else comes first. Who waits for an answer gets it now.
    pub fn busy(&self) {
        drop(self.set(Standing::Busy));
    }

    /// Events that this process has committed since the last call, those that are known without a look at
    /// the database, and answers that are to be given once they are visible. Not all events, and perhaps with
    /// gaps: whoever follows the log takes what goes on where they stand, and reads the rest.
    #[must_use]
    pub fn take(&self) -> (Vec<LoggedEvent>, Answers) {
        let mut waiting = self.0.lock();
        waiting.follower = Standing::Busy;
        (std::mem::take(&mut waiting.events), std::mem::take(&mut waiting.answers))
    }

    /// Returns the answers, which are given outside of the lock.
    fn set(&self, standing: Standing) -> Answers {
        let mut waiting = self.0.lock();
        waiting.follower = standing;
        if standing == Standing::Absent {
            waiting.events.clear();
        }
        std::mem::take(&mut waiting.answers)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        drop(self.set(Standing::Absent));
    }
}
