//! What one client has given out, was told, and believes: the material of the judgement.

use std::collections::{BTreeMap, BTreeSet};

use switchback_client::SendError;
use switchback_core::wire::{Ack, Event, EventBody, Message, RoomView};
use switchback_core::{MessageId, RoomId, Seq, UserId};
use tokio::sync::oneshot;

/// A command that was given out.
pub(crate) struct Given {
    pub(crate) label: String,
    pub(crate) kind: Kind,
    pub(crate) answer: oneshot::Receiver<Result<Ack, SendError>>,
}

/// What kind of command, and about which message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Post,
    Edit(MessageId),
    Delete(MessageId),
    React(MessageId),
}

/// A message as the client believes it to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) room: RoomId,
    pub(crate) author: UserId,
    pub(crate) body: String,
    pub(crate) deleted: bool,
    pub(crate) reactions: BTreeMap<String, BTreeSet<UserId>>,
}

impl From<&Message> for Seen {
    fn from(message: &Message) -> Self {
        let users = |users: &[UserId]| users.iter().copied().collect();
        let reactions = message.reactions.iter();
        let reactions = reactions.map(|under| (under.emoji.as_str().to_owned(), users(&under.users)));
        Self {
            room: message.room,
            author: message.author,
            body: message.body.clone(),
            deleted: message.deleted,
            reactions: reactions.collect(),
        }
    }
}

/// One client's.
pub(crate) struct Record {
    pub(crate) me: UserId,
    pub(crate) given: Vec<Given>,
    /// Events in the order in which they came: position, and what they were about.
    pub(crate) heard: Vec<(Seq, String)>,
    pub(crate) resets: usize,
    /// What went against a promise while the run went on.
    pub(crate) wrongs: Vec<String>,
    /// Rooms they are in, and the last `n` of each.
    pub(crate) rooms: BTreeMap<RoomId, u64>,
    pub(crate) messages: BTreeMap<MessageId, Seen>,
    last: Seq,
}

impl Record {
    pub(crate) fn new(me: UserId, seq: Seq, rooms: &[RoomView]) -> Self {
        let mut record = Self {
            me,
            given: Vec::new(),
            heard: Vec::new(),
            resets: 0,
            wrongs: Vec::new(),
            rooms: BTreeMap::new(),
            messages: BTreeMap::new(),
            last: 0,
        };
        record.begin(seq, rooms);
        record
    }

    fn begin(&mut self, seq: Seq, rooms: &[RoomView]) {
        self.last = seq;
        self.messages.clear();
        self.rooms = rooms.iter().filter(|view| view.joined).map(|view| (view.room.id, view.n)).collect();
    }

    /// Told to start over with a snapshot.
    pub(crate) fn reset(&mut self, seq: Seq, rooms: &[RoomView]) {
        if seq < self.last {
            self.wrongs.push(format!("a snapshot of {seq} came after event {}", self.last));
        }
        self.resets += 1;
        self.begin(seq, rooms);
    }

    /// Told an event.
    pub(crate) fn event(&mut self, event: &Event) {
        let Event { seq, room, n, .. } = *event;
        self.heard.push((seq, said(event)));
        if seq <= self.last {
            self.wrongs.push(format!("event {seq} came after {}", self.last));
        }
        self.last = seq;
        let own = matches!(&event.body, EventBody::MemberJoined { user, .. } | EventBody::MemberLeft { user, .. }
            if *user == self.me);
        if let (Some(room), Some(n)) = (room, n) {
            let before = self.rooms.get(&room).copied();
            if !own && before.is_some_and(|before| n != before + 1) {
                let before = before.unwrap_or_default();
                self.wrongs
                    .push(format!("event {seq} is the room's {n}th, and the last one was its {before}th"));
            }
            self.rooms.insert(room, n);
        }
        if let EventBody::MemberLeft { user, .. } = &event.body
            && *user == self.me
            && let Some(room) = room
        {
            // PROTOCOL.md: forget the room. What happens there from now on is not told.
            self.rooms.remove(&room);
            self.messages.retain(|_, seen| seen.room != room);
        }
        self.apply(&event.body);
    }

    fn apply(&mut self, body: &EventBody) {
        match body {
            EventBody::MessagePosted { message } => {
                self.messages.insert(message.id, Seen::from(message));
            }
            EventBody::MessageEdited { message } | EventBody::MessageDeleted { message } => {
                if let Some(known) = self.messages.get_mut(&message.id) {
                    known.body.clone_from(&message.body);
                    known.deleted = message.deleted;
                    if message.deleted {
                        known.reactions.clear();
                    }
                }
            }
            EventBody::ReactionAdded { message, emoji, user } => {
                if let Some(known) = self.messages.get_mut(message).filter(|known| !known.deleted) {
                    known.reactions.entry(emoji.as_str().to_owned()).or_default().insert(*user);
                }
            }
            EventBody::ReactionRemoved { message, emoji, user } => {
                if let Some(known) = self.messages.get_mut(message)
                    && let Some(users) = known.reactions.get_mut(emoji.as_str())
                {
                    users.remove(user);
                    known.reactions.retain(|_, users| !users.is_empty());
                }
            }
            _ => {}
        }
    }
}

/// What kind of event it is, in the protocol's words.
pub(crate) const fn kind(body: &EventBody) -> &'static str {
    match body {
        EventBody::MessagePosted { .. } => "message.posted",
        EventBody::MessageEdited { .. } => "message.edited",
        EventBody::MessageDeleted { .. } => "message.deleted",
        EventBody::ReactionAdded { .. } => "reaction.added",
        EventBody::ReactionRemoved { .. } => "reaction.removed",
        EventBody::MemberJoined { .. } => "member.joined",
        EventBody::MemberLeft { .. } => "member.left",
        _ => "something else",
    }
}

/// What an event is about, without what today's state adds to it.
pub(crate) fn said(event: &Event) -> String {
    match &event.body {
        EventBody::MessagePosted { message } => format!("posted {}", message.id),
        EventBody::MessageEdited { message } => format!("edited {}", message.id),
        EventBody::MessageDeleted { message } => format!("deleted {}", message.id),
        EventBody::ReactionAdded { message, .. } | EventBody::ReactionRemoved { message, .. } => {
            format!("reacted {message}")
        }
        EventBody::MemberJoined { user, .. } => format!("joined {user}"),
        EventBody::MemberLeft { user, .. } => format!("left {user}"),
        other => format!("{:?}", std::mem::discriminant(other)),
    }
}
