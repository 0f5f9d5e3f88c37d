//! As much of a frame as a client that only checks must read. The rest is skipped unread, and a
//! list of presence, which can name thousands, is not even looked at.

use serde::Deserialize;
use switchback_core::{MessageId, RoomId, Seq};

/// How a list of presence begins.
const PRESENCE: &str = r#"{"type":"presence""#;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Frame<'t> {
    #[serde(rename = "type")]
    pub(crate) kind: &'t str,
    /// An event's place in the log.
    #[serde(default)]
    pub(crate) seq: Option<Seq>,
    #[serde(default)]
    pub(crate) n: Option<u64>,
    #[serde(default)]
    pub(crate) room: Option<RoomId>,
    #[serde(default)]
    pub(crate) cursor: Option<&'t str>,
    #[serde(default)]
    pub(crate) seen: Option<u64>,
    #[serde(default)]
    pub(crate) retry_ms: Option<u64>,
    #[serde(default)]
    pub(crate) reason: Option<&'t str>,
}

impl<'t> Frame<'t> {
    pub(crate) fn read(text: &'t str) -> Result<Self, serde_json::Error> {
        if text.starts_with(PRESENCE) {
            return Ok(Self { kind: "presence", ..Self::default() });
        }
        serde_json::from_str(text)
    }
}

/// The message of a `message.posted`.
pub(crate) fn message(text: &str) -> Option<MessageId> {
    #[derive(Deserialize)]
    struct Posted {
        message: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        id: MessageId,
    }
    serde_json::from_str::<Posted>(text).ok().map(|posted| posted.message.id)
}
