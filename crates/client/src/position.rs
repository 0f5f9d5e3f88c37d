//! Where the reader stands in the log, and the proof that nothing is missing before it.
//!
//! Events come with a `seq` that only grows, over whatever transport; one that is not greater than
//! the last is a repetition and dropped. `n` counts a room's events without gaps: a jump means that
//! something was lost on the way, and then only a snapshot makes whole again.

use std::collections::HashMap;

use switchback_core::wire::{Event, EventBody, Hello};
use switchback_core::{Cursor, RoomId, Seq, UserId};

use crate::limits;

#[derive(Debug, Default)]
pub(crate) struct Position {
    cursor: Option<Cursor>,
    me: Option<UserId>,
    /// The last `n` seen of each room.
    counters: HashMap<RoomId, u64>,
    /// The connection began after our cursor: unless it says `reset` at once, there is a gap.
    skipped: bool,
}

/// What an event is to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// New: hand it on.
    Fresh,
    /// Seen before.
    Repeated,
    /// New, but something before it is missing.
    Gap,
}

impl Position {
    pub(crate) fn new(cursor: Option<Cursor>) -> Self {
        Self { cursor, ..Self::default() }
    }

    pub(crate) const fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// A connection opened.
    pub(crate) fn hello(&mut self, hello: &Hello) {
        self.me = Some(hello.user);
        let theirs = hello.cursor;
        let ours = *self.cursor.get_or_insert(theirs);
        self.skipped = theirs.epoch == ours.epoch && theirs.seq > ours.seq;
    }

    /// An event came.
    pub(crate) fn event(&mut self, event: &Event) -> Taken {
        if self.cursor.is_some_and(|cursor| event.seq <= cursor.seq) {
            return Taken::Repeated;
        }
        let complete = self.counted(event) && !self.skipped || is_unproven();
        self.unknown_event(event.seq);
        if complete { Taken::Fresh } else { Taken::Gap }
    }

    /// An event came that this version cannot read.
    pub(crate) fn unknown_event(&mut self, seq: Seq) {
        if let Some(cursor) = &mut self.cursor {
            cursor.seq = cursor.seq.max(seq);
        }
    }

    /// The server says that everything up to there was sent; `false`: that cannot be.
    pub(crate) fn caught_up(&mut self, to: Cursor) -> bool {
        if let Some(cursor) = self.cursor.as_mut().filter(|cursor| cursor.epoch == to.epoch) {
            cursor.seq = cursor.seq.max(to.seq);
        }
        !self.skipped || is_unproven()
    }

    /// Everything up to there is known from elsewhere, and these rooms have come that far.
    pub(crate) fn reset(&mut self, to: Cursor, rooms: impl IntoIterator<Item = (RoomId, u64)>) {
        self.cursor = Some(to);
        self.counters.clear();
        self.counters.extend(rooms.into_iter().take(limits::ROOMS_WATCHED));
        self.skipped = false;
    }

    /// Counts the event in its room; `false`: the one before it is missing.
    fn counted(&mut self, event: &Event) -> bool {
        let (Some(room), Some(n)) = (event.room, event.n) else {
            return true;
        };
        // Who comes in or was out of the room has not seen what happened before.
        let entrance = matches!(event.body, EventBody::MemberJoined { user, .. } | EventBody::MemberLeft { user, .. }
            if Some(user) == self.me);
        if entrance {
            self.counters.remove(&room);
        }
        if self.counters.len() >= limits::ROOMS_WATCHED && !self.counters.contains_key(&room) {
            return true;
        }
        let before = self.counters.insert(room, n);
        before.is_none_or(|before| n <= before + 1)
    }
}

/// Whether a simulated run wants to see what becomes of a client that proves nothing.
#[cfg(feature = "simulation")]
fn is_unproven() -> bool {
    crate::simulation::is_gap_check_off()
}

#[cfg(not(feature = "simulation"))]
const fn is_unproven() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cursor, hello, posted, room};

    #[test]
    fn what_was_seen_is_a_repetition() {
        let mut position = Position::new(Some(cursor("e.5")));
        position.hello(&hello("e.5"));
        assert_eq!(position.event(&posted(5, 9)), Taken::Repeated);
        assert_eq!(position.event(&posted(6, 10)), Taken::Fresh);
        assert_eq!(position.event(&posted(6, 10)), Taken::Repeated);
        assert_eq!(position.cursor(), Some(cursor("e.6")));
    }

    #[test]
    fn without_a_cursor_the_first_hello_gives_it() {
        let mut position = Position::new(None);
        position.hello(&hello("e.5"));
        assert_eq!(position.cursor(), Some(cursor("e.5")));
        assert_eq!(position.event(&posted(8, 1)), Taken::Fresh);
    }

    #[test]
    fn a_jump_of_a_rooms_counter_is_a_gap() {
        let mut position = Position::new(Some(cursor("e.5")));
        position.hello(&hello("e.5"));
        assert_eq!(position.event(&posted(6, 10)), Taken::Fresh);
        assert_eq!(position.event(&posted(9, 12)), Taken::Gap);
        position.reset(cursor("e.9"), []);
        assert_eq!(position.event(&posted(12, 20)), Taken::Fresh);
    }

    #[test]
    fn a_gap_before_a_rooms_first_event_after_a_snapshot_is_noticed() {
        let mut position = Position::new(Some(cursor("e.5")));
        position.hello(&hello("e.5"));
        let room = posted(6, 10).room;
        position.reset(cursor("e.9"), room.map(|room| (room, 12)));
        assert_eq!(position.event(&posted(12, 14)), Taken::Gap);
        position.reset(cursor("e.12"), room.map(|room| (room, 14)));
        assert_eq!(position.event(&posted(13, 15)), Taken::Fresh);
    }

    #[test]
    fn a_connection_that_begins_later_is_a_gap_unless_it_resets() {
        let mut position = Position::new(Some(cursor("e.5")));
        position.hello(&hello("e.9"));
        assert!(!position.caught_up(cursor("e.9")));
        position.hello(&hello("e.12"));
        assert_eq!(position.event(&posted(13, 1)), Taken::Gap);
        position.hello(&hello("e.20"));
        position.reset(cursor("e.20"), []);
        assert!(position.caught_up(cursor("e.20")));
    }

    #[test]
    fn ones_own_return_to_a_room_starts_its_counter_anew() {
        let mut position = Position::new(Some(cursor("e.5")));
        let hello = hello("e.5");
        position.hello(&hello);
        assert_eq!(position.event(&posted(6, 10)), Taken::Fresh);
        let mut joined = posted(20, 31);
        joined.body = EventBody::MemberJoined { user: hello.user, room_info: room() };
        assert_eq!(position.event(&joined), Taken::Fresh);
        assert_eq!(position.event(&posted(21, 32)), Taken::Fresh);
        assert_eq!(position.event(&posted(22, 34)), Taken::Gap);
    }

    #[test]
    fn heartbeats_move_forward_only_and_only_in_the_same_history() {
        let mut position = Position::new(Some(cursor("e.5")));
        position.hello(&hello("e.5"));
        assert!(position.caught_up(cursor("e.8")));
        assert!(position.caught_up(cursor("e.7")) && position.caught_up(cursor("f.70")));
        assert_eq!(position.cursor(), Some(cursor("e.8")));
    }
}
