//! What the unit tests of this crate share.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

use switchback_core::wire::{Event, EventBody, Hello, HelloLimits, Message, Room, RoomKind, Transport};
use switchback_core::{Cursor, MessageId, Nonce, RoomId, Seq, SessionId, UserId};
use uuid::Uuid;

pub(crate) fn cursor(text: &str) -> Cursor {
    text.parse().unwrap()
}

pub(crate) fn me() -> UserId {
    UserId::from_uuid(Uuid::from_u128(1))
}

pub(crate) fn room_id() -> RoomId {
    RoomId::from_uuid(Uuid::from_u128(2))
}

pub(crate) fn room() -> Room {
    Room {
        id: room_id(),
        kind: RoomKind::Public,
        name: Some("general".to_owned()),
        topic: String::new(),
        archived: false,
        general: true,
        member_count: 1,
        members: None,
        created_at: 0,
    }
}

pub(crate) fn hello(at: &str) -> Hello {
    let cursor = cursor(at);
    Hello {
        session: SessionId::from_uuid(Uuid::from_u128(3)),
        user: me(),
        epoch: cursor.epoch,
        cursor,
        heartbeat_ms: 20_000,
        transport: Transport::Websocket,
        limits: HelloLimits::default(),
        version: "0".to_owned(),
    }
}

/// The `message.posted` event at `seq`, the room's `n`th.
pub(crate) fn posted(seq: Seq, n: u64) -> Event {
    Event {
        body: EventBody::MessagePosted { message: message(seq) },
        seq,
        n: Some(n),
        room: Some(room_id()),
        at: 0,
        actor: Some(me()),
    }
}

pub(crate) fn message(seq: Seq) -> Message {
    Message {
        id: MessageId::from_uuid(Uuid::from_u128(1000 + u128::from(seq))),
        room: room_id(),
        author: me(),
        seq,
        at: 0,
        edited_at: None,
        body: format!("message {seq}"),
        html: String::new(),
        nonce: Nonce::from_uuid(Uuid::from_u128(2000 + u128::from(seq))),
        reply_to: None,
        reactions: Vec::new(),
        mentions: Vec::new(),
        mentions_room: false,
        deleted: false,
    }
}
