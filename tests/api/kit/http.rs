//! HTTP/1.1 by hand: what is sent is exactly what the test wrote, what comes back is kept as it came.

use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;

/// A byte stream: TCP, or TLS over it.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection and what was read from it beyond what was asked for.
pub(crate) struct Connection {
    stream: Box<dyn Io>,
    buffer: Vec<u8>,
}

/// An answer's head.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// As it came.
    pub(crate) text: String,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The code of a problem, after checking that it is a proper one.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.head.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{self:?}");
        let code = problem["code"].as_str().unwrap();
        assert_eq!(problem["type"], format!("urn:switchback:error:{code}"));
        code.to_owned()
    }
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A request with a JSON body, or with none. `headers` are whole lines.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: chat.test\r\n{headers}");
    if !body.is_empty() {
        let _ = write!(request, "Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    }
    request + "\r\n" + body
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await.unwrap().unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(Box::new(stream))
    }

    pub(crate) fn over(stream: Box<dyn Io>) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends; `false`: the other end does not take it any more.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Sends a request and reads the answer, which must end.
    pub(crate) async fn exchange(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request).await;
        self.answer().await
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        let body = match (head.header("content-length"), head.header("transfer-encoding")) {
            _ if matches!(head.status, 101 | 204 | 304) => Vec::new(),
            (Some(length), _) => self.take(length.parse().unwrap()).await,
            (None, Some(_)) => {
                let mut body = Vec::new();
                while let Some(chunk) = self.chunk().await {
                    body.extend(chunk);
                }
                body
            }
            (None, None) => Vec::new(),
        };
        Answer { status: head.status, head, body: String::from_utf8(body).unwrap() }
    }

    /// Reads an answer's head.
    pub(crate) async fn head(&mut self) -> Head {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end;
            }
            assert!(self.fill().await, "the connection ended in the head: {:?}", self.text());
        };
        let text = String::from_utf8(self.buffer.drain(..end + 4).collect()).unwrap();
        let mut lines = text.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let pair = |line: &str| {
            line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers = lines.filter_map(pair).collect();
        Head { status, headers, text }
    }

    /// The first line of whatever comes; empty if nothing does.
    pub(crate) async fn first_line(&mut self) -> String {
        while !self.buffer.contains(&b'\n') && self.fill().await {}
        self.text().lines().next().unwrap_or_default().to_owned()
    }

    /// One chunk of a chunked body; `None` after the last.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = loop {
            if let Some(end) = self.buffer.windows(2).position(|bytes| bytes == b"\r\n") {
                break end;
            }
            if !self.fill().await {
                return None;
            }
        };
        let line = String::from_utf8(self.buffer.drain(..end + 2).collect()).unwrap();
        let size = usize::from_str_radix(line.trim(), 16).unwrap();
        let mut chunk = self.take(size + 2).await;
        chunk.truncate(size);
        (size > 0).then_some(chunk)
    }

    /// Exactly so many bytes.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            assert!(self.fill().await, "the connection ended early: {:?}", self.text());
        }
        self.buffer.drain(..count).collect()
    }

    /// Whether nothing more comes.
    pub(crate) async fn at_end(&mut self) -> bool {
        self.buffer.is_empty() && !self.fill().await
    }

    /// Whether the other end has closed, after reading whatever it still said.
    pub(crate) async fn closed(&mut self) -> String {
        while self.fill().await {}
        self.text()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// Reads something; `false` at the end. A silent peer fails the test.
    async fn fill(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await.unwrap();
        read.is_ok_and(|bytes| bytes > 0)
    }
}

/// An event stream's frames, read as its standard says.
pub(crate) struct Events {
    connection: Connection,
    text: Vec<u8>,
    pub(crate) head: Head,
}

impl Events {
    /// Opens an event stream.
    pub(crate) async fn open(address: SocketAddr, path: &str, headers: &str) -> Self {
        let mut connection = Connection::open(address).await;
        let headers = format!("Accept: text/event-stream\r\n{headers}");
        connection.send(request("GET", path, &headers, "")).await;
        Self::after(connection).await
    }

    /// On a connection on which one was asked for.
    pub(crate) async fn after(mut connection: Connection) -> Self {
        let head = connection.head().await;
        assert_eq!(head.status, 200, "{head:?}");
        Self { connection, text: Vec::new(), head }
    }

    /// The next frame with the cursor in its `id`; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<(Value, Option<String>)> {
        loop {
            if let Some(end) = self.text.windows(2).position(|bytes| bytes == b"\n\n") {
                let block = String::from_utf8(self.text.drain(..end + 2).collect()).unwrap();
                return Some(frame(&block));
            }
            let chunk = self.connection.chunk().await?;
            self.text.extend(chunk);
        }
    }
}

/// The frames of a finished body.
pub(crate) fn frames(body: &str) -> Vec<Value> {
    body.split_terminator("\n\n").map(|block| frame(block).0).collect()
}

fn frame(block: &str) -> (Value, Option<String>) {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
    (serde_json::from_str(field("data:").unwrap()).unwrap(), field("id:").map(str::to_owned))
}
