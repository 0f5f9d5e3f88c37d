//! Server-Sent Events: one answer that does not end, commands by POST beside it.
//!
//! [`SseReader`] also reads the batches, which are the same blocks in an answer that does end.

use bytes::{Buf, Bytes};
use http::header::{ACCEPT, CACHE_CONTROL};
use http::{HeaderValue, Method, StatusCode};
use switchback_core::Cursor;
use switchback_core::wire::Incoming;

use super::post::Poster;
use super::{Failure, Item, path, read_frame};
use crate::http::{BodyStream, Http};
use crate::sse_parser::SseParser;

#[derive(Debug)]
pub(super) struct SseLine {
    reader: SseReader,
    pub(super) poster: Poster,
}

impl SseLine {
    pub(super) async fn open(http: Http, cursor: Option<Cursor>) -> Result<Self, Failure> {
        let reader = SseReader::open(&http, &path(cursor)).await?;
        Ok(Self { reader, poster: Poster::new(http) })
    }

    /// The next frame, or the answer to a command. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Item, Failure> {
        let frame = tokio::select! {
            answer = self.poster.answer() => return answer,
            frame = self.reader.next() => frame?,
        };
        frame.map(Item::Frame).ok_or_else(|| Failure::broken("the event stream ended"))
    }
}

/// Frames from an answer's body.
#[derive(Debug)]
pub(super) struct SseReader {
    body: BodyStream,
    parser: SseParser,
    /// What came and is not read yet.
    chunk: Bytes,
}

impl SseReader {
    pub(super) async fn open(http: &Http, path: &str) -> Result<Self, Failure> {
        let mut request = http.request(Method::GET, path, None);
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let answer = http.send(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(Failure::rejected(answer.status(), answer.retry_after(), "the event stream"));
        }
        let media_type = answer.media_type();
        if media_type != "text/event-stream" {
            return Err(Failure::Broken(format!(
                "somebody answered for the server, with `{media_type}` instead of an event stream"
            )));
        }
        Ok(Self { body: answer.into_stream(), parser: SseParser::new(), chunk: Bytes::new() })
    }

    /// The next frame; `None` when the body is at its end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<Incoming>, Failure> {
        loop {
            let mut rest = &self.chunk[..];
            let event = self.parser.next(&mut rest).map_err(Failure::broken)?;
            let used = self.chunk.len() - rest.len();
            self.chunk.advance(used);
            if let Some(event) = event {
                return read_frame(&event.data).map(Some);
            }
            match self.body.chunk().await.map_err(Failure::broken)? {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(None),
            }
        }
    }

    /// After the end: the connection can carry the next request.
    pub(super) fn recycle(self) {
        self.body.recycle();
    }
}
