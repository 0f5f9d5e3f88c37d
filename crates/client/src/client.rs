//! What a program holds in its hands: a [`Handle`] to send with, an [`EventStream`] to read from, and
//! the words in which the connection tells how it is doing.

use std::sync::Arc;
use std::time::Duration;

use switchback_core::wire::{Ack, ByeReason, Command, Event, ResetReason, ServerFrame, Snapshot, Transport};
use switchback_core::{Cursor, limits as shared};
use tokio::sync::{mpsc, oneshot, watch};

use crate::chain::Chain;
use crate::http::{Credential, Http};
use crate::outbox::Reply;
use crate::session::Session;
use crate::{Address, ConnectError, ProxyPolicy, Rest, SendError, limits};

/// How to reach a server.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// `http://` or `https://`, host, port.
    pub url: String,
    /// Who asks.
    pub credential: Credential,
    /// Which ways in are tried.
    pub transports: TransportPolicy,
    /// Where to begin in the log: a snapshot's cursor, or [`EventStream::cursor`] of an earlier run.
    /// `None`: from now on.
    pub cursor: Option<Cursor>,
    /// Certificates in PEM that are trusted beside Mozilla's roots.
    pub extra_roots: Option<Vec<u8>>,
    /// Which proxy is asked for connections.
    pub proxy: ProxyPolicy,
    /// How long to wait for what.
    pub timings: Timings,
}

impl ClientConfig {
    /// With the default timings, any way in, from now on.
    pub fn new(url: impl Into<String>, credential: Credential) -> Self {
        Self {
            url: url.into(),
            credential,
            transports: TransportPolicy::Auto,
            cursor: None,
            extra_roots: None,
            proxy: ProxyPolicy::default(),
            timings: Timings::default(),
        }
    }
}

/// Which ways in are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransportPolicy {
    /// The best that gets through.
    #[default]
    Auto,
    /// This one or none.
    Only(Transport),
}

/// How long to wait for what. The defaults are the protocol's; a test shortens them.
#[derive(Debug, Clone, Copy)]
pub struct Timings {
    /// For a WebSocket's `hello`, before an event stream is started beside it.
    pub hello_websocket: Duration,
    /// For an event stream's `hello`, before batches are started beside it.
    pub hello_sse: Duration,
    /// For anyone's `hello`, before giving up for now.
    pub chain: Duration,
    /// Without any event, before the connection is taken for dead.
    pub watchdog: Duration,
    /// For the answer to a command on a WebSocket on which other frames come, before it is left.
    pub command_answer: Duration,
    /// First step of the reconnect backoff.
    pub reconnect_base: Duration,
    /// Largest step of it.
    pub reconnect_max: Duration,
    /// How long the winner is remembered.
    pub transport_memory: Duration,
    /// How often a better way is looked for while a lesser one is in use.
    pub probe: Duration,
    /// The same, for the first look after a reconnect.
    pub probe_soon: Duration,
    /// `wait` of a batch request, in seconds.
    pub batch_wait_s: u64,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            hello_websocket: Duration::from_millis(shared::HELLO_WEBSOCKET_MS),
            hello_sse: Duration::from_millis(shared::HELLO_SSE_MS),
            chain: limits::CHAIN,
            watchdog: Duration::from_millis(shared::WATCHDOG_MS),
            command_answer: limits::COMMAND_ANSWER,
            reconnect_base: Duration::from_millis(shared::RECONNECT_BASE_MS),
            reconnect_max: Duration::from_millis(shared::RECONNECT_MAX_MS),
            transport_memory: Duration::from_millis(shared::TRANSPORT_MEMORY_MS),
            probe: limits::PROBE,
            probe_soon: limits::PROBE_SOON,
            batch_wait_s: shared::BATCH_WAIT_DEFAULT_S,
        }
    }
}

/// What the stream of updates brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// The connection is in another state.
    Status(Status),
    /// Something happened; each event once, in order.
    Event(Box<Event>),
    /// `ready`, `typing` or `presence`.
    Frame(Box<ServerFrame>),
    /// What was known no longer counts: begin again with this snapshot. Events go on after it.
    Reset {
        /// Why.
        cause: ResetCause,
        /// Everything as it is now.
        snapshot: Box<Snapshot>,
    },
    /// The last update: the client does not come back by itself.
    Stopped(StopReason),
}

