//! One event of the log as it is kept for delivery.

use std::sync::Arc;

use switchback_core::wire::{Event, EventBody, RoomKind, Timestamp};
use switchback_core::{Cursor, Epoch, MessageId, Seq, UserId};
use switchback_storage::{Audience, LoggedEvent};

use super::Frame;

/// An event with those who may see it, encoded.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its position.
    pub seq: Seq,
    /// When it happened.
    pub at: Timestamp,
    /// Who may see it.
    pub audience: Audience,
    /// What they get.
    pub frame: Arc<Frame>,
    /// What somebody gets whose own coming or going it is and who is no longer in the room.
    pub veiled: Option<Arc<Frame>>,
    /// Whose membership of a room it changed.
    pub member: Option<UserId>,
    /// Whose account it changed: their sessions may have ended with it.
    pub account: Option<UserId>,
    /// Whose account it closed.
    pub deactivated: Option<UserId>,
    /// The message whose text it carries, and the one that this text quotes.
    pub texts: [Option<MessageId>; 2],
    /// The message whose text it has changed or taken away.
    pub rewrites: Option<MessageId>,
}

impl Entry {
    /// Encodes an event.
    pub(crate) fn new(logged: LoggedEvent, epoch: Epoch) -> Self {
        let LoggedEvent { event, audience } = logged;
        let cursor = Cursor { epoch, seq: event.seq };
        let frame = Frame::event(&event, cursor);
        let member = match &event.body {
            EventBody::MemberJoined { user, .. } | EventBody::MemberLeft { user, .. } => Some(*user),
            _ => None,
        };
        let changed = match &event.body {
            EventBody::UserUpdated { user } => Some(user),
            _ => None,
        };
        let account = changed.map(|user| user.id);
        let deactivated = changed.filter(|user| !user.active).map(|user| user.id);
        let (texts, rewrites) = texts(&event.body);
        let (seq, at) = (event.seq, event.at);
        let veiled = veil(event).map(|event| Frame::event(&event, cursor));
        Self { seq, at, audience, frame, veiled, member, account, deactivated, texts, rewrites }
    }

    /// Has its frames ready for event streams.
    pub(crate) fn frame_for_streams(&self) {
        for frame in std::iter::once(&self.frame).chain(&self.veiled) {
            frame.chunk();
        }
    }

    /// Whether all who get it get the same, for no other reason than that they are in its room.
    pub(crate) fn is_for_members(&self) -> bool {
        matches!(self.audience, Audience::Room(_)) && self.veiled.is_none()
    }
}

fn texts(body: &EventBody) -> ([Option<MessageId>; 2], Option<MessageId>) {
    let (EventBody::MessagePosted { message }
    | EventBody::MessageEdited { message }
    | EventBody::MessageDeleted { message }) = body
    else {
        return ([None, None], None);
    };
    let rewrites = (!matches!(body, EventBody::MessagePosted { .. })).then_some(message.id);
    ([Some(message.id), message.reply_to.as_ref().map(|quote| quote.id)], rewrites)
}

/// What a room that is not public is called today is none of the business of who is not in it.
fn veil(mut event: Event) -> Option<Event> {
    let (EventBody::MemberJoined { room_info, .. } | EventBody::MemberLeft { room_info, .. }) =
        &mut event.body
    else {
        return None;
    };
    if room_info.kind == RoomKind::Public {
        return None;
    }
    room_info.name = None;
    room_info.topic = String::new();
    room_info.member_count = 0;
    room_info.members = None;
    Some(event)
}
