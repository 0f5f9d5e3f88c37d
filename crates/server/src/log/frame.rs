//! One frame, encoded once and shared by every connection that gets it.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Serialize;
use switchback_core::Cursor;
use switchback_core::wire::{Event, ServerFrame};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// A frame in both its framings.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The JSON: a WebSocket message's payload.
    pub json: Utf8Bytes,
    /// The same as a block of an event stream (WHATWG HTML 9.2.5): `id:` if it moves the cursor,
    /// `data:`, an empty line.
    pub block: Bytes,
}

impl Frame {
    /// Encodes an event of the log; its position is where its reader then stands.
    pub(crate) fn event(event: &Event, cursor: Cursor) -> Arc<Self> {
        Self::encode(event, Some(cursor))
    }

    /// Encodes a frame that is not an event. `cursor`: where its reader then stands, for those
    /// that say so.
    pub(crate) fn server(frame: &ServerFrame) -> Arc<Self> {
        let cursor = match frame {
            ServerFrame::Hello(hello) => Some(hello.cursor),
            ServerFrame::Ready { cursor, .. }
            | ServerFrame::Heartbeat { cursor }
            | ServerFrame::Reset { cursor, .. } => Some(*cursor),
            _ => None,
        };
        Self::encode(frame, cursor)
    }

    fn encode(value: &impl Serialize, cursor: Option<Cursor>) -> Arc<Self> {
        // These types have no maps with odd keys and no failing serializers; an empty object is
        // what a peer skips.
        let json = serde_json::to_string(value).unwrap_or_else(|error| {
            tracing::error!(%error, "a frame could not be encoded");
            String::from("{\"type\":\"unencodable\"}")
        });
        let block = block(&json, cursor);
        Arc::new(Self { json: Utf8Bytes::from(json), block })
    }

    /// Its weight in memory, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        self.json.len() + self.block.len()
    }
}

/// JSON has no line ends outside of strings and escapes those inside: one `data:` line is enough.
fn block(json: &str, cursor: Option<Cursor>) -> Bytes {
    /// `id: <epoch>.<seq>\ndata: \n\n` at its longest.
    const AROUND_BYTES: usize = 56;
    let mut block = BytesMut::with_capacity(json.len() + AROUND_BYTES);
    if let Some(cursor) = cursor {
        block.put_slice(b"id: ");
        block.put_slice(cursor.to_string().as_bytes());
        block.put_u8(b'\n');
    }
    block.put_slice(b"data: ");
    block.put_slice(json.as_bytes());
    block.put_slice(b"\n\n");
    block.freeze()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_moves_the_cursor_says_so_in_its_id() {
        let cursor: Cursor = "abc.7".parse().unwrap();
        let frame = Frame::server(&ServerFrame::Heartbeat { cursor });
        assert_eq!(frame.json.as_str(), r#"{"type":"heartbeat","cursor":"abc.7"}"#);
        assert_eq!(&frame.block[..], b"id: abc.7\ndata: {\"type\":\"heartbeat\",\"cursor\":\"abc.7\"}\n\n");
    }

    #[test]
    fn an_ephemeral_frame_has_no_id() {
        let room = switchback_core::RoomId::from_uuid(uuid::Uuid::nil());
        let user = switchback_core::UserId::from_uuid(uuid::Uuid::nil());
        let frame = Frame::server(&ServerFrame::Typing { room, user });
        assert!(frame.block.starts_with(b"data: {\"type\":\"typing\""));
        let text = std::str::from_utf8(&frame.block).unwrap();
        assert_eq!(text.lines().count(), 2, "one line of data and an empty one");
    }
}
