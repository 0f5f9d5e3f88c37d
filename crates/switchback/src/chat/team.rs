//! Who and what the events speak of: names for ids, and events in words.

use std::collections::HashMap;

use switchback_core::wire::{Event, EventBody, Message, Room, RoomKind, RoomView, Snapshot, User};
use switchback_core::{RoomId, UserId};

pub(super) struct Team {
    me: UserId,
    users: HashMap<UserId, User>,
    /// The rooms we are in.
    rooms: HashMap<RoomId, Room>,
}

impl Team {
    pub(super) fn new(snapshot: Snapshot) -> Self {
        let users = snapshot.users.into_iter().map(|user| (user.id, user)).collect();
        let rooms = snapshot.rooms.into_iter().map(|view| (view.room.id, view.room)).collect();
        Self { me: snapshot.me.id, users, rooms }
    }

    /// A room of ours by its name, or a direct conversation by `@handle`.
    pub(super) fn find(&self, name: &str) -> Option<RoomId> {
        let direct = |room: &&Room| room.kind == RoomKind::Direct && self.is_with(room, name);
        let mut rooms = self.rooms.values();
        let found = match name.strip_prefix('@') {
            Some(_) => rooms.find(direct),
            None => rooms.find(|room| is_called(room, name)),
        };
        found.map(|room| room.id)
    }

    pub(super) fn add_room(&mut self, room: Room) {
        self.rooms.insert(room.id, room);
    }

    /// Takes in what an event says about people and rooms.
    pub(super) fn learn(&mut self, event: &Event) {
        match &event.body {
            EventBody::UserJoined { user } | EventBody::UserUpdated { user } => {
                self.users.insert(user.id, user.clone());
            }
            EventBody::MemberJoined { user, room_info } if *user == self.me => {
                self.add_room(room_info.clone());
            }
            EventBody::MemberLeft { user, room_info } if *user == self.me => {
                self.rooms.remove(&room_info.id);
            }
            EventBody::RoomRenamed { room_info }
            | EventBody::RoomTopicChanged { room_info }
            | EventBody::RoomArchived { room_info }
            | EventBody::RoomUnarchived { room_info } => {
                if let Some(room) = self.rooms.get_mut(&room_info.id) {
                    room.clone_from(room_info);
                }
            }
            _ => {}
        }
    }

    /// An event in words, if it is for the eyes of who is in `room`.
    pub(super) fn describe(&self, event: &Event, room: RoomId) -> Option<String> {
        if event.room != Some(room) {
            return None;
        }
        let actor = event.actor.map_or("somebody", |actor| self.name(actor));
        Some(match &event.body {
            EventBody::MessagePosted { message } => self.message_text(message),
            EventBody::MessageEdited { message } => format!("{} (edited)", self.message_text(message)),
            EventBody::MessageDeleted { message } => {
                format!("* {actor} deleted a message of {}", self.name(message.author))
            }
            EventBody::ReactionAdded { emoji, user, .. } => format!("* {} reacts {emoji}", self.name(*user)),
            EventBody::ReactionRemoved { emoji, user, .. } => {
                format!("* {} takes {emoji} back", self.name(*user))
            }
            EventBody::RoomRenamed { room_info } => {
                format!("* {actor} calls this room #{} now", room_info.name.as_deref().unwrap_or_default())
            }
            EventBody::RoomTopicChanged { room_info } => {
                format!("* {actor} sets the topic: {}", room_info.topic)
            }
            EventBody::RoomArchived { .. } => format!("* {actor} closes this room"),
            EventBody::RoomUnarchived { .. } => format!("* {actor} opens this room again"),
            EventBody::MemberJoined { user, .. } => format!("* {} comes in", self.name(*user)),
            EventBody::MemberLeft { user, .. } => format!("* {} leaves", self.name(*user)),
            EventBody::RoomCreated { .. }
            | EventBody::UserJoined { .. }
            | EventBody::UserUpdated { .. }
            | EventBody::WorkspaceRenamed { .. }
            | EventBody::ReadMarked { .. } => return None,
        })
    }

    /// `Ada: text`, with the beginning of what it answers.
    pub(super) fn message_text(&self, message: &Message) -> String {
        let author = self.name(message.author);
        if message.deleted {
            return format!("{author}: (deleted)");
        }
        match &message.reply_to {
            Some(quote) => {
                let excerpt = quote.excerpt.lines().next().unwrap_or_default();
                format!("{author}: (to {}: {excerpt}) {}", self.name(quote.author), message.body)
            }
            None => format!("{author}: {}", message.body),
        }
    }

    /// A line of `/rooms`.
    pub(super) fn room_line(&self, view: &RoomView, here: RoomId) -> String {
        let mark = if view.room.id == here {
            "*"
        } else if view.joined {
            " "
        } else {
            "+"
        };
        let unread = if view.unread > 0 { format!(" ({} unread)", view.unread) } else { String::new() };
        let topic = if view.room.topic.is_empty() { String::new() } else { format!(": {}", view.room.topic) };
        format!("{mark} {}{unread}{topic}", self.name_of(&view.room))
    }

    pub(super) fn room_name(&self, room: RoomId) -> String {
        self.rooms.get(&room).map_or_else(|| "a room".to_owned(), |room| self.name_of(room))
    }

    fn name_of(&self, room: &Room) -> String {
        if let Some(name) = &room.name {
            return format!("#{name}");
        }
        let others = room.members.iter().flatten().filter(|member| **member != self.me);
        let names: Vec<&str> = others.map(|member| self.name(*member)).collect();
        if names.is_empty() { "notes to yourself".to_owned() } else { names.join(", ") }
    }

    fn name(&self, user: UserId) -> &str {
        self.users.get(&user).map_or("somebody", |user| user.name.as_str())
    }

    /// A direct conversation with this person alone.
    fn is_with(&self, room: &Room, at_handle: &str) -> bool {
        let handle = at_handle.trim_start_matches('@').to_ascii_lowercase();
        let mut others = room.members.iter().flatten().filter(|member| **member != self.me);
        let (first, second) = (others.next(), others.next());
        let wanted = first.and_then(|other| self.users.get(other)).map(|user| user.handle.as_str() == handle);
        wanted.unwrap_or(false) && second.is_none()
    }
}

/// Whether a room has this name, with or without `#`, in upper or lower case.
pub(super) fn is_called(room: &Room, name: &str) -> bool {
    let name = name.strip_prefix('#').unwrap_or(name);
    room.name.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name))
}
