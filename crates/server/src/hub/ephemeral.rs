//! Frames that the log does not keep: typing and presence. The newest stay in memory for a moment,
//! each with a position of its own, so that a connection reads on from where it was (and a batch
//! client from where its last answer ended), as it does in the log. Who was away too long is told
//! everybody's presence anew instead.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use switchback_core::{RoomId, UserId};

use crate::limits;
use crate::log::Frame;

/// An ephemeral frame.
#[derive(Debug)]
pub(super) struct Passing {
    /// For those in this room; `None`: for all.
    pub(super) room: Option<RoomId>,
    /// Not for the one who caused it.
    pub(super) from: Option<UserId>,
    pub(super) frame: Arc<Frame>,
}

#[derive(Debug, Default)]
pub(super) struct Ephemeral {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    frames: VecDeque<Passing>,
    /// Position of the newest frame.
    head: u64,
}

impl Ephemeral {
    /// Goes on after `head`: a restarted server must not repeat positions that clients remember.
    pub(super) fn new(head: u64) -> Self {
        Self { inner: RwLock::new(Inner { frames: VecDeque::new(), head }) }
    }

    pub(super) fn head(&self) -> u64 {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).head
    }

    pub(super) fn push(&self, passing: Passing) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.head += 1;
        inner.frames.push_back(passing);
        if inner.frames.len() > limits::EPHEMERAL_FRAMES {
            inner.frames.pop_front();
        }
    }

    /// Shows what came after `seen`. Returns the new position, and whether something was missed.
    pub(super) fn read(&self, seen: u64, mut show: impl FnMut(&Passing)) -> (u64, bool) {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let kept = u64::try_from(inner.frames.len()).unwrap_or(u64::MAX);
        let oldest = inner.head - kept;
        if seen < oldest || seen > inner.head {
            return (inner.head, true);
        }
        let skip = usize::try_from(seen - oldest).unwrap_or(usize::MAX);
        inner.frames.iter().skip(skip).for_each(&mut show);
        (inner.head, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchback_core::wire::ServerFrame;

    fn passing() -> Passing {
        let frame = Frame::server(&ServerFrame::Presence { full: false, changes: Vec::new() });
        Passing { room: None, from: None, frame }
    }

    fn count(ephemeral: &Ephemeral, seen: u64) -> (usize, u64, bool) {
        let mut shown = 0;
        let (head, missed) = ephemeral.read(seen, |_| shown += 1);
        (shown, head, missed)
    }

    #[test]
    fn a_reader_goes_on_from_where_it_was_or_learns_that_it_missed_something() {
        let ephemeral = Ephemeral::new(7);
        ephemeral.push(passing());
        ephemeral.push(passing());
        assert_eq!(count(&ephemeral, 7), (2, 9, false));
        assert_eq!(count(&ephemeral, 8), (1, 9, false));
        assert_eq!(count(&ephemeral, 9), (0, 9, false));
        assert_eq!(count(&ephemeral, 6), (0, 9, true), "older than what is kept");
        assert_eq!(count(&ephemeral, 10), (0, 9, true), "from before a restart");
    }

    #[test]
    fn only_the_newest_are_kept() {
        let ephemeral = Ephemeral::new(0);
        for _ in 0..=limits::EPHEMERAL_FRAMES {
            ephemeral.push(passing());
        }
        assert!(count(&ephemeral, 0).2);
        assert_eq!(count(&ephemeral, 1), (limits::EPHEMERAL_FRAMES, ephemeral.head(), false));
    }
}
