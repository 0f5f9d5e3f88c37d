//! Frames that the log does not keep: typing and presence. The newest stay in memory for a moment,
//! each with a position of its own, so that a connection reads on from where it was (and a batch
//! client from where its last answer ended), as it does in the log. Who was away too long is told
//! everybody's presence anew instead.
//!
//! A batch client's next request may come to another node. So a position says when it was, which
//! means something everywhere, and which node says so. From another node's position on, what is
//! only true for a moment is left out, and the rest is told from a little earlier: clocks differ,
//! and being told twice how somebody is does no harm.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use switchback_core::{RoomId, UserId};

use crate::limits;
use crate::log::Frame;

/// Where a reader of these frames stands: milliseconds since [`EPOCH_MS`], then the node's tag.
/// Stays below 2^53 (what JSON's readers take for an integer) until 2094.
type Position = u64;

const TAG_BITS: u32 = 12;
const TAG_MASK: Position = (1 << TAG_BITS) - 1;
/// 2025-01-01T00:00:00Z in milliseconds since 1970.
const EPOCH_MS: u64 = 1_735_689_600_000;

/// An ephemeral frame.
#[derive(Debug)]
pub(super) struct Passing {
    /// For those in this room; `None`: for all.
    pub(super) room: Option<RoomId>,
    /// Not for the one who caused it.
    pub(super) from: Option<UserId>,
    pub(super) frame: Arc<Frame>,
}

impl Passing {
    /// Presence is true until something else is said; that somebody writes only for a moment.
    const fn is_lasting(&self) -> bool {
        self.room.is_none()
    }
}

#[derive(Debug)]
pub(super) struct Ephemeral {
    tag: Position,
    inner: RwLock<Inner>,
}

#[derive(Debug)]
struct Inner {
    frames: VecDeque<(Position, Passing)>,
    /// Position of the newest frame.
    head: Position,
    /// Everything after this is in memory.
    floor: Position,
}

impl Ephemeral {
    /// `node` tells this node, and this life of it, from others.
    pub(super) fn new(node: u64, since_1970: Duration) -> Self {
        let tag = node & TAG_MASK;
        let head = position(millis(since_1970), tag);
        Self { tag, inner: RwLock::new(Inner { frames: VecDeque::new(), head, floor: head }) }
    }

    pub(super) fn head(&self) -> Position {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).head
    }

    pub(super) fn push(&self, passing: Passing, since_1970: Duration) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        // Forward even if the clock goes back, and one for each frame.
        let next = position(millis(since_1970).max((inner.head >> TAG_BITS) + 1), self.tag);
        inner.head = next;
        inner.frames.push_back((next, passing));
        if inner.frames.len() > limits::EPHEMERAL_FRAMES
            && let Some((oldest, _)) = inner.frames.pop_front()
        {
            inner.floor = oldest;
        }
    }

    /// Shows what came after `seen`. Returns the new position, and whether something was missed.
    pub(super) fn read(&self, seen: Position, show: &mut dyn FnMut(&Passing)) -> (Position, bool) {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        if seen < inner.floor || seen > inner.head {
            return (inner.head, true);
        }
        inner.after(seen).for_each(|(_, passing)| show(passing));
        (inner.head, false)
    }

    /// Where a reader goes on who was told `seen` by whatever node, and whether something was missed
    /// that is still true. Shows what another node's reader may not know.
    pub(super) fn resume(&self, seen: Position, show: &mut dyn FnMut(&Passing)) -> (Position, bool) {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let is_own = seen & TAG_MASK == self.tag && (inner.floor..=inner.head).contains(&seen);
        if is_own {
            return (seen, false);
        }
        let slack = position(millis_of(limits::CLOCK_SKEW), 0);
        let from = seen.saturating_sub(slack);
        if from < inner.floor {
            return (inner.head, true);
        }
        inner.after(from).filter(|(_, passing)| passing.is_lasting()).for_each(|(_, passing)| show(passing));
        (inner.head, false)
    }
}

impl Inner {
    fn after(&self, seen: Position) -> impl Iterator<Item = &(Position, Passing)> {
        let known = self.frames.partition_point(|(position, _)| *position <= seen);
        self.frames.iter().skip(known)
    }
}

const fn position(ms: u64, tag: Position) -> Position {
    (ms << TAG_BITS) | tag
}

fn millis(since_1970: Duration) -> u64 {
    millis_of(since_1970).saturating_sub(EPOCH_MS)
}

fn millis_of(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchback_core::wire::ServerFrame;
    use uuid::Uuid;

    /// In 2026.
    const START: Duration = Duration::from_secs(1_780_000_000);

    fn passing(room: Option<RoomId>) -> Passing {
        let frame = Frame::server(&ServerFrame::Presence { full: false, changes: Vec::new() });
        Passing { room, from: None, frame }
    }

    fn count(ephemeral: &Ephemeral, seen: Position) -> (usize, Position, bool) {
        let mut shown = 0;
        let (head, missed) = ephemeral.read(seen, &mut |_| shown += 1);
        (shown, head, missed)
    }

    fn resumed(ephemeral: &Ephemeral, seen: Position) -> (usize, Position, bool) {
        let mut shown = 0;
        let (seen, missed) = ephemeral.resume(seen, &mut |_| shown += 1);
        (shown, seen, missed)
    }

    #[test]
    fn a_reader_goes_on_from_where_it_was_or_learns_that_it_missed_something() {
        let ephemeral = Ephemeral::new(1, START);
        let start = ephemeral.head();
        ephemeral.push(passing(None), START);
        let middle = ephemeral.head();
        ephemeral.push(passing(None), Duration::ZERO);
        let head = ephemeral.head();
        assert!(start < middle && middle < head && head < 1 << 53);
        assert_eq!(count(&ephemeral, start), (2, head, false));
        assert_eq!(count(&ephemeral, middle), (1, head, false));
        assert_eq!(count(&ephemeral, head), (0, head, false));
        assert_eq!(count(&ephemeral, start - 1), (0, head, true), "older than what is kept");
        assert_eq!(count(&ephemeral, head + 1), (0, head, true));
        assert_eq!(resumed(&ephemeral, middle), (0, middle, false), "its own reader reads on");
    }

    #[test]
    fn only_the_newest_are_kept() {
        let ephemeral = Ephemeral::new(1, START);
        let start = ephemeral.head();
        ephemeral.push(passing(None), START);
        let first = ephemeral.head();
        for _ in 0..limits::EPHEMERAL_FRAMES {
            ephemeral.push(passing(None), START);
        }
        assert!(count(&ephemeral, start).2);
        assert_eq!(count(&ephemeral, first), (limits::EPHEMERAL_FRAMES, ephemeral.head(), false));
    }

    #[test]
    fn another_nodes_reader_is_told_what_is_still_true_and_no_more() {
        let (here, there) = (Ephemeral::new(1, START), Ephemeral::new(2, START));
        let room = RoomId::from_uuid(Uuid::nil());
        let later = |s: u64| START + Duration::from_secs(s);
        here.push(passing(None), later(60));
        there.push(passing(None), later(100));
        let seen = there.head();
        here.push(passing(None), later(99));
        here.push(passing(Some(room)), later(100));
        here.push(passing(None), later(101));
        assert_eq!(resumed(&here, seen), (2, here.head(), false), "presence, from a little earlier on");
        assert_eq!(resumed(&here, there.inner.read().map_or(0, |inner| inner.floor)), (0, here.head(), true));
        let restarted = Ephemeral::new(3, later(200));
        assert!(resumed(&restarted, seen).2, "from before its start");
    }
}
