//! A client's ways in over the simulated network: the real framings, read by the real parsers.

use std::collections::VecDeque;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{AUTHORIZATION, HOST};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use switchback_client::sse_parser::SseParser;
use switchback_core::wire::{Ack, CommandError, CommandId, Incoming, Problem, ServerFrame, Transport};
use switchback_server::simulation::Node;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::wire::End;

/// It broke, or ended.
#[derive(Debug)]
pub(crate) struct Broken;

/// Digits of a status before the body.
const STATUS_BYTES: usize = 3;

/// A request as a client sends it.
pub(crate) fn request(method: Method, path: &str, token: &str, body: Bytes) -> Request<Bytes> {
    let request = Request::builder().method(method).uri(path).header(HOST, "chat.test");
    let request = request.header("content-type", "application/json").header("accept", "*/*");
    request.header(AUTHORIZATION, format!("Bearer {token}")).body(body).unwrap()
}

/// The node's side of one request: its status, then its body as it comes.
pub(crate) async fn serve(node: Node, request: Request<Bytes>, mut end: End) {
    let answer = node.answer(request).await;
    let status = answer.status().as_u16().to_string();
    let mut body = answer.into_body();
    if end.write_all(status.as_bytes()).await.is_err() {
        return;
    }
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        if end.write_all(&data).await.is_err() {
            return;
        }
    }
    drop(end.shutdown().await);
}

/// The node's side of a WebSocket after its handshake.
pub(crate) async fn serve_websocket(node: Node, request: Request<Bytes>, end: End) {
    node.websocket(request.map(drop), end).await;
}

/// An answer's status and whole body.
pub(crate) async fn whole(mut end: End) -> Result<(u16, Vec<u8>), Broken> {
    let mut bytes = Vec::new();
    end.read_to_end(&mut bytes).await.map_err(|_| Broken)?;
    let (status, body) = bytes.split_at_checked(STATUS_BYTES).ok_or(Broken)?;
    let status = std::str::from_utf8(status).ok().and_then(|text| text.parse().ok()).ok_or(Broken)?;
    Ok((status, body.to_vec()))
}

/// What became of a command by POST; `None`: nobody knows.
pub(crate) async fn posted(end: End, id: Option<CommandId>) -> (Option<CommandId>, Option<ServerFrame>) {
    let Ok((status, body)) = whole(end).await else { return (id, None) };
    if status == 200
        && let Ok(ack) = serde_json::from_slice::<Ack>(&body)
    {
        return (id.clone(), Some(ServerFrame::Ack(Ack { id, ..ack })));
    }
    if let Ok(problem) = serde_json::from_slice::<Problem>(&body) {
        let Problem { detail, code, retry, field, retry_after_ms, .. } = problem;
        let error = CommandError { id: id.clone(), code, detail, retry, field, retry_after_ms };
        return (id, Some(ServerFrame::Error(error)));
    }
    (id, None)
}

/// An open way in.
pub(crate) enum Line {
    WebSocket(Box<WebSocketStream<End>>),
    Stream(Box<Stream>),
}

/// An event stream, endless or one batch.
pub(crate) struct Stream {
    end: End,
    /// Bytes of the status that are still to come.
    status: usize,
    parser: SseParser,
    ready: VecDeque<String>,
}

impl Line {
    pub(crate) async fn new(transport: Transport, end: End) -> Self {
        match transport {
            Transport::Websocket => {
                Self::WebSocket(Box::new(WebSocketStream::from_raw_socket(end, Role::Client, None).await))
            }
            Transport::Sse | Transport::Batch => Self::Stream(Box::new(Stream {
                end,
                status: STATUS_BYTES,
                parser: SseParser::new(),
                ready: VecDeque::new(),
            })),
        }
    }

    /// The next frame. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Incoming, Broken> {
        let json = match self {
            Self::WebSocket(socket) => loop {
                match socket.next().await {
                    Some(Ok(Message::Text(text))) => break text.as_str().to_owned(),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    _ => return Err(Broken),
                }
            },
            Self::Stream(stream) => stream.next().await?,
        };
        Incoming::parse(&json).map_err(|_| Broken)
    }

    /// Sends a command the way in on which it can go; `false`: it goes by POST.
    pub(crate) async fn send(&mut self, json: String) -> Result<(), Broken> {
        match self {
            Self::WebSocket(socket) => socket.send(Message::text(json)).await.map_err(|_| Broken),
            Self::Stream(_) => Err(Broken),
        }
    }

    pub(crate) const fn takes_commands(&self) -> bool {
        matches!(self, Self::WebSocket(_))
    }
}

impl Stream {
    async fn next(&mut self) -> Result<String, Broken> {
        loop {
            if let Some(json) = self.ready.pop_front() {
                return Ok(json);
            }
            let mut buffer = [0; 4096];
            let count = Pin::new(&mut self.end).read(&mut buffer).await.map_err(|_| Broken)?;
            if count == 0 {
                return Err(Broken);
            }
            let skipped = self.status.min(count);
            self.status -= skipped;
            let mut chunk = &buffer[skipped..count];
            while let Some(event) = self.parser.next(&mut chunk).map_err(|_| Broken)? {
                self.ready.push_back(event.data);
            }
        }
    }
}
