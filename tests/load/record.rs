//! What one client was told, checked as it comes: order, nothing twice, `n` without gaps. What it
//! was told in all is held against the log at the end, by `truth`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use switchback_client::Transport;
use switchback_core::{Cursor, Epoch, MessageId, RoomId, Seq};
use tokio::time::Instant;

use crate::limits;

/// Shared by the client that writes it and whoever looks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) segments: Vec<Segment>,
    /// What must not happen.
    pub(crate) faults: Vec<String>,
    /// `ready` was told on the line that is open.
    pub(crate) live: Option<Live>,
    /// Why the line before was lost, or none could be opened.
    pub(crate) lost: String,
    /// Which history of the log the client reads.
    pub(crate) epoch: Option<Epoch>,
    /// Lines opened.
    pub(crate) lines: u64,
    /// The newest message heard of, and in which room.
    pub(crate) newest: Option<(RoomId, MessageId)>,
}

/// Since when a line is live.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Live {
    pub(crate) transport: Transport,
    /// When its `hello` was there. When it was asked for says nothing: what is asked of a server that is
    /// just going is sometimes answered by the next one, for a lost SYN is sent again after a second.
    pub(crate) opened_at: Instant,
    /// When the server said that it had told everything.
    pub(crate) ready_at: Instant,
}

/// A stretch of the log that a client has read on without starting over.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    /// After this.
    pub(crate) from: Seq,
    /// Up to this, everything was told.
    pub(crate) through: Seq,
    /// The events told.
    pub(crate) heard: Vec<Seq>,
    n: HashMap<RoomId, u64>,
}

impl Record {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Starts over at a cursor.
    pub(crate) fn begin(&mut self, from: Cursor) {
        self.epoch = Some(from.epoch);
        self.segments.push(Segment { from: from.seq, through: from.seq, ..Segment::default() });
    }

    /// Where to go on; `None` before it began.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        self.epoch.map(|epoch| Cursor { epoch, seq: self.through() })
    }

    /// Up to where it has read; 0 before it began.
    pub(crate) fn through(&self) -> Seq {
        self.segments.last().map_or(0, |segment| segment.through)
    }

    /// An event was told.
    pub(crate) fn event(&mut self, seq: Seq, room: Option<RoomId>, n: Option<u64>) {
        let Some(segment) = self.segments.last_mut() else { return };
        let through = segment.through;
        segment.through = through.max(seq);
        segment.heard.push(seq);
        let before = room.zip(n).and_then(|(room, n)| Some((segment.n.insert(room, n)?, n)));
        if seq <= through {
            self.fault(format!("{seq} was told after {through}"));
        }
        if let Some((before, n)) = before
            && n != before + 1
        {
            self.fault(format!("n jumps from {before} to {n} at {seq}"));
        }
    }

    /// The server says that everything up to here was told.
    pub(crate) fn caught_up(&mut self, cursor: Cursor) {
        if let Some(segment) = self.segments.last_mut() {
            segment.through = segment.through.max(cursor.seq);
        }
    }

    pub(crate) fn fault(&mut self, what: String) {
        if self.faults.len() < limits::FAULTS_KEPT {
            self.faults.push(what);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn told(events: &[(Seq, u64)]) -> Vec<String> {
        let mut record = Inner::default();
        record.begin("k7q2m9.10".parse().unwrap());
        for (seq, n) in events {
            record.event(*seq, Some(RoomId::from_uuid(Uuid::nil())), Some(*n));
        }
        record.faults
    }

    #[test]
    fn a_good_run_has_no_faults() {
        assert_eq!(told(&[(11, 4), (15, 5), (16, 6)]), [""; 0]);
    }

    #[test]
    fn a_gap_is_found_when_it_comes() {
        assert_eq!(told(&[(11, 4), (15, 6)]), ["n jumps from 4 to 6 at 15"]);
    }

    #[test]
    fn what_comes_twice_or_too_late_is_found_when_it_comes() {
        assert_eq!(told(&[(11, 4), (11, 4)])[0], "11 was told after 11");
        assert_eq!(told(&[(12, 4), (11, 5)])[0], "11 was told after 12");
        assert_eq!(told(&[(10, 4)])[0], "10 was told after 10");
    }
}
