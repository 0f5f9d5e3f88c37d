//! The things a team has: people, rooms, messages.

use serde::{Deserialize, Serialize};

use crate::{DisplayName, Emoji, Handle, MessageId, Nonce, RoomId, Seq, SessionId, TokenId, UserId};

/// Microseconds since 1970-01-01T00:00:00Z.
pub type Timestamp = i64;

/// What somebody may do: everything, manage people and rooms, or take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Takes part.
    Member,
    /// Also invites, deactivates, archives, deletes others' messages.
    Admin,
    /// Also makes admins and owners. There is always at least one.
    Owner,
}

/// The workspace this server holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Workspace {
    /// Its name as shown.
    pub name: String,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// Never changes.
    pub id: UserId,
    /// `@handle`.
    pub handle: Handle,
    /// As shown.
    pub name: DisplayName,
    /// What they may do.
    pub role: Role,
    /// `false`: deactivated; cannot sign in, what they wrote stays.
    pub active: bool,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// Who can find and enter a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    /// Everybody can find it and join.
    Public,
    /// Only members know of it; members add others.
    Private,
    /// A conversation between the people in `members`; it has no name.
    Direct,
}

/// A room, the same for everybody who may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Room {
    /// Never changes.
    pub id: RoomId,
    /// Who can find it.
    pub kind: RoomKind,
    /// `null` for a direct conversation.
    pub name: Option<String>,
    /// One line, may be empty.
    pub topic: String,
    /// Nobody can write; everything can be read.
    pub archived: bool,
    /// The room every account is a member of and that cannot be left or archived (`general`).
    pub general: bool,
    /// Active members.
    pub member_count: u32,
    /// All members, for direct conversations only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<UserId>>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A room together with how the asking member stands to it, as of the answer's cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoomView {
    /// The room itself; its fields stand beside the others.
    #[serde(flatten)]
    pub room: Room,
    /// Whether the asker is a member. If not, what follows is 0.
    pub joined: bool,
    /// The room's event counter: the next event of this room has `n + 1`.
    pub n: u64,
    /// `seq` of the newest message, 0 without any.
    pub last_seq: Seq,
    /// Time of the newest message, or of the room's creation.
    pub last_at: Timestamp,
    /// Everything up to here has been read by the asker.
    pub read_seq: Seq,
    /// Messages of others after `read_seq`, counted up to `limits::UNREAD_COUNT_MAX`.
    pub unread: u32,
    /// Those of them that mention the asker, by handle or `@room`; in a direct conversation, all.
    pub mentions: u32,
}

/// One emoji under a message, with everybody who put it there, in order of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reaction {
    /// The emoji.
    pub emoji: Emoji,
    /// Who.
    pub users: Vec<UserId>,
}

/// The beginning of the message that a reply answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Quote {
    /// The message answered.
    pub id: MessageId,
    /// Who wrote it.
    pub author: UserId,
    /// Its first `limits::REPLY_EXCERPT_CHARS` characters as it now stands; empty once deleted.
    pub excerpt: String,
    /// It was deleted since.
    pub deleted: bool,
}

/// A message as it now stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    /// Never changes.
    pub id: MessageId,
    /// Where it was posted.
    pub room: RoomId,
    /// Who wrote it.
    pub author: UserId,
    /// Position of its `message.posted` event; messages of a room are shown in this order.
    pub seq: Seq,
    /// When it was posted.
    pub at: Timestamp,
    /// When it was last edited.
    pub edited_at: Option<Timestamp>,
    /// The Markdown source; empty once deleted.
    pub body: String,
    /// The same as sanitized HTML; empty once deleted.
    pub html: String,
    /// The author's nonce of the post: how a client knows its own pending message again.
    pub nonce: Nonce,
    /// What it answers.
    pub reply_to: Option<Quote>,
    /// Emoji under it, in order of first use.
    pub reactions: Vec<Reaction>,
    /// Whom it mentioned when it was posted.
    pub mentions: Vec<UserId>,
    /// It mentioned everybody in the room when it was posted.
    pub mentions_room: bool,
    /// Only a tombstone is left.
    pub deleted: bool,
}

/// One place where an account is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionInfo {
    /// Its public name.
    pub id: SessionId,
    /// Browser and system, as the browser named itself.
    pub label: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the nearest minutes.
    pub last_used_at: Timestamp,
    /// The session that asks.
    pub current: bool,
}

/// An API token; the secret itself is shown once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenInfo {
    /// Its public name.
    pub id: TokenId,
    /// What it is for.
    pub label: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the nearest minutes.
    pub last_used_at: Option<Timestamp>,
}
