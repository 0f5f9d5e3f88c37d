//! One open way in, seen as the frames it brings: WebSocket, event stream or batches.
//!
//! Lean on purpose: thousands of these share a machine with the server they measure, so a frame is
//! handed on as its text and nobody reads more of it than needed.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::StreamExt as _;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use socket2::SockRef;
use switchback_client::Transport;
use switchback_client::limits::BATCH_PAUSE;
use switchback_core::Cursor;
use switchback_core::limits::BATCH_WAIT_DEFAULT_S;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::frame::Frame;
use crate::http::{Head, Http, find};
use crate::limits;

/// Where to, and by what right.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
}

impl Target {
    pub(crate) fn authorization(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }
}

/// How much may be under way on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breadth {
    /// What the kernel grants between two programs of one machine: megabytes.
    Wide,
    /// As over a real network: segments of an Ethernet's size, which is what the peer sizes its send
    /// buffer by, and a small receive buffer.
    Narrow,
}

/// Why there is no connection, or no longer.
#[derive(Debug)]
pub(crate) struct Lost {
    /// What the server asked for: `bye.retry_ms`, `Retry-After`.
    pub(crate) after: Option<Duration>,
    pub(crate) why: String,
    /// Nobody listens: another way in would find the same.
    pub(crate) unreachable: bool,
}

impl Lost {
    pub(crate) fn broken(why: impl std::fmt::Display) -> Self {
        Self { after: None, why: format!("{why}"), unreachable: false }
    }

    fn refused(head: &Head) -> Self {
        let why = format!("refused with {}", head.status);
        Self { after: head.retry_after, why, unreachable: false }
    }
}

/// A line that has said `hello`.
pub(crate) struct Line {
    pub(crate) transport: Transport,
    /// When its `hello` was there.
    pub(crate) opened_at: Instant,
    /// Where its `hello` says that it began.
    pub(crate) began: Cursor,
    kind: Kind,
}

enum Kind {
    Socket(Box<WebSocketStream<TcpStream>>),
    Stream { http: Http, text: Vec<u8> },
    Batch(Batch),
}

/// The answers to requests that end.
struct Batch {
    http: Http,
    authorization: String,
    waiting: VecDeque<String>,
    /// Where the next one begins: cursor and position among the ephemeral frames.
    next: Option<(String, u64)>,
    /// The last one brought something.
    brought: bool,
}

impl Line {
    /// Opens it; done when its `hello` is there.
    pub(crate) async fn open(
        target: &Target,
        transport: Transport,
        cursor: Option<Cursor>,
    ) -> Result<Self, Lost> {
        Self::open_as(target, transport, cursor, Breadth::Wide).await
    }

    /// The same for a connection of this breadth; batches are always wide.
    pub(crate) async fn open_as(
        target: &Target,
        transport: Transport,
        cursor: Option<Cursor>,
        breadth: Breadth,
    ) -> Result<Self, Lost> {
        let query = cursor.map_or_else(String::new, |cursor| format!("after={cursor}"));
        let kind = match transport {
            Transport::Websocket => Kind::Socket(Box::new(socket(target, &query, breadth).await?)),
            Transport::Sse => Kind::Stream { http: stream(target, &query, breadth).await?, text: Vec::new() },
            Transport::Batch => Kind::Batch(Batch::open(target, &query).await?),
        };
        let unknown = Cursor { epoch: "unknown".parse().map_err(Lost::broken)?, seq: 0 };
        let mut line = Self { transport, opened_at: Instant::now(), began: unknown, kind };
        let hello = line.next().await?;
        line.opened_at = Instant::now();
        line.began = began(&hello).ok_or_else(|| Lost::broken(format!("began with {hello:.80}")))?;
        Ok(line)
    }

    /// The next frame's text. Not to be used again after an error.
    pub(crate) async fn next(&mut self) -> Result<String, Lost> {
        match &mut self.kind {
            Kind::Socket(socket) => next_message(socket).await,
            Kind::Stream { http, text } => next_block(http, text).await.map_err(Lost::broken),
            Kind::Batch(batch) => {
                if batch.waiting.is_empty() {
                    batch.ask().await?;
                }
                batch.waiting.pop_front().ok_or_else(|| Lost::broken("an empty batch"))
            }
        }
    }

    /// Closes it as a client does that ends in good order.
    pub(crate) async fn close(self) {
        if let Kind::Socket(mut socket) = self.kind {
            // The other end may be gone already.
            let _ = socket.close(None).await;
        }
    }
}

/// Where a `hello` says that the line begins.
fn began(hello: &str) -> Option<Cursor> {
    let frame = Frame::read(hello).ok().filter(|frame| frame.kind == "hello")?;
    frame.cursor?.parse().ok()
}

