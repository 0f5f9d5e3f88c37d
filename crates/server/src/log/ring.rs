//! The newest events of the log in memory: bounded in number and in bytes.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use switchback_core::Seq;

use super::Entry;

/// The newest events. `seq` is dense, so an event's place follows from its position.
#[derive(Debug)]
pub(crate) struct Ring {
    inner: RwLock<Inner>,
    most_events: usize,
    most_bytes: usize,
}

#[derive(Debug)]
struct Inner {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    head: Seq,
}

/// What lies after a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// Everything up to here was looked at; `more`: there is more that was not.
    Through {
        /// Where the reader now stands.
        seq: Seq,
        /// The reader's bound was reached before the head.
        more: bool,
    },
    /// The cursor is older than what is in memory: read storage.
    Fallen,
}

impl Ring {
    /// An empty ring that goes on after `head`.
    pub(crate) fn new(head: Seq, most_events: usize, most_bytes: usize) -> Self {
        let inner = Inner { entries: VecDeque::new(), bytes: 0, head };
        Self { inner: RwLock::new(inner), most_events: most_events.max(1), most_bytes }
    }

    /// The newest event's position.
    pub(crate) fn head(&self) -> Seq {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).head
    }

    /// Appends events that go on after the head; the oldest make room.
    pub(crate) fn push(&self, entries: impl IntoIterator<Item = Arc<Entry>>) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            if entry.seq != inner.head + 1 {
                // Not the next one: what is in memory would lie about what lies between. Readers
                // then fall back to storage, which knows.
                inner.entries.clear();
                inner.bytes = 0;
            }
            inner.head = entry.seq;
            inner.bytes += size_bytes(&entry);
            inner.entries.push_back(entry);
            while inner.entries.len() > self.most_events
                || (inner.bytes > self.most_bytes && inner.entries.len() > 1)
            {
                let Some(oldest) = inner.entries.pop_front() else { break };
                inner.bytes -= size_bytes(&oldest);
            }
        }
    }

    /// Shows the entries after a cursor in order until `take` returns `false`.
    pub(crate) fn read(&self, after: Seq, mut take: impl FnMut(&Arc<Entry>) -> bool) -> Read {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        if after >= inner.head {
            return Read::Through { seq: after, more: false };
        }
        let Some(first) = inner.entries.front().map(|entry| entry.seq) else { return Read::Fallen };
        let Some(skip) = (after + 1).checked_sub(first) else { return Read::Fallen };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        for entry in inner.entries.iter().skip(skip) {
            if !take(entry) {
                let seq = entry.seq;
                return Read::Through { seq, more: seq < inner.head };
            }
        }
        Read::Through { seq: inner.head, more: false }
    }
}

fn size_bytes(entry: &Entry) -> usize {
    let veiled = entry.veiled.as_ref().map_or(0, |frame| frame.size_bytes());
    size_of::<Entry>() + entry.frame.size_bytes() + veiled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Frame;
    use switchback_core::wire::ServerFrame;
    use switchback_storage::Audience;

    fn entry(seq: Seq) -> Arc<Entry> {
        let user = switchback_core::UserId::from_uuid(uuid::Uuid::nil());
        let room = switchback_core::RoomId::from_uuid(uuid::Uuid::nil());
        let frame = Frame::server(&ServerFrame::Typing { room, user });
        let (audience, veiled) = (Audience::Everyone, None);
        Arc::new(Entry { seq, at: 0, audience, frame, veiled, member: None, deactivated: None })
    }

    fn seqs(ring: &Ring, after: Seq, most: usize) -> (Vec<Seq>, Read) {
        let mut seen = Vec::new();
        let read = ring.read(after, |entry| {
            seen.push(entry.seq);
            seen.len() < most
        });
        (seen, read)
    }

    #[test]
    fn a_reader_gets_what_lies_after_its_cursor() {
        let ring = Ring::new(10, 100, 1 << 20);
        assert_eq!(seqs(&ring, 10, 9), (vec![], Read::Through { seq: 10, more: false }));
        ring.push((11..=15).map(entry));
        assert_eq!(seqs(&ring, 10, 9), (vec![11, 12, 13, 14, 15], Read::Through { seq: 15, more: false }));
        assert_eq!(seqs(&ring, 12, 2), (vec![13, 14], Read::Through { seq: 14, more: true }));
        assert_eq!(seqs(&ring, 13, 2), (vec![14, 15], Read::Through { seq: 15, more: false }));
        assert_eq!(seqs(&ring, 99, 2), (vec![], Read::Through { seq: 99, more: false }));
        assert_eq!(ring.head(), 15);
    }

    #[test]
    fn a_cursor_older_than_memory_has_fallen_out() {
        let ring = Ring::new(10, 3, 1 << 20);
        assert_eq!(ring.read(9, |_| true), Read::Fallen);
        ring.push((11..=15).map(entry));
        assert_eq!(ring.read(11, |_| true), Read::Fallen);
        assert_eq!(seqs(&ring, 12, 9).0, [13, 14, 15]);
    }

    #[test]
    fn bytes_are_bounded_but_the_newest_event_is_kept() {
        let ring = Ring::new(0, 100, 1);
        ring.push((1..=5).map(entry));
        assert_eq!(ring.read(3, |_| true), Read::Fallen);
        assert_eq!(seqs(&ring, 4, 9).0, [5]);
    }

    #[test]
    fn a_gap_empties_the_memory_and_is_never_bridged() {
        let ring = Ring::new(0, 100, 1 << 20);
        ring.push([entry(1), entry(2), entry(5)]);
        assert_eq!(ring.read(2, |_| true), Read::Fallen);
        assert_eq!(ring.read(3, |_| true), Read::Fallen);
        assert_eq!(seqs(&ring, 4, 9).0, [5]);
    }
}
