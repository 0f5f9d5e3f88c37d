//! Events of the log, as every transport delivers them.

use serde::{Deserialize, Serialize};

use super::{Message, Room, Timestamp, User, Workspace};
use crate::{Emoji, MessageId, RoomId, Seq, UserId};

/// One event of the log. `{type, seq, n, room, at, actor, ...}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What happened; `type` and its fields stand beside the others.
    #[serde(flatten)]
    pub body: EventBody,
    /// Position in the log.
    pub seq: Seq,
    /// Counts the events of `room` that all its members see, without gaps; `null` for an event
    /// that has no room or is for one person alone.
    pub n: Option<u64>,
    /// Where.
    pub room: Option<RoomId>,
    /// When.
    pub at: Timestamp,
    /// Who did it; `null` for the system itself.
    pub actor: Option<UserId>,
}

/// What happened. Replay renders today's state: an event carries its things as they now stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum EventBody {
    /// Somebody wrote.
    #[serde(rename = "message.posted")]
    MessagePosted {
        /// As it now stands.
        message: Message,
    },
    /// The author changed the text.
    #[serde(rename = "message.edited")]
    MessageEdited {
        /// As it now stands.
        message: Message,
    },
    /// Only a tombstone is left.
    #[serde(rename = "message.deleted")]
    MessageDeleted {
        /// The tombstone.
        message: Message,
    },
    /// Somebody put an emoji under a message.
    #[serde(rename = "reaction.added")]
    ReactionAdded {
        /// Under which.
        message: MessageId,
        /// Which.
        emoji: Emoji,
        /// Who.
        user: UserId,
    },
    /// Somebody took an emoji back.
    #[serde(rename = "reaction.removed")]
    ReactionRemoved {
        /// Under which.
        message: MessageId,
        /// Which.
        emoji: Emoji,
        /// Who.
        user: UserId,
    },
    /// A room was made.
    #[serde(rename = "room.created")]
    RoomCreated {
        /// As it now stands.
        room_info: Room,
    },
    /// A room got another name.
    #[serde(rename = "room.renamed")]
    RoomRenamed {
        /// As it now stands.
        room_info: Room,
    },
    /// A room got another topic.
    #[serde(rename = "room.topic_changed")]
    RoomTopicChanged {
        /// As it now stands.
        room_info: Room,
    },
    /// Nobody can write there any more.
    #[serde(rename = "room.archived")]
    RoomArchived {
        /// As it now stands.
        room_info: Room,
    },
    /// It is open again.
    #[serde(rename = "room.unarchived")]
    RoomUnarchived {
        /// As it now stands.
        room_info: Room,
    },
    /// Somebody came in.
    #[serde(rename = "member.joined")]
    MemberJoined {
        /// Who.
        user: UserId,
        /// As it now stands.
        room_info: Room,
    },
    /// Somebody left or was removed.
    #[serde(rename = "member.left")]
    MemberLeft {
        /// Who.
        user: UserId,
        /// As it now stands; for the one who left, only `id` and `kind` mean anything.
        room_info: Room,
    },
    /// A new account.
    #[serde(rename = "user.joined")]
    UserJoined {
        /// As it now stands.
        user: User,
    },
    /// Another name or role, deactivated or active again.
    #[serde(rename = "user.updated")]
    UserUpdated {
        /// As it now stands.
        user: User,
    },
    /// The workspace got another name.
    #[serde(rename = "workspace.renamed")]
    WorkspaceRenamed {
        /// As it now stands.
        workspace: Workspace,
    },
    /// The receiver read a room on one of their devices. Only they get it.
    #[serde(rename = "read.marked")]
    ReadMarked {
        /// Everything up to here.
        read_seq: Seq,
        /// Unread messages left, as of this event.
        unread: u32,
        /// Unread mentions left, as of this event.
        mentions: u32,
    },
}

/// Whether this version knows the event type.
pub(super) fn is_known(kind: &str) -> bool {
    matches!(
        kind,
        "message.posted"
            | "message.edited"
            | "message.deleted"
            | "reaction.added"
            | "reaction.removed"
            | "room.created"
            | "room.renamed"
            | "room.topic_changed"
            | "room.archived"
            | "room.unarchived"
            | "member.joined"
            | "member.left"
            | "user.joined"
            | "user.updated"
            | "workspace.renamed"
            | "read.marked"
    )
}
