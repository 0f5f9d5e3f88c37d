//! What a client asks for: the same JSON as a WebSocket text message or a POST body.

use serde::{Deserialize, Serialize};

use super::{CommandError, PresenceState};
use crate::{Emoji, MessageBody, MessageId, Nonce, RoomId, Seq};

/// A client's own name for one command, echoed by its answer: a string of at most
/// `limits::COMMAND_ID_BYTES`, or an integer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum CommandId {
    /// `"id": 7`
    Number(i64),
    /// `"id": "a7"`
    Text(String),
}

/// A command and its name: `{id, type, ...}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// Echoed by the answer; may be left out.
    pub id: Option<CommandId>,
    /// What to do.
    #[serde(flatten)]
    pub command: Command,
}

/// What a client can ask for on a live connection or by POST to `/chat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type")]
pub enum Command {
    /// Write a message.
    #[serde(rename = "message.post")]
    MessagePost {
        /// Where.
        room: RoomId,
        /// Makes a retry harmless.
        nonce: Nonce,
        /// Markdown.
        body: MessageBody,
        /// What it answers, a message of the same room.
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<MessageId>,
    },
    /// Change one's own message.
    #[serde(rename = "message.edit")]
    MessageEdit {
        /// Which.
        message: MessageId,
        /// The new text.
        body: MessageBody,
    },
    /// Delete one's own message (admins: any).
    #[serde(rename = "message.delete")]
    MessageDelete {
        /// Which.
        message: MessageId,
    },
    /// Put an emoji under a message.
    #[serde(rename = "reaction.add")]
    ReactionAdd {
        /// Under which.
        message: MessageId,
        /// Which.
        emoji: Emoji,
    },
    /// Take an emoji back.
    #[serde(rename = "reaction.remove")]
    ReactionRemove {
        /// Under which.
        message: MessageId,
        /// Which.
        emoji: Emoji,
    },
    /// Everything in the room up to `seq` has been read. Never moves backwards.
    #[serde(rename = "read.mark")]
    ReadMark {
        /// Where.
        room: RoomId,
        /// Up to here.
        seq: Seq,
    },
    /// I am writing. At most every `limits::TYPING_EVERY_MS`.
    #[serde(rename = "typing")]
    Typing {
        /// Where.
        room: RoomId,
    },
    /// How I am: `online` or `away`.
    #[serde(rename = "presence")]
    Presence {
        /// How.
        state: PresenceState,
    },
    /// Is the way open? Answered by an ack.
    #[serde(rename = "ping")]
    Ping,
}

impl Request {
    /// Reads one command's JSON. The error names the field at fault and carries the `id` if that
    /// much could be read.
    pub fn parse(_json: &[u8]) -> Result<Self, CommandError> {
        unimplemented!("filled by the parser")
    }

    /// Writes the command as JSON.
    pub fn to_json(&self) -> String {
        // Serializing these plain types cannot fail: no maps with odd keys, no custom failures.
        serde_json::to_string(self).unwrap_or_default()
    }
}
