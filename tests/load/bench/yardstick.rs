//! The yardstick: what fan-out costs when nothing but the fan-out is done. One thread, one epoll, a
//! handshake, and then one `write` of shared, pre-framed bytes for each listener of a room.
//!
//! It knows nothing of accounts, order, slow readers that lose their place or anything kept: a server
//! that does all that is measured by how close it comes.
//!
//! `/ws?room=N` and `/sse?room=N` listen. A text message over the WebSocket, or `POST /post?room=N`,
//! speaks to the room. A process of its own, so that the system counts what it takes.

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Of the listening socket; connections are counted from 0.
const LISTENER: Token = Token(usize::MAX);
/// Bytes read at once, for all connections together.
const READ_BYTES: usize = 64 * 1024;
/// Ready sockets taken from the kernel at once.
const EVENTS: usize = 1_024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    listen: SocketAddr,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut listener = TcpListener::bind(args.listen)?;
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut yardstick =
        Yardstick { poll, listener, peers: Vec::new(), free: Vec::new(), rooms: HashMap::new() };
    let (mut events, mut buffer) = (Events::with_capacity(EVENTS), vec![0; READ_BYTES]);
    loop {
        match yardstick.poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            done => done?,
        }
        for event in &events {
            match event.token() {
                LISTENER => yardstick.accept()?,
                Token(id) => {
                    if event.is_writable() {
                        yardstick.write(id, &[]);
                    }
                    if event.is_readable() {
                        yardstick.read(id, &mut buffer);
                    }
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Its request is not read yet, or it only posts.
    Http,
    Websocket,
    Sse,
}

struct Peer {
    stream: TcpStream,
    way: Way,
    room: u32,
    /// What came and is not whole yet.
    coming: Vec<u8>,
    /// What the socket had no room for.
    going: Vec<u8>,
}

struct Yardstick {
    poll: Poll,
    listener: TcpListener,
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
    rooms: HashMap<u32, Vec<usize>>,
}

impl Yardstick {
    fn accept(&mut self) -> Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.set_nodelay(true)?;
            let id = self.free.pop().unwrap_or(self.peers.len());
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(id), interest)?;
            let peer = Peer { stream, way: Way::Http, room: 0, coming: Vec::new(), going: Vec::new() };
            if id == self.peers.len() {
                self.peers.push(Some(peer));
            } else {
                self.peers[id] = Some(peer);
            }
        }
    }

    fn read(&mut self, id: usize, buffer: &mut [u8]) {
        loop {
            let Some(peer) = &mut self.peers[id] else { return };
            match peer.stream.read(buffer) {
                Ok(0) => return self.leave(id),
                Ok(count) => {
                    peer.coming.extend_from_slice(&buffer[..count]);
                    while let Some(said) = self.next(id) {
                        self.tell(said.0, &said.1);
                    }
                    // Not filled: the socket is empty.
                    if count < buffer.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.leave(id),
            }
        }
    }

    fn leave(&mut self, id: usize) {
        if let Some(peer) = self.peers[id].take() {
            if let Some(room) = self.rooms.get_mut(&peer.room) {
                room.retain(|other| *other != id);
            }
            self.free.push(id);
        }
    }

    /// What somebody says next to which room, once it has come whole. `None` too where they say
    /// something that needs no more than an answer.
    fn next(&mut self, id: usize) -> Option<(u32, Vec<u8>)> {
        let peer = self.peers[id].as_mut()?;
        if peer.way == Way::Websocket {
            let text = unframe(&mut peer.coming)?;
            return Some((peer.room, text));
        }
        let head = memmem::find(&peer.coming, b"\r\n\r\n")? + 4;
        let request = Request::parse(&peer.coming[..head]).unwrap_or_default();
        if peer.coming.len() < head + request.length {
            return None;
        }
        let body = peer.coming[head..head + request.length].to_vec();
        peer.coming.drain(..head + request.length);
        let (answer, said) = match (request.way, request.accept) {
            (Way::Websocket, Some(accept)) => (switching(&accept), None),
            (Way::Sse, _) => (STREAM.to_vec(), None),
            (Way::Http, _) => (DONE.to_vec(), Some((request.room, body))),
            (Way::Websocket, None) => (BAD.to_vec(), None),
        };
        peer.room = request.room;
        peer.way = request.way;
        if said.is_none() {
            self.rooms.entry(request.room).or_default().push(id);
        }
        self.write(id, &answer);
        said
    }

    /// The fan-out that everything is measured by.
    fn tell(&mut self, room: u32, text: &[u8]) {
        let (frame, block) = (frame(text), [b"data: ", text, b"\n\n"].concat());
        let listeners = self.rooms.get(&room).cloned().unwrap_or_default();
        for id in listeners {
            let is_stream = self.peers[id].as_ref().is_some_and(|peer| peer.way == Way::Sse);
            self.write(id, if is_stream { &block } else { &frame });
        }
    }

    fn write(&mut self, id: usize, bytes: &[u8]) {
        let Some(peer) = &mut self.peers[id] else { return };
        if !peer.going.is_empty() {
            peer.going.extend_from_slice(bytes);
            let written = write(&mut peer.stream, &peer.going);
            peer.going.drain(..written);
            return;
        }
        if !bytes.is_empty() {
            let written = write(&mut peer.stream, bytes);
            peer.going.extend_from_slice(&bytes[written..]);
        }
    }
}

