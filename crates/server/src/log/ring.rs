//! The newest events of the log in memory: bounded in number and in bytes.
//!
//! Replay shows today's state, and what was deleted is gone: when a message's text changes, what
//! this memory holds of the old one is dropped, and who has not read that far reads it from storage.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use switchback_core::{MessageId, Seq};
use switchback_storage::Audience;

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
    /// The last is `head`.
    slots: VecDeque<Slot>,
    bytes: usize,
    head: Seq,
}

/// A place in the ring. For whom it is stands beside the entry: most of what a reader passes is for
/// others, and is passed without a look at it.
#[derive(Debug)]
struct Slot {
    audience: Audience,
    /// `None`: what it said is no longer true.
    entry: Option<Arc<Entry>>,
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
    /// What comes next is not in memory (any more): read storage.
    Fallen,
}

impl Ring {
    /// An empty ring that goes on after `head`.
    pub(crate) fn new(head: Seq, most_events: usize, most_bytes: usize) -> Self {
        let inner = Inner { slots: VecDeque::new(), bytes: 0, head };
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
                inner.slots.clear();
                inner.bytes = 0;
            }
            if let Some(message) = entry.rewrites {
                inner.forget_text_of(message);
            }
            inner.head = entry.seq;
            inner.bytes += size_bytes(&entry);
            inner.slots.push_back(Slot { audience: entry.audience, entry: Some(entry) });
            while inner.slots.len() > self.most_events
                || (inner.bytes > self.most_bytes && inner.slots.len() > 1)
            {
                let Some(oldest) = inner.slots.pop_front() else { break };
                inner.bytes -= oldest.entry.as_deref().map_or(0, size_bytes);
            }
        }
    }

    /// Shows the entries after a cursor that `sees` lets through, in order, until `take` returns
    /// `false`.
    pub(crate) fn read(
        &self,
        after: Seq,
        sees: impl Fn(Seq, Audience) -> bool,
        mut take: impl FnMut(&Arc<Entry>) -> bool,
    ) -> Read {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        if after >= inner.head {
            return Read::Through { seq: after, more: false };
        }
        let kept = Seq::try_from(inner.slots.len()).unwrap_or(Seq::MAX);
        let Some(skip) = (after + kept).checked_sub(inner.head) else { return Read::Fallen };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let mut seq = after;
        for slot in inner.slots.range(skip..) {
            let Some(entry) = &slot.entry else { break };
            seq += 1;
            if sees(seq, slot.audience) && !take(entry) {
                break;
            }
        }
        if seq == after { Read::Fallen } else { Read::Through { seq, more: seq < inner.head } }
    }
}

impl Inner {
    fn forget_text_of(&mut self, message: MessageId) {
        for slot in &mut self.slots {
            if let Some(entry) = slot.entry.take_if(|entry| entry.texts.contains(&Some(message))) {
                self.bytes -= size_bytes(&entry);
            }
        }
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
        let (member, account, deactivated, texts, rewrites) = (None, None, None, [None, None], None);
        Arc::new(Entry { seq, at: 0, audience, frame, veiled, member, account, deactivated, texts, rewrites })
    }

    fn message(number: u128) -> MessageId {
        MessageId::from_uuid(uuid::Uuid::from_u128(number))
    }

    fn about(seq: Seq, texts: [Option<MessageId>; 2], rewrites: Option<MessageId>) -> Arc<Entry> {
        let plain = entry(seq);
        let (audience, frame) = (plain.audience, Arc::clone(&plain.frame));
        let (veiled, member, account, deactivated) = (None, None, None, None);
        Arc::new(Entry { seq, at: 0, audience, frame, veiled, member, account, deactivated, texts, rewrites })
    }

    fn everybody(_: Seq, _: Audience) -> bool {
        true
    }

    fn seqs(ring: &Ring, after: Seq, most: usize) -> (Vec<Seq>, Read) {
        let mut seen = Vec::new();
        let read = ring.read(after, everybody, |entry| {
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
    fn what_is_for_others_is_passed() {
        let ring = Ring::new(0, 100, 1 << 20);
        ring.push((1..=4).map(entry));
        let mut seen = Vec::new();
        let read = ring.read(
            0,
            |seq, _| seq % 2 == 0,
            |entry| {
                seen.push(entry.seq);
                true
            },
        );
        assert_eq!((seen, read), (vec![2, 4], Read::Through { seq: 4, more: false }));
    }

    #[test]
    fn a_cursor_older_than_memory_has_fallen_out() {
        let ring = Ring::new(10, 3, 1 << 20);
        assert_eq!(ring.read(9, everybody, |_| true), Read::Fallen);
        ring.push((11..=15).map(entry));
        assert_eq!(ring.read(11, everybody, |_| true), Read::Fallen);
        assert_eq!(seqs(&ring, 12, 9).0, [13, 14, 15]);
    }

    #[test]
    fn bytes_are_bounded_but_the_newest_event_is_kept() {
        let ring = Ring::new(0, 100, 1);
        ring.push((1..=5).map(entry));
        assert_eq!(ring.read(3, everybody, |_| true), Read::Fallen);
        assert_eq!(seqs(&ring, 4, 9).0, [5]);
    }

    #[test]
    fn a_gap_empties_the_memory_and_is_never_bridged() {
        let ring = Ring::new(0, 100, 1 << 20);
        ring.push([entry(1), entry(2), entry(5)]);
        assert_eq!(ring.read(2, everybody, |_| true), Read::Fallen);
        assert_eq!(ring.read(3, everybody, |_| true), Read::Fallen);
        assert_eq!(seqs(&ring, 4, 9).0, [5]);
    }

    #[test]
    fn a_changed_text_is_forgotten_wherever_it_stands() {
        let ring = Ring::new(0, 100, 1 << 20);
        ring.push([
            about(1, [Some(message(1)), None], None),
            about(2, [Some(message(2)), None], None),
            about(3, [Some(message(3)), Some(message(1))], None),
            about(4, [Some(message(2)), None], None),
        ]);
        ring.push([about(5, [Some(message(1)), None], Some(message(1)))]);
        assert_eq!(ring.read(0, everybody, |_| true), Read::Fallen, "the message itself");
        assert_eq!(seqs(&ring, 1, 9), (vec![2], Read::Through { seq: 2, more: true }), "up to the next gap");
        assert_eq!(ring.read(2, everybody, |_| true), Read::Fallen, "a quote of it");
        assert_eq!(seqs(&ring, 3, 9), (vec![4, 5], Read::Through { seq: 5, more: false }));
    }
}
