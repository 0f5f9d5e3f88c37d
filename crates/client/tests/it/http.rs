//! As much HTTP/1.1 as the fake server needs, written by hand so that it can also be done wrong.

use std::collections::HashMap;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::kit;

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    query: HashMap<String, String>,
    headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
}

pub(crate) async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pair = |text: &str, by: char| {
        text.split_once(by).map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers: HashMap<_, _> = lines.filter_map(|line| pair(line, ':')).collect();
    let query = query.split('&').filter_map(|text| pair(text, '=')).collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { method, path: path.to_owned(), query, headers, body })
}

pub(crate) async fn respond(stream: &mut TcpStream, status: u16, media_type: &str, body: &str) {
    respond_cut(stream, media_type_and_status(status, media_type), body, body.len()).await;
}

/// Announces the whole body and sends the first part of it.
pub(crate) async fn respond_cut<'a>(
    stream: &mut TcpStream,
    head: impl Into<Head<'a>>,
    body: &str,
    sent: usize,
) {
    let Head { status, media_type } = head.into();
    let head = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n\r\n{}",
        body.len(),
        &body[..sent]
    );
    // The client may have gone: that is its right.
    let _ = stream.write_all(head.as_bytes()).await;
}

pub(crate) struct Head<'a> {
    status: u16,
    media_type: &'a str,
}

const fn media_type_and_status(status: u16, media_type: &str) -> Head<'_> {
    Head { status, media_type }
}

impl<'a> From<&'a str> for Head<'a> {
    fn from(media_type: &'a str) -> Self {
        media_type_and_status(200, media_type)
    }
}

/// An answer to a command or a REST request: a problem has its own status and type.
pub(crate) async fn respond_json(stream: &mut TcpStream, body: &Value) {
    if body["type"] == "error" {
        let problem = kit::problem(body);
        respond(stream, 503, "application/problem+json", &problem.to_string()).await;
    } else {
        respond(stream, 200, "application/json", &body.to_string()).await;
    }
}

pub(crate) async fn respond_signed_in(stream: &mut TcpStream, request: &Request) {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    if body["password"] != "correct horse" {
        let problem = kit::problem(&kit::error(&Value::Null, "unauthorized", false, None));
        respond(stream, 401, "application/problem+json", &problem.to_string()).await;
        return;
    }
    let body = serde_json::json!({"user": kit::user(), "session": null}).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nset-cookie: other=1\r\n\
         set-cookie: switchback_session=s3cret; HttpOnly; Path=/\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).await;
}

pub(crate) async fn switch_protocols(stream: &mut TcpStream, accept: &str) {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: switchback.v1\r\n\r\n"
    );
    let _ = stream.write_all(head.as_bytes()).await;
}

pub(crate) async fn begin_stream(stream: &mut TcpStream) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let _ = stream.write_all(head.as_bytes()).await;
}

/// One event as one chunk; `None`: nobody is there.
pub(crate) async fn write_event(stream: &mut TcpStream, frame: &Value) -> Option<()> {
    let event = format!("data: {frame}\n\n");
    let chunk = format!("{:x}\r\n{event}\r\n", event.len());
    stream.write_all(chunk.as_bytes()).await.ok()
}
