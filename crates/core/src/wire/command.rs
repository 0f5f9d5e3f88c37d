//! What a client asks for: the same JSON as a WebSocket text message or a POST body.

use serde::{Deserialize, Serialize};

use super::fields::{Fields, bad};
use super::{CommandError, ErrorCode, PresenceState};
use crate::{Emoji, MessageBody, MessageId, Nonce, RoomId, Seq, limits};

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
    pub fn parse(json: &[u8]) -> Result<Self, CommandError> {
        let mut fields = Fields::parse(json)?;
        let id = fields.id()?;
        match Command::parse(&mut fields) {
            Ok(command) => Ok(Self { id, command }),
            Err(error) => Err(error.with_id(id)),
        }
    }

    /// Writes the command as JSON.
    pub fn to_json(&self) -> String {
        // Serializing these plain types cannot fail: no maps with odd keys, no custom failures.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What `type` can be.
const TYPES: &str = "one of message.post, message.edit, message.delete, reaction.add, reaction.remove, \
                     read.mark, typing, presence, ping";

impl Command {
    /// Its type, as on the wire.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::MessagePost { .. } => "message.post",
            Self::MessageEdit { .. } => "message.edit",
            Self::MessageDelete { .. } => "message.delete",
            Self::ReactionAdd { .. } => "reaction.add",
            Self::ReactionRemove { .. } => "reaction.remove",
            Self::ReadMark { .. } => "read.mark",
            Self::Typing { .. } => "typing",
            Self::Presence { .. } => "presence",
            Self::Ping => "ping",
        }
    }

    fn parse(fields: &mut Fields<'_>) -> Result<Self, CommandError> {
        let name = fields.text("type", TYPES)?;
        Ok(match &*name {
            "message.post" => Self::MessagePost {
                room: fields.id_of("room")?,
                nonce: fields.id_of("nonce")?,
                body: fields.checked("body", "the message's text", MessageBody::new)?,
                reply_to: fields.optional("reply_to", Fields::id_of)?,
            },
            "message.edit" => Self::MessageEdit {
                message: fields.id_of("message")?,
                body: fields.checked("body", "the message's text", MessageBody::new)?,
            },
            "message.delete" => Self::MessageDelete { message: fields.id_of("message")? },
            "reaction.add" => Self::ReactionAdd {
                message: fields.id_of("message")?,
                emoji: fields.checked("emoji", "one emoji as text", Emoji::new)?,
            },
            "reaction.remove" => Self::ReactionRemove {
                message: fields.id_of("message")?,
                emoji: fields.checked("emoji", "one emoji as text", Emoji::new)?,
            },
            "read.mark" => Self::ReadMark { room: fields.id_of("room")?, seq: fields.seq("seq")? },
            "typing" => Self::Typing { room: fields.id_of("room")? },
            "presence" => Self::Presence { state: presence(fields)? },
            "ping" => Self::Ping,
            unknown => return Err(unknown_command(unknown)),
        })
    }
}

fn presence(fields: &mut Fields<'_>) -> Result<PresenceState, CommandError> {
    const WHAT: &str = "\"online\" or \"away\"";
    match &*fields.text("state", WHAT)? {
        "online" => Ok(PresenceState::Online),
        "away" => Ok(PresenceState::Away),
        _ => Err(bad("state", &format!("must be {WHAT}; who is not connected is offline"))),
    }
}

fn unknown_command(name: &str) -> CommandError {
    // The name is the peer's: as much of it as a command's `id` may have is enough to know it by.
    let shown: String = name.chars().take(limits::COMMAND_ID_BYTES).collect();
    let detail = format!("there is no command {shown:?}; `type` is {TYPES}");
    CommandError::new(ErrorCode::UnknownCommand, detail).with_field("type")
}
