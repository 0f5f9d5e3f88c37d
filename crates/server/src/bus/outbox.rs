//! What waits to be told to the other nodes, and how it is put together: while one message is on its
//! way, whatever comes up meanwhile is gathered and goes with the next. Of several doorbells the
//! last says it all.

use std::collections::HashMap;
use std::sync::Arc;

use switchback_core::wire::node::{self, Addressees, Envelope, NodeFrame, Standing};
use switchback_core::{Seq, UserId};
use switchback_storage::Audience;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Status;
use crate::limits;
use crate::log::Entry;

/// Something for the other nodes.
#[derive(Debug)]
pub(super) enum Outgoing {
    Frame(NodeFrame),
    /// The log has come this far, with these events at its end.
    Head(Seq, Vec<Arc<Entry>>),
    /// How some of this node's people are.
    Standings(Vec<Standing>),
}

/// The queue's end into which things are put. Never waits.
#[derive(Clone)]
pub(super) struct Outbox {
    queue: mpsc::Sender<Outgoing>,
    status: Arc<Status>,
}

impl Outbox {
    pub(super) fn new(status: Arc<Status>) -> (Self, mpsc::Receiver<Outgoing>) {
        let (queue, waiting) = mpsc::channel(limits::BUS_QUEUE);
        (Self { queue, status }, waiting)
    }

    pub(super) fn put(&self, outgoing: Outgoing) {
        if self.queue.try_send(outgoing).is_err() {
            self.status.dropped(1);
        }
    }
}

/// Frames on their way into messages of at most so many bytes.
pub(super) struct Packer {
    node: Uuid,
    most_bytes: usize,
}

impl Packer {
    pub(super) const fn new(node: Uuid, most_bytes: usize) -> Self {
        Self { node, most_bytes }
    }

    /// Puts everything that waits into as few messages as it fits in.
    pub(super) fn pack(&self, waiting: impl IntoIterator<Item = Outgoing>) -> Vec<String> {
        let (mut frames, mut doorbell, mut standings) = (Vec::new(), None, HashMap::new());
        for outgoing in waiting {
            match outgoing {
                Outgoing::Frame(frame) => frames.push(frame.encode()),
                Outgoing::Head(seq, events) => doorbell = Some(together(doorbell, seq, events)),
                Outgoing::Standings(people) => {
                    standings.extend(people.into_iter().map(|standing| (standing.user, standing)));
                }
            }
        }
        // The doorbell first: it is what somebody waits for.
        let doorbell = doorbell.map(|(seq, events)| self.doorbell(seq, &events));
        let people: Vec<Standing> = HashMap::<UserId, Standing>::into_values(standings).collect();
        let people = people.chunks(self.people_per_frame());
        let people = people.map(|people| NodeFrame::Standing { people: people.to_vec() }.encode());
        self.envelopes(doorbell.into_iter().chain(frames).chain(people))
    }

    /// With its events, if they fit.
    fn doorbell(&self, seq: Seq, events: &[Arc<Entry>]) -> String {
        let most = limits::BUS_EVENTS_BYTES.min(self.room());
        let bytes: usize = events.iter().map(|entry| entry.frame.json.len()).sum();
        if bytes < most {
            let addressed = |entry: &Arc<Entry>| node::addressed(to(entry.audience), &entry.frame.json);
            let events: Vec<String> = events.iter().map(addressed).collect();
            let frame = node::head(seq, &events);
            if frame.len() <= most {
                return frame;
            }
        }
        node::head(seq, &[])
    }

    fn envelopes(&self, frames: impl Iterator<Item = String>) -> Vec<String> {
        let (mut messages, mut open, mut bytes) = (Vec::new(), Vec::new(), 0);
        for frame in frames {
            // With the comma before it.
            let size = frame.len() + 1;
            if bytes + size > self.room() && !open.is_empty() {
                messages.push(Envelope::encode(self.node, &open));
                open.clear();
                bytes = 0;
            }
            bytes += size;
            open.push(frame);
        }
        if !open.is_empty() {
            messages.push(Envelope::encode(self.node, &open));
        }
        messages
    }

    /// Bytes for frames in one message.
    const fn room(&self) -> usize {
        self.most_bytes - Envelope::AROUND_BYTES
    }

