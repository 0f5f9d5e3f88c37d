//! What the server says that is not an event of the log.

use serde::{Deserialize, Serialize};

use super::{CommandError, CommandId, Event, Message};
use crate::{Cursor, Epoch, RoomId, Seq, SessionId, UserId, limits};

/// How a live connection is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// RFC 6455, after `101 Switching Protocols` or by extended CONNECT.
    Websocket,
    /// Server-Sent Events, with commands by POST.
    Sse,
    /// Short responses that end after the first batch, with commands by POST.
    Batch,
}

/// A frame from the server that is not an event: `{type, ...}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// The first frame of every connection.
    Hello(Hello),
    /// Caught up: from here on it is live.
    Ready {
        /// Where the connection stands.
        cursor: Cursor,
        /// Position among the ephemeral frames; a batch client hands it back as `seen`.
        seen: u64,
    },
    /// Nothing happened, but the way is open. Moves the cursor over what the receiver may not see.
    Heartbeat {
        /// Where the connection stands.
        cursor: Cursor,
    },
    /// Somebody is writing; show it for `limits::TYPING_SHOWN_MS`.
    Typing {
        /// Where.
        room: RoomId,
        /// Who.
        user: UserId,
    },
    /// Who is there.
    Presence {
        /// `true`: everybody who is not listed is offline. `false`: only these changed.
        full: bool,
        /// The people and how they are now.
        changes: Vec<PresenceChange>,
    },
    /// The cursor cannot be continued: load a snapshot. The connection stays and goes on from
    /// `cursor`; drop what it brings up to the snapshot's cursor.
    Reset {
        /// Why.
        reason: ResetReason,
        /// Where this connection goes on.
        cursor: Cursor,
    },
    /// The last frame before the server closes.
    Bye {
        /// Why.
        reason: ByeReason,
        /// Wait this long before coming back; `null`: do not come back by yourself.
        retry_ms: Option<u64>,
    },
    /// A command was carried out, durably.
    Ack(Ack),
    /// A command was not carried out.
    Error(CommandError),
}

/// The first frame of every connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Names this connection, for logs and support.
    pub session: SessionId,
    /// Who is signed in.
    pub user: UserId,
    /// Which history of the log.
    pub epoch: Epoch,
    /// Where the connection starts: events after this follow.
    pub cursor: Cursor,
    /// Silence longer than this (plus 10 %, plus the network) means a broken way.
    pub heartbeat_ms: u64,
    /// Which way in was taken.
    pub transport: Transport,
    /// What the server takes.
    pub limits: HelloLimits,
    /// The server's version.
    pub version: String,
}

/// What the server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloLimits {
    /// One command, in bytes.
    pub command_bytes: usize,
    /// A message's body, in bytes of UTF-8.
    pub message_body_bytes: usize,
}

impl Default for HelloLimits {
    fn default() -> Self {
        Self { command_bytes: limits::COMMAND_BYTES, message_body_bytes: limits::MESSAGE_BODY_BYTES }
    }
}

/// How somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PresenceState {
    /// Connected and at it.
    Online,
    /// Connected, but not looking.
    Away,
    /// Not connected. Never sent by a client.
    Offline,
}

/// How somebody is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PresenceChange {
    /// Who.
    pub user: UserId,
    /// How.
    pub state: PresenceState,
}

/// Why a cursor cannot be continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// It is of another history: a backup was restored, or it is another server.
    ForeignEpoch,
    /// It is ahead of the log.
    Ahead,
    /// So far behind that a snapshot is cheaper for both ends.
    Behind,
    /// It is not a cursor.
    Malformed,
}

/// Why the server closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ByeReason {
    /// Planned stop or restart.
    GoingAway,
    /// The session or token was ended.
    SignedOut,
    /// The account was deactivated.
    Deactivated,
    /// The peer read nothing for too long.
    NoProgress,
    /// Too many bad commands in a row.
    BadCommandStream,
    /// A message was over the limit.
    TooBig,
    /// A binary message or text that is not UTF-8.
    Unsupported,
    /// More connections of one account than the server takes.
    TooManyConnections,
}

/// A command was carried out, durably.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The command's `id`.
    pub id: Option<CommandId>,
    /// The `seq` of its event; `null` if it made none (already so, or ephemeral).
    pub seq: Option<Seq>,
    /// The message as it now stands, for commands on messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
}

/// One frame from the server as a client reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// An event of the log.
    Event(Box<Event>),
    /// Anything else this version knows.
    Frame(Box<ServerFrame>),
    /// A type this version does not know: skip it. A `seq` it carries still moves the cursor.
    Unknown {
        /// Its type.
        kind: String,
        /// Its position in the log, if it is an event.
        seq: Option<Seq>,
    },
}

impl Incoming {
    /// Reads one frame's JSON.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Head {
            #[serde(rename = "type")]
            kind: String,
            seq: Option<Seq>,
        }
        let head: Head = serde_json::from_str(json)?;
        match head.kind.as_str() {
            "hello" | "ready" | "heartbeat" | "typing" | "presence" | "reset" | "bye" | "ack" | "error" => {
                Ok(Self::Frame(Box::new(serde_json::from_str(json)?)))
            }
            kind if super::event::is_known(kind) => Ok(Self::Event(Box::new(serde_json::from_str(json)?))),
            _ => Ok(Self::Unknown { kind: head.kind, seq: head.seq }),
        }
    }
}
