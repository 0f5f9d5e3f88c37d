//! A small team with fixed ids and times: what the golden files are made of.

use std::str::FromStr;

use switchback_core::wire::{
    Message, Quote, Reaction, Role, Room, RoomKind, RoomView, SessionInfo, Timestamp, TokenInfo, User,
    Workspace,
};
use switchback_core::{
    Cursor, DisplayName, Emoji, Handle, MessageId, Nonce, RoomId, SessionId, TokenId, UserId, WorkspaceName,
};

/// 2026-03-02T08:30:00Z.
pub(crate) const MORNING: Timestamp = 1_772_440_200_000_000;

/// Any text that is known to be right.
pub(crate) fn text<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn ada() -> UserId {
    text("019cad60-0000-7000-8000-0000000000a1")
}

pub(crate) fn bob() -> UserId {
    text("019cad60-0000-7000-8000-0000000000b2")
}

pub(crate) fn design() -> RoomId {
    text("019cad60-0000-7000-8000-00000000c001")
}

pub(crate) fn between_two() -> RoomId {
    text("019cad60-0000-7000-8000-00000000c002")
}

pub(crate) fn question() -> MessageId {
    text("019cad60-0000-7000-8000-00000000d001")
}

pub(crate) fn answer() -> MessageId {
    text("019cad60-0000-7000-8000-00000000d002")
}

pub(crate) fn nonce() -> Nonce {
    text("019cad60-0000-7000-8000-00000000e002")
}

pub(crate) fn session() -> SessionId {
    text("019cad60-0000-7000-8000-00000000f001")
}

pub(crate) fn token() -> TokenId {
    text("019cad60-0000-7000-8000-00000000f002")
}

pub(crate) fn cursor() -> Cursor {
    text("k7q2m9.42")
}

pub(crate) fn thumb() -> Emoji {
    text("👍")
}

pub(crate) fn workspace() -> Workspace {
    Workspace { name: text::<WorkspaceName>("Analytical Engines").to_string() }
}

pub(crate) fn user_ada() -> User {
    User {
        id: ada(),
        handle: text::<Handle>("ada"),
        name: text::<DisplayName>("Ada Lovelace"),
        role: Role::Owner,
        active: true,
        created_at: MORNING - 3_600_000_000,
    }
}

pub(crate) fn user_bob() -> User {
    User {
        id: bob(),
        handle: text::<Handle>("bob"),
        name: text::<DisplayName>("Bob"),
        role: Role::Member,
        active: true,
        created_at: MORNING - 1_800_000_000,
    }
}

pub(crate) fn room() -> Room {
    Room {
        id: design(),
        kind: RoomKind::Private,
        name: Some("design".into()),
        topic: "What we build next".into(),
        archived: false,
        general: false,
        member_count: 2,
        members: None,
        created_at: MORNING - 1_200_000_000,
    }
}

pub(crate) fn direct() -> Room {
    Room {
        id: between_two(),
        kind: RoomKind::Direct,
        name: None,
        topic: String::new(),
        members: Some(vec![ada(), bob()]),
        ..room()
    }
}

pub(crate) fn room_view() -> RoomView {
    RoomView {
        room: room(),
        joined: true,
        n: 17,
        last_seq: 42,
        last_at: MORNING,
        read_seq: 40,
        unread: 1,
        mentions: 1,
    }
}

pub(crate) fn direct_view() -> RoomView {
    RoomView { room: direct(), n: 1, last_seq: 0, read_seq: 0, unread: 0, mentions: 0, ..room_view() }
}

/// Bob's answer to Ada, with everything a message can have.
pub(crate) fn message() -> Message {
    Message {
        id: answer(),
        room: design(),
        author: bob(),
        seq: 42,
        at: MORNING,
        edited_at: None,
        body: "Yes, @ada: *on Monday*.".into(),
        html: format!(
            "<p>Yes, <span class=\"mention\" data-user=\"{}\">@ada</span>: <em>on Monday</em>.</p>\n",
            ada()
        ),
        nonce: nonce(),
        reply_to: Some(Quote {
            id: question(),
            author: ada(),
            excerpt: "Do we ship on Monday?".into(),
            deleted: false,
        }),
        reactions: vec![Reaction { emoji: thumb(), users: vec![ada(), bob()] }],
        mentions: vec![ada()],
        mentions_room: false,
        deleted: false,
    }
}

/// The same, edited.
pub(crate) fn edited() -> Message {
    Message {
        edited_at: Some(MORNING + 90_000_000),
        body: "Yes: *on Tuesday*.".into(),
        html: "<p>Yes: <em>on Tuesday</em>.</p>\n".into(),
        ..message()
    }
}

/// What is left of it once deleted.
pub(crate) fn tombstone() -> Message {
    Message { body: String::new(), html: String::new(), reactions: Vec::new(), deleted: true, ..message() }
}

pub(crate) fn session_info() -> SessionInfo {
    SessionInfo {
        id: session(),
        label: "Firefox on Linux".into(),
        created_at: MORNING - 3_600_000_000,
        last_used_at: MORNING,
        current: true,
    }
}

pub(crate) fn token_info() -> TokenInfo {
    TokenInfo { id: token(), label: "deploy bot".into(), created_at: MORNING, last_used_at: None }
}
