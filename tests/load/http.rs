//! HTTP/1.1, as little of it as the server's answers need: one connection, one request at a time.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::limits;

#[derive(Debug)]
pub(crate) struct Http {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer's head.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// `Content-Length`; without one the body is chunked.
    pub(crate) length: Option<usize>,
    /// `Retry-After`.
    pub(crate) retry_after: Option<Duration>,
}

impl Http {
    pub(crate) async fn dial(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    pub(crate) const fn over(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Sends a request and reads the answer's head. `headers` are whole lines.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Result<Head> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: chat.test\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes()).await?;
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            ensure!(self.buffer.len() < limits::HEAD_BYTES, "an answer's head does not end");
            self.fill().await?;
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        parse(std::str::from_utf8(&head)?)
    }

    /// Exactly so many bytes.
    pub(crate) async fn take(&mut self, count: usize) -> Result<Vec<u8>> {
        while self.buffer.len() < count {
            self.fill().await?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    /// A whole body.
    pub(crate) async fn body(&mut self, head: &Head) -> Result<String> {
        let length = head.length.context("an answer without a length")?;
        ensure!(length <= limits::FRAME_BYTES * 8, "an answer of {length} bytes");
        Ok(String::from_utf8(self.take(length).await?)?)
    }

    /// One chunk of a chunked body; `None` after the last.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        // Looked for before it is taken, so that a caller who gives up loses nothing.
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let size = usize::from_str_radix(std::str::from_utf8(&self.buffer[..end])?.trim(), 16)?;
                ensure!(size <= limits::FRAME_BYTES, "a chunk of {size} bytes");
                let whole = end + 2 + size + 2;
                if self.buffer.len() >= whole {
                    let chunk = self.buffer[end + 2..end + 2 + size].to_vec();
                    self.buffer.drain(..whole);
                    return Ok((size > 0).then_some(chunk));
                }
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the connection ended");
        }
        Ok(())
    }
}

pub(crate) fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn parse(head: &str) -> Result<Head> {
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?.parse()?;
    let field = |wanted: &str| {
        let value = |line: &str| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim().parse::<u64>().ok())?
        };
        head.lines().find_map(value)
    };
    let length = field("content-length").map(usize::try_from).transpose()?;
    Ok(Head { status, length, retry_after: field("retry-after").map(Duration::from_secs) })
}
