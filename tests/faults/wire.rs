//! HTTP/1.1 by hand for clients under bad networks: every failure is an error that the caller goes on
//! from, and nothing waits for ever.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For a connection to open.
const CONNECT: Duration = Duration::from_secs(5);

pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The longest time without a byte.
    patience: Duration,
}

pub(crate) struct Head {
    pub(crate) status: u16,
    lines: Vec<String>,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.lines.iter().filter_map(|line| line.split_once(':'));
        pairs.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

pub(crate) async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = timeout(CONNECT, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Wire {
    pub(crate) async fn ask(
        address: SocketAddr,
        patience: Duration,
        (method, path): (&str, &str),
        headers: &str,
        body: &str,
    ) -> Result<(Self, Head)> {
        let mut wire = Self { stream: connect(address).await?, buffer: Vec::new(), patience };
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())
        };
        let request = format!("{method} {path} HTTP/1.1\r\nHost: chat.test\r\n{headers}{length}\r\n{body}");
        timeout(patience, wire.stream.write_all(request.as_bytes())).await??;
        let head = wire.head().await?;
        Ok((wire, head))
    }

    async fn fill(&mut self) -> Result<()> {
        match timeout(self.patience, self.stream.read_buf(&mut self.buffer)).await?? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Up to and with the mark.
    async fn until(&mut self, mark: &[u8]) -> Result<String> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|bytes| bytes == mark) {
                let bytes = self.buffer.drain(..at + mark.len()).collect();
                return String::from_utf8(bytes).map_err(|_| broken("not UTF-8"));
            }
            self.fill().await?;
        }
    }

    async fn take(&mut self, count: usize) -> Result<Vec<u8>> {
        while self.buffer.len() < count {
            self.fill().await?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    async fn head(&mut self) -> Result<Head> {
        let text = self.until(b"\r\n\r\n").await?;
        let mut lines = text.lines().map(str::to_owned);
        let first = lines.next().unwrap_or_default();
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok(Head { status: status.ok_or_else(|| broken("no status"))?, lines: lines.collect() })
    }

    /// The next piece of a chunked body; `None` after the last.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let line = self.until(b"\r\n").await?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(|_| broken("no chunk"))?;
        let mut chunk = self.take(size + 2).await?;
        chunk.truncate(size);
        Ok((size > 0).then_some(chunk))
    }

    pub(crate) async fn body(&mut self, head: &Head) -> Result<Vec<u8>> {
        if let Some(length) = head.header("content-length") {
            return self.take(length.parse().map_err(|_| broken("no length"))?).await;
        }
        let mut body = Vec::new();
        if head.header("transfer-encoding").is_none() {
            return Ok(body);
        }
        while let Some(chunk) = self.chunk().await? {
            body.extend(chunk);
        }
        Ok(body)
    }
}

/// A request and its whole answer.
pub(crate) async fn exchange(
    address: SocketAddr,
    patience: Duration,
    line: (&str, &str),
    token: &str,
    body: &str,
) -> Result<(Head, Value)> {
    let headers = format!("Authorization: Bearer {token}\r\nConnection: close\r\n");
    let work = async {
        let (mut wire, head) = Wire::ask(address, patience, line, &headers, body).await?;
        let body = wire.body(&head).await?;
        Ok((head, serde_json::from_slice(&body).unwrap_or_default()))
    };
    timeout(patience, work).await?
}

/// Takes the finished events out of what came of an event stream.
pub(crate) fn frames(text: &mut Vec<u8>) -> Result<Vec<Value>> {
    let mut frames = Vec::new();
    while let Some(end) = text.windows(2).position(|bytes| bytes == b"\n\n") {
        let block: Vec<u8> = text.drain(..end + 2).collect();
        let block = String::from_utf8(block).map_err(|_| broken("not UTF-8"))?;
        let data = block.lines().find_map(|line| line.strip_prefix("data:"));
        if let Some(data) = data {
            frames.push(serde_json::from_str(data).map_err(|_| broken("not JSON"))?);
        }
    }
    Ok(frames)
}