/// As much as there is room for. That a connection is broken is seen where it is read.
fn write(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    written
}

const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n";
const DONE: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
const BAD: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

fn switching(accept: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}

struct Request {
    way: Way,
    room: u32,
    length: usize,
    accept: Option<String>,
}

impl Default for Request {
    fn default() -> Self {
        Self { way: Way::Websocket, room: 0, length: 0, accept: None }
    }
}

impl Request {
    fn parse(head: &[u8]) -> Result<Self> {
        let head = std::str::from_utf8(head)?;
        let path = head.split(' ').nth(1).context("no path")?;
        let (path, query) = path.split_once('?').context("no query")?;
        let room = query.strip_prefix("room=").context("no room")?.parse()?;
        let way = match path {
            "/ws" => Way::Websocket,
            "/sse" => Way::Sse,
            _ => Way::Http,
        };
        let field = |wanted: &str| {
            let value = |line: &str| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
            };
            head.lines().find_map(value)
        };
        let length = field("content-length").map_or(Ok(0), |length| length.parse())?;
        let accept = field("sec-websocket-key").map(|key| derive_accept_key(key.as_bytes()));
        Ok(Self { way, room, length, accept })
    }
}

/// A text message as a server frames it (RFC 6455 5.2).
fn frame(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    super::wire::length(&mut frame, text.len(), 0);
    frame.extend_from_slice(text);
    frame
}

/// Takes a client's next frame off `coming`, once it is there whole. Any frame's payload is text
/// here: nobody measures with a close or a ping.
fn unframe(coming: &mut Vec<u8>) -> Option<Vec<u8>> {
    let (short, at) = (usize::from(*coming.get(1)? & 0x7f), 2);
    let (length, at) = match short {
        126 => (usize::from(u16::from_be_bytes(coming.get(at..at + 2)?.try_into().ok()?)), at + 2),
        127 => (usize::try_from(u64::from_be_bytes(coming.get(at..at + 8)?.try_into().ok()?)).ok()?, at + 8),
        short => (short, at),
    };
    let mask: [u8; 4] = coming.get(at..at + 4)?.try_into().ok()?;
    let mut text = coming.get(at + 4..at + 4 + length)?.to_vec();
    text.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    coming.drain(..at + 4 + length);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_off_when_it_is_whole() {
        let whole = super::super::wire::masked(&[b'x'; 300]);
        let mut coming = whole[..whole.len() - 1].to_vec();
        assert_eq!(unframe(&mut coming), None);
        coming.push(b'x');
        assert_eq!(unframe(&mut coming), Some(vec![b'x'; 300]));
        assert!(coming.is_empty());
        assert_eq!(frame(b"hi"), b"\x81\x02hi");
    }

    #[test]
    fn a_request_says_where_it_wants_to_listen() {
        let head = b"GET /sse?room=7 HTTP/1.1\r\nHost: x\r\n\r\n";
        assert!(Request::parse(head).is_ok_and(|request| request.way == Way::Sse && request.room == 7));
        let post = b"POST /post?room=1 HTTP/1.1\r\ncontent-length: 5\r\n\r\n";
        assert!(Request::parse(post).is_ok_and(|request| request.way == Way::Http && request.length == 5));
    }
}