/// Why what was known no longer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetCause {
    /// The server cannot go on at our cursor.
    Server(ResetReason),
    /// Something is missing between what came; it should never happen.
    Gap,
}

/// How the connection is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Looking for a way in.
    Connecting,
    /// A way in is open.
    Live {
        /// Which.
        transport: Transport,
    },
    /// None is; the next attempt is in a while.
    Waiting {
        /// In how long.
        retry_in: Duration,
        /// What went wrong, in a sentence.
        why: String,
        /// Commands that wait for an answer.
        queued: usize,
    },
}

/// Why the client does not come back by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The credential does not count, or no longer.
    SignedOut,
    /// The account was deactivated.
    Deactivated,
    /// The server said goodbye for good, for another reason.
    Said(ByeReason),
    /// The server closed the WebSocket for good with this code.
    Closed(u16),
    /// [`Handle::close`], or nobody listens any more.
    Asked,
}

impl From<ByeReason> for StopReason {
    fn from(reason: ByeReason) -> Self {
        match reason {
            ByeReason::SignedOut => Self::SignedOut,
            ByeReason::Deactivated => Self::Deactivated,
            other => Self::Said(other),
        }
    }
}

/// Opens sessions.
#[derive(Debug, Clone, Copy)]
pub struct Client;

impl Client {
    /// Starts a session in the background. It returns at once; whether and how the server is reached
    /// comes out of the stream. The session ends with [`Handle::close`], when the server says so, or
    /// when the stream and all handles are dropped.
    ///
    /// The stream has to be read: answers to commands come in between the events, and a reader who
    /// stops reading stops both.
    pub fn connect(config: &ClientConfig) -> Result<(Handle, EventStream), ConnectError> {
        let address: Address = config.url.parse()?;
        let http =
            Http::new(address, config.extra_roots.as_deref(), &config.proxy, Some(&config.credential))?;
        let rest = Rest::over(http.clone());
        let (commands, taken) = mpsc::channel(limits::COMMAND_QUEUE);
        let (updates, stream) = mpsc::channel(limits::UPDATE_QUEUE);
        let (close, asked) = watch::channel(false);
        let chain = Chain { http, policy: config.transports, timings: config.timings };
        let session = Session::new(chain, rest.clone(), config.cursor, taken, updates);
        tokio::spawn(session.run(asked));
        let handle = Handle { commands, close: Arc::new(close), rest };
        Ok((handle, EventStream { updates: stream, cursor: config.cursor }))
    }
}

/// Sends commands. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<Ask>,
    close: Arc<watch::Sender<bool>>,
    rest: Rest,
}

/// A command on its way to the session.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) command: Command,
    pub(crate) reply: Reply,
}

impl Handle {
    /// Carries a command out: tries until the server acknowledged or refused it, over reconnects and
    /// changes of transport, with the same nonce. Dropping the future gives up waiting; a command
    /// that already left may still be carried out.
    pub async fn send(&self, command: Command) -> Result<Ack, SendError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Ask { command, reply }).await.map_err(|_| SendError::Lost)?;
        answer.await.unwrap_or(Err(SendError::Lost))
    }

    /// Everything that is not live.
    pub const fn rest(&self) -> &Rest {
        &self.rest
    }

    /// Ends the session: what has no answer yet is [`SendError::Lost`].
    pub fn close(&self) {
        self.close.send_replace(true);
    }
}

/// What happens, in order, each event once.
#[derive(Debug)]
pub struct EventStream {
    updates: mpsc::Receiver<Delivery>,
    cursor: Option<Cursor>,
}

/// An update, with where the log stands after it.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) update: Update,
    pub(crate) cursor: Option<Cursor>,
}

impl EventStream {
    /// The next update; `None` after [`Update::Stopped`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<Update> {
        let delivery = self.updates.recv().await?;
        self.cursor = delivery.cursor.or(self.cursor);
        Some(delivery.update)
    }

    /// Everything up to here was handed out: where another run can begin.
    pub const fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }
}