    fn people_per_frame(&self) -> usize {
        /// `{"u":"<uuid>","s":"offline","l":false},` at its longest.
        const PERSON_BYTES: usize = 80;
        const AROUND_BYTES: usize = 64;
        ((self.room() - AROUND_BYTES) / PERSON_BYTES).max(1)
    }
}

/// A later doorbell on top of an earlier one. Events that do not follow on each other say less than
/// the database.
fn together(
    before: Option<(Seq, Vec<Arc<Entry>>)>,
    seq: Seq,
    events: Vec<Arc<Entry>>,
) -> (Seq, Vec<Arc<Entry>>) {
    let Some((head, mut known)) = before else { return (seq, events) };
    match (known.last(), events.first()) {
        (Some(last), Some(first)) if last.seq + 1 == first.seq => {
            known.extend(events);
            (seq, known)
        }
        // Nothing new came with it.
        (Some(_), None) if seq == head => (head, known),
        _ => (seq, events),
    }
}

const fn to(audience: Audience) -> Addressees {
    match audience {
        Audience::Everyone => Addressees::Everyone,
        Audience::Room(room) => Addressees::Room(room),
        Audience::RoomAnd(room, user) => Addressees::RoomAnd(room, user),
        Audience::User(user) => Addressees::User(user),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use switchback_core::RoomId;
    use switchback_core::wire::{Event, EventBody, PresenceState};
    use switchback_storage::LoggedEvent;

    use super::*;

    const MOST_BYTES: usize = 2_000;

    fn entry(seq: Seq) -> Arc<Entry> {
        let body = EventBody::ReadMarked { read_seq: seq, unread: 0, mentions: 0 };
        let event = Event { body, seq, n: None, room: None, at: 0, actor: None };
        let audience = Audience::Everyone;
        Arc::new(Entry::new(
            LoggedEvent { event, audience },
            "abc.1".parse::<switchback_core::Cursor>().unwrap().epoch,
        ))
    }

    fn head(from: Seq, through: Seq) -> Outgoing {
        Outgoing::Head(through, (from..=through).map(entry).collect())
    }

    fn packed(waiting: Vec<Outgoing>) -> Vec<NodeFrame> {
        let messages = Packer::new(Uuid::nil(), MOST_BYTES).pack(waiting);
        assert!(messages.iter().all(|message| message.len() <= MOST_BYTES));
        messages.iter().flat_map(|message| Envelope::decode(message).unwrap().frames).collect()
    }

    fn doorbell(waiting: Vec<Outgoing>) -> (Seq, Vec<Seq>) {
        match packed(waiting).as_slice() {
            [NodeFrame::Head { seq, events }] => {
                (*seq, events.iter().map(|addressed| addressed.event.seq).collect())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn several_doorbells_become_one() {
        assert_eq!(doorbell(vec![head(1, 2), head(3, 4)]), (4, vec![1, 2, 3, 4]));
        assert_eq!(doorbell(vec![head(1, 2), Outgoing::Head(2, Vec::new())]), (2, vec![1, 2]));
        assert_eq!(doorbell(vec![head(1, 2), head(4, 4)]), (4, vec![4]), "a gap is the database's matter");
        assert_eq!(doorbell(vec![head(1, 2), Outgoing::Head(9, Vec::new())]), (9, vec![]));
    }

    #[test]
    fn many_events_stay_at_home() {
        assert_eq!(doorbell(vec![head(1, 500)]), (500, vec![]));
    }

    #[test]
    fn everything_arrives_in_messages_that_are_small_enough() {
        let user = |number: u128| UserId::from_uuid(Uuid::from_u128(number));
        let standing = |number| Standing { user: user(number), state: PresenceState::Offline, live: false };
        let typing = NodeFrame::Typing { user: user(1), room: RoomId::from_uuid(Uuid::nil()) };
        let mut waiting = vec![Outgoing::Standings((0..100).map(standing).collect()), head(7, 7)];
        waiting.extend((0..50).map(|_| Outgoing::Frame(typing.clone())));
        let frames = packed(waiting);
        assert!(matches!(frames[0], NodeFrame::Head { seq: 7, .. }), "what is waited for comes first");
        assert_eq!(frames.iter().filter(|frame| **frame == typing).count(), 50);
        let people = frames.iter().filter_map(|frame| match frame {
            NodeFrame::Standing { people } => Some(people.len()),
            _ => None,
        });
        assert_eq!(people.sum::<usize>(), 100);
    }
}
