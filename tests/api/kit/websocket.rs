//! WebSocket by hand (RFC 6455 5), so that frames can also be wrong.

use std::net::SocketAddr;

use serde_json::Value;

use super::Connection;
use super::http::Head;

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
/// The last frame of a message.
pub(crate) const FIN: u8 = 0x80;
/// A reserved bit that no extension has claimed.
pub(crate) const RSV1: u8 = 0x40;

/// The key of RFC 6455 1.3, and what it is answered with.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// An open WebSocket.
pub(crate) struct WebSocket {
    connection: Connection,
}

/// How a WebSocket ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    /// 1005: a close frame without a code; 1006: no close frame at all.
    pub(crate) code: u16,
    pub(crate) reason: String,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    Frame(Value),
    Closed(Closed),
}

/// A handshake as browsers send it. `headers` are whole lines.
pub(crate) fn handshake(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: chat.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{headers}\r\n"
    )
}

impl WebSocket {
    pub(crate) async fn open(address: SocketAddr, path: &str, headers: &str) -> Self {
        let mut connection = Connection::open(address).await;
        connection.send(handshake(path, headers)).await;
        let head = connection.head().await;
        Self::after(connection, &head)
    }

    /// On a connection whose 101 was read.
    pub(crate) fn after(connection: Connection, head: &Head) -> Self {
        assert_eq!((head.status, head.header("sec-websocket-accept")), (101, Some(ACCEPT)), "{head:?}");
        Self::upgraded(connection)
    }

    /// On a connection that is a WebSocket already.
    pub(crate) const fn upgraded(connection: Connection) -> Self {
        Self { connection }
    }

    pub(crate) async fn command(&mut self, command: &Value) {
        self.frame(FIN | TEXT, command.to_string().as_bytes()).await;
    }

    /// Sends one masked frame.
    pub(crate) async fn frame(&mut self, first_byte: u8, payload: &[u8]) {
        let frame = frame(first_byte, payload);
        self.connection.send(frame).await;
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        self.connection.send(bytes).await;
    }

    /// The next frame of the protocol, or the end.
    pub(crate) async fn next(&mut self) -> Next {
        loop {
            let Some((opcode, payload)) = self.read().await else {
                return Next::Closed(Closed { code: 1006, reason: String::new() });
            };
            match opcode {
                TEXT => return Next::Frame(serde_json::from_slice(&payload).unwrap()),
                CLOSE => {
                    let code = payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
                    let reason = String::from_utf8(payload.get(2..).unwrap_or_default().to_vec()).unwrap();
                    return Next::Closed(Closed { code, reason });
                }
                _ => {}
            }
        }
    }

    /// The next frame, which must be one.
    pub(crate) async fn json(&mut self) -> Value {
        match self.next().await {
            Next::Frame(frame) => frame,
            Next::Closed(closed) => panic!("{closed:?}"),
        }
    }

    /// Reads on to a frame of this type.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.json().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// Reads on to the end, with the frames on the way.
    pub(crate) async fn closed(&mut self) -> (Vec<Value>, Closed) {
        let mut frames = Vec::new();
        loop {
            match self.next().await {
                Next::Frame(frame) => frames.push(frame),
                Next::Closed(closed) => return (frames, closed),
            }
        }
    }

    /// Reads on to a control frame, with its payload.
    pub(crate) async fn control(&mut self, wanted: u8) -> Vec<u8> {
        loop {
            let (opcode, payload) = self.read().await.unwrap();
            if opcode == wanted {
                return payload;
            }
        }
    }

    /// One frame: opcode and payload; `None`: the connection is at its end.
    async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        if self.connection.at_end().await {
            return None;
        }
        let head = self.connection.take(2).await;
        assert_eq!(head[0] & 0x70, 0, "a reserved bit is set");
        assert_eq!(head[1] & 0x80, 0, "a server's frame is masked");
        let length = match head[1] & 0x7f {
            126 => {
                let bytes = self.connection.take(2).await;
                usize::from(u16::from_be_bytes(bytes.try_into().unwrap()))
            }
            127 => {
                let bytes = self.connection.take(8).await;
                usize::try_from(u64::from_be_bytes(bytes.try_into().unwrap())).unwrap()
            }
            short => usize::from(short),
        };
        Some((head[0] & 0x0f, self.connection.take(length).await))
    }
}

/// A masked frame.
pub(crate) fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first_byte];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | u8::try_from(short).unwrap()),
        middle @ 126..=0xffff => {
            frame.push(0x80 | 0x7e);
            frame.extend(u16::try_from(middle).unwrap().to_be_bytes());
        }
        long => {
            frame.push(0x80 | 0x7f);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