async fn dial(target: &Target, breadth: Breadth) -> Result<TcpStream, Lost> {
    let refused = |error: std::io::Error| Lost { unreachable: true, ..Lost::broken(error) };
    let stream = match breadth {
        Breadth::Wide => TcpStream::connect(target.address).await,
        Breadth::Narrow => narrow(target.address).await,
    };
    let stream = stream.map_err(refused)?;
    stream.set_nodelay(true).map_err(refused)?;
    Ok(stream)
}

async fn narrow(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(limits::NARROW_RECEIVE_BYTES)?;
    SockRef::from(&socket).set_tcp_mss(limits::NARROW_SEGMENT_BYTES)?;
    socket.connect(address).await
}

async fn socket(target: &Target, query: &str, breadth: Breadth) -> Result<WebSocketStream<TcpStream>, Lost> {
    let uri = format!("ws://{}/chat?{query}", target.address);
    let mut request = uri.into_client_request().map_err(Lost::broken)?;
    let bearer = HeaderValue::try_from(format!("Bearer {}", target.token)).map_err(Lost::broken)?;
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let config = WebSocketConfig::default()
        .read_buffer_size(limits::READ_BUFFER_BYTES)
        .max_message_size(Some(limits::FRAME_BYTES))
        .max_frame_size(Some(limits::FRAME_BYTES));
    let stream = dial(target, breadth).await?;
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => {
            let seconds =
                answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            let why = format!("refused with {}", answer.status());
            Err(Lost { after: seconds.map(Duration::from_secs), why, unreachable: false })
        }
        Err(error) => Err(Lost::broken(error)),
    }
}

async fn next_message(socket: &mut WebSocketStream<TcpStream>) -> Result<String, Lost> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Close(frame))) => return Err(Lost::broken(format!("closed: {frame:?}"))),
            Some(Ok(Message::Binary(_))) => return Err(Lost::broken("a binary message")),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(Lost::broken(error)),
            None => return Err(Lost::broken("the WebSocket ended")),
        }
    }
}

async fn connect(target: &Target) -> Result<Http, Lost> {
    Http::dial(target.address).await.map_err(|error| Lost { unreachable: true, ..Lost::broken(error) })
}

async fn stream(target: &Target, query: &str, breadth: Breadth) -> Result<Http, Lost> {
    let mut http = Http::over(dial(target, breadth).await?);
    let headers = format!("Accept: text/event-stream\r\n{}", target.authorization());
    let head = http.ask("GET", &format!("/chat?{query}"), &headers, "").await.map_err(Lost::broken)?;
    if head.status == 200 { Ok(http) } else { Err(Lost::refused(&head)) }
}

async fn next_block(http: &mut Http, text: &mut Vec<u8>) -> Result<String> {
    loop {
        if let Some(end) = find(text, b"\n\n") {
            let block: Vec<u8> = text.drain(..end + 2).collect();
            return data(std::str::from_utf8(&block)?);
        }
        match http.chunk().await? {
            Some(chunk) => text.extend(chunk),
            None => bail!("the event stream ended"),
        }
    }
}

/// A block's `data`, which the server writes on one line.
fn data(block: &str) -> Result<String> {
    let line = block.lines().find_map(|line| line.strip_prefix("data:"));
    Ok(line.context("a block without data")?.trim_start().to_owned())
}

impl Batch {
    async fn open(target: &Target, query: &str) -> Result<Self, Lost> {
        let http = connect(target).await?;
        let authorization = target.authorization();
        let mut batch = Self { http, authorization, waiting: VecDeque::new(), next: None, brought: true };
        batch.get(&format!("/chat?mode=batch&wait=0&{query}")).await?;
        Ok(batch)
    }

    async fn ask(&mut self) -> Result<(), Lost> {
        let Some((after, seen)) = self.next.take() else {
            return Err(Lost::broken("a batch ended before it was ready"));
        };
        if !self.brought {
            sleep(BATCH_PAUSE).await;
        }
        let path = format!("/chat?mode=batch&wait={BATCH_WAIT_DEFAULT_S}&after={after}&seen={seen}");
        self.get(&path).await?;
        // Each begins with a `hello`, which is news only once.
        self.waiting.pop_front();
        Ok(())
    }

    async fn get(&mut self, path: &str) -> Result<(), Lost> {
        let head = self.http.ask("GET", path, &self.authorization, "").await.map_err(Lost::broken)?;
        let body = self.http.body(&head).await.map_err(Lost::broken)?;
        if head.status != 200 {
            return Err(Lost::refused(&head));
        }
        for block in body.split_terminator("\n\n") {
            self.waiting.push_back(data(block).map_err(Lost::broken)?);
        }
        let ready = self.waiting.iter().rev().find_map(|text| {
            let frame = Frame::read(text).ok()?;
            (frame.kind == "ready").then(|| Some((frame.cursor?.to_owned(), frame.seen?)))?
        });
        self.next = ready;
        // `hello` and `ready` alone are nothing.
        self.brought = self.waiting.len() > 2;
        Ok(())
    }
}
