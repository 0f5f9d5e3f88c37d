//! One frame, encoded once and shared by every connection that gets it.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Serialize;
use switchback_core::Cursor;
use switchback_core::wire::{Event, ServerFrame};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::limits;

/// A frame as a WebSocket message, and as a part of an event stream where somebody wants that.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The JSON; a part of `message`.
    pub json: Utf8Bytes,
    /// A WebSocket message as it goes over the wire (RFC 6455 5.2).
    pub message: Bytes,
    /// Where its reader then stands, if it moves the cursor.
    cursor: Option<Cursor>,
    /// For event streams, made before the frame is seen if somebody has one, or for the first who comes later:
    /// where nobody has one, it would be half of what a frame weighs.
    streamed: OnceLock<Streamed>,
}

/// What a chunk has beside the JSON, at most: its size, an id, line ends.
const STREAMED_BYTES: usize = 64;

/// A frame as a part of an event stream.
#[derive(Debug)]
struct Streamed {
    /// See [`Frame::block`]; a part of `chunk`.
    block: Bytes,
    /// See [`Frame::chunk`].
    chunk: Bytes,
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
        let (message, json) = with_json(value, text);
        Arc::new(Self { json, message, cursor, streamed: OnceLock::new() })
    }

    /// The same as a block of an event stream (WHATWG HTML 9.2.5): `id:` if it moves the cursor, `data:`, an
    /// empty line.
    pub(crate) fn block(&self) -> &Bytes {
        &self.streamed().block
    }

    #[cfg(test)]
    pub(crate) fn is_streamed(&self) -> bool {
        self.streamed.get().is_some()
    }

    /// That block as a chunk of an answer without a length (RFC 9112 7.1), for who writes the stream itself.
    pub(crate) fn chunk(&self) -> &Bytes {
        &self.streamed().chunk
    }

    fn streamed(&self) -> &Streamed {
        self.streamed.get_or_init(|| Streamed::of(self.json.as_bytes(), self.cursor))
    }

    /// Its weight in memory in both framings, in bytes, whether or not there is the second yet.
    pub(crate) fn size_bytes(&self) -> usize {
        2 * self.message.len() + STREAMED_BYTES
    }
}

/// Encodes an answer, which one peer gets once: the message, and the JSON that is a part of it.
pub(crate) fn answer(frame: &ServerFrame) -> (Bytes, Utf8Bytes) {
    with_json(frame, text)
}

thread_local! {
    /// Where JSON is written before its length is known.
    static JSON: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn with_json<T>(value: &impl Serialize, frame: impl FnOnce(&[u8]) -> T) -> T {
    JSON.with_borrow_mut(|json| {
        json.clear();
        // These types have no maps with odd keys and no failing serializers; an object without a type that
        // is known is what a peer skips.
        if let Err(error) = serde_json::to_writer(&mut *json, value) {
            tracing::error!(%error, "a frame could not be encoded");
            json.clear();
            json.extend_from_slice(b"{\"type\":\"unencodable\"}");
        }
        let framed = frame(json);
        json.shrink_to(limits::JSON_KEPT_BYTES);
        framed
    })
}

/// A message of JSON, and its payload, which are the same bytes.
fn text(json: &[u8]) -> (Bytes, Utf8Bytes) {
    let message = message(Data::Text, json);
    let payload = message.slice(message.len() - json.len()..);
    // It was JSON a moment ago, which is UTF-8.
    (message, Utf8Bytes::try_from(payload).unwrap_or_default())
}

/// A whole message in one frame, as a server sends it: final and not masked (RFC 6455 5.2).
pub(crate) fn message(kind: Data, payload: &[u8]) -> Bytes {
    let header = FrameHeader { opcode: OpCode::Data(kind), ..FrameHeader::default() };
    let length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    let mut framed = BytesMut::with_capacity(header.len(length) + payload.len()).writer();
    // Writing to memory does not fail.
    drop(header.format(length, &mut framed));
    let mut framed = framed.into_inner();
    framed.put_slice(payload);
    framed.freeze()
}

/// The last chunk of an answer without a length (RFC 9112 7.1).
pub(crate) const LAST_CHUNK: Bytes = Bytes::from_static(b"0\r\n\r\n");

impl Streamed {
    /// JSON has no line ends outside of strings and escapes those inside: one `data:` line is enough.
    fn of(json: &[u8], cursor: Option<Cursor>) -> Self {
        const END: &[u8] = b"\r\n";
        let id = cursor.map(|cursor| format!("id: {cursor}\n")).unwrap_or_default();
        let parts = [id.as_bytes(), b"data: ", json, b"\n\n"];
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let size = format!("{length:x}\r\n");
        let mut chunk = BytesMut::with_capacity(size.len() + length + END.len());
        chunk.put_slice(size.as_bytes());
        for part in parts {
            chunk.put_slice(part);
        }
        chunk.put_slice(END);
        let chunk = chunk.freeze();
        Self { block: chunk.slice(size.len()..size.len() + length), chunk }
    }
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
        assert!(!frame.is_streamed(), "framed for event streams though nobody has one");
        assert_eq!(&frame.block()[..], b"id: abc.7\ndata: {\"type\":\"heartbeat\",\"cursor\":\"abc.7\"}\n\n");
        let size = format!("{:x}\r\n", frame.block().len());
        assert_eq!(frame.chunk(), &[size.as_bytes(), &frame.block()[..], b"\r\n"].concat());
        let epoch = "z".repeat(switchback_core::limits::EPOCH_CHARS);
        let frame = Frame::server(&ServerFrame::Heartbeat {
            cursor: format!("{epoch}.{}", i64::MAX).parse().unwrap(),
        });
        assert!(frame.message.len() + frame.chunk().len() <= frame.size_bytes());
    }

    #[test]
    fn a_message_is_one_final_unmasked_frame_of_any_length() {
        assert_eq!(&message(Data::Text, b"hi")[..], b"\x81\x02hi");
        assert_eq!(message(Data::Binary, &[7; 300])[..5], [0x82, 126, 1, 44, 7]);
        assert_eq!(message(Data::Text, &vec![7; 70_000])[..11], [0x81, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70, 7]);
        let frame = Frame::server(&ServerFrame::Heartbeat { cursor: "abc.7".parse().unwrap() });
        assert_eq!(&frame.message[..2], [0x81, u8::try_from(frame.json.len()).unwrap()]);
        assert_eq!(&frame.message[2..], frame.json.as_bytes());
    }

    #[test]
    fn an_ephemeral_frame_has_no_id() {
        let room = switchback_core::RoomId::from_uuid(uuid::Uuid::nil());
        let user = switchback_core::UserId::from_uuid(uuid::Uuid::nil());
        let frame = Frame::server(&ServerFrame::Typing { room, user });
        assert!(frame.block().starts_with(b"data: {\"type\":\"typing\""));
        let text = std::str::from_utf8(frame.block()).unwrap();
        assert_eq!(text.lines().count(), 2, "one line of data and an empty one");
    }
}
