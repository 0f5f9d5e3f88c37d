//! The ways in. A [`Line`] is an open one: its `hello` was read, frames come out of it and commands
//! go into it, and nobody above this module sees which way it is.
//!
//! Commands that travel by POST are answered like those on a WebSocket, by an `ack` or `error` frame
//! from [`Line::next`]; only that nobody answered is something that a WebSocket does not know.

mod batch;
mod post;
mod sse;
mod websocket;

use std::time::Duration;

use http::StatusCode;
use switchback_core::wire::{ByeReason, CommandId, Hello, Incoming, Request, ServerFrame, Transport};
use switchback_core::{Cursor, close};

use crate::client::StopReason;
use crate::http::{Http, HttpError};
use crate::{DialError, limits};

/// An open connection. Everything it says after `hello` comes from [`Line::next`].
#[derive(Debug)]
pub(crate) struct Line {
    hello: Hello,
    way: Way,
}

#[derive(Debug)]
enum Way {
    WebSocket(Box<websocket::WebSocketLine>),
    Sse(Box<sse::SseLine>),
    Batch(Box<batch::BatchLine>),
}

/// What comes out of an open line.
#[derive(Debug)]
pub(crate) enum Item {
    /// What the server says on this line.
    Frame(Incoming),
    /// The answer to a command by POST. It says nothing about whether the line still lives.
    Answer(Box<ServerFrame>),
    /// A command by POST got no answer from the server; it may have been carried out or not.
    Unanswered { id: Option<CommandId>, why: String },
}

/// Why a way in did not open, or why an open one ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Do not come back.
    Stop(StopReason),
    /// Not even TCP or TLS works: no other way in would.
    Unreachable(String),
    /// The other end asks to come back later.
    Later { after: Option<Duration>, why: String },
    /// It broke, or this way does not get through.
    Broken(String),
}

impl Failure {
    pub(crate) fn broken(why: impl std::fmt::Display) -> Self {
        Self::Broken(why.to_string())
    }

    /// What a client does about a close code (`switchback_core::close`).
    fn closed(code: u16) -> Self {
        match code {
            close::POLICY_VIOLATION => Self::Stop(StopReason::SignedOut),
            code if !close::should_reconnect(code) => Self::Stop(StopReason::Closed(code)),
            code => Self::Broken(format!("the server closed the WebSocket with code {code}")),
        }
    }

    fn bye(reason: ByeReason, retry_ms: Option<u64>) -> Self {
        match retry_ms {
            None => Self::Stop(StopReason::from(reason)),
            Some(ms) => Self::Later {
                after: Some(Duration::from_millis(ms).min(limits::RETRY_OBEYED_MAX)),
                why: format!("the server said goodbye ({reason:?})"),
            },
        }
    }

    /// An answer that is not the one that opens this way.
    fn rejected(status: StatusCode, retry_after: Option<Duration>, way: &str) -> Self {
        let why = format!("the answer to {way} was {status}");
        match status {
            StatusCode::UNAUTHORIZED => Self::Stop(StopReason::SignedOut),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Self::Later { after: retry_after.map(|after| after.min(limits::RETRY_OBEYED_MAX)), why }
            }
            _ => Self::Broken(why),
        }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Dial(error) => error.into(),
            HttpError::Broken(error) => Self::broken(error),
        }
    }
}

impl From<DialError> for Failure {
    fn from(error: DialError) -> Self {
        match error {
            // A proxy that opens no tunnel may well pass requests on.
            DialError::Tunnel { .. } => Self::broken(error),
            _ => Self::Unreachable(error.to_string()),
        }
    }
}

impl Line {
    /// Opens one way at a cursor (`None`: from now on), and reads its `hello`.
    pub(crate) async fn open(
        http: Http,
        transport: Transport,
        cursor: Option<Cursor>,
        batch_wait_s: u64,
    ) -> Result<Self, Failure> {
        let mut way = match transport {
            Transport::Websocket => {
                Way::WebSocket(Box::new(websocket::WebSocketLine::open(&http, cursor).await?))
            }
            Transport::Sse => Way::Sse(Box::new(sse::SseLine::open(http, cursor).await?)),
            Transport::Batch => {
                Way::Batch(Box::new(batch::BatchLine::open(http, cursor, batch_wait_s).await?))
            }
        };
        let first = match way.next().await? {
            Item::Frame(Incoming::Frame(frame)) => Some(*frame),
            _ => None,
        };
        match first {
            Some(ServerFrame::Hello(hello)) => Ok(Self { hello, way }),
            Some(ServerFrame::Bye { reason, retry_ms }) => Err(Failure::bye(reason, retry_ms)),
            _ => Err(Failure::broken("the first frame was not hello")),
        }
    }

    pub(crate) const fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Which way it is, as opened (a `hello` could claim anything).
    pub(crate) const fn transport(&self) -> Transport {
        match self.way {
            Way::WebSocket(_) => Transport::Websocket,
            Way::Sse(_) => Transport::Sse,
            Way::Batch(_) => Transport::Batch,
        }
    }

    /// The next frame; while waiting for it, commands are on their way. Cancel-safe. A `bye` is the
    /// end, with what it says about coming back.
    pub(crate) async fn next(&mut self) -> Result<Item, Failure> {
        let item = self.way.next().await?;
        if let Item::Frame(Incoming::Frame(frame)) = &item
            && let ServerFrame::Bye { reason, retry_ms } = **frame
        {
            return Err(Failure::bye(reason, retry_ms));
        }
        Ok(item)
    }

    /// Begins a command, if another can be begun now; its answer comes from [`Line::next`].
    pub(crate) fn begin(&mut self, request: &Request) -> bool {
        match &mut self.way {
            Way::WebSocket(line) => line.begin(request),
            Way::Sse(line) => line.poster.begin(request),
            Way::Batch(line) => line.poster.begin(request),
        }
    }
}

impl Way {
    async fn next(&mut self) -> Result<Item, Failure> {
        match self {
            Self::WebSocket(line) => line.next().await.map(Item::Frame),
            Self::Sse(line) => line.next().await,
            Self::Batch(line) => line.next().await,
        }
    }
}

/// Reads a frame's JSON. A known type in a shape that this version does not know is skipped like an
/// unknown type: a newer server may say more than we understand, and reconnecting would only bring
/// the same frame again.
fn read_frame(json: &str) -> Result<Incoming, Failure> {
    #[derive(serde::Deserialize)]
    struct Head {
        #[serde(rename = "type")]
        kind: String,
        seq: Option<switchback_core::Seq>,
    }
    let error = match Incoming::parse(json) {
        Ok(incoming) => return Ok(incoming),
        Err(error) => error,
    };
    let head: Head =
        serde_json::from_str(json).map_err(|_| Failure::broken("the other end sends no frames"))?;
    tracing::warn!(%error, kind = head.kind, "a frame of a known type cannot be read; it is skipped");
    Ok(Incoming::Unknown { kind: head.kind, seq: head.seq })
}

/// `/chat`, with where to begin.
fn path(cursor: Option<Cursor>) -> String {
    cursor.map_or_else(|| "/chat".to_owned(), |cursor| format!("/chat?after={cursor}"))
}
