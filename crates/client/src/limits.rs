//! Every bound of this client that the server need not know, with its unit in its name. What both
//! ends must agree on is in `switchback_core::limits`.

use std::time::Duration;

/// One frame from the server, in bytes: a WebSocket message or an event's `data`. Far above what the
/// server sends; it bounds what a broken peer can make us hold.
pub const FRAME_BYTES: usize = 4 * 1024 * 1024;
/// One line of an event stream besides its `data`, in bytes: `id`, `event`, `retry`, a comment.
pub const SSE_FIELD_BYTES: usize = 64 * 1024;
/// Read buffer of a WebSocket, in bytes (allocated eagerly).
pub const WEBSOCKET_READ_BUFFER_BYTES: usize = 16 * 1024;
/// Write buffer of a WebSocket, in bytes, above which it is flushed.
pub const WEBSOCKET_WRITE_BUFFER_BYTES: usize = 16 * 1024;
/// Commands given to a WebSocket and not yet answered.
pub const COMMANDS_IN_FLIGHT: usize = 64;
/// Commands that wait for their turn or their answer; beyond it `send` waits.
pub const OUTBOX_COMMANDS: usize = 1_024;
/// Commands between the handles and the session.
pub const COMMAND_QUEUE: usize = 64;
/// Updates between the session and the reader of the event stream; beyond it the session waits.
pub const UPDATE_QUEUE: usize = 256;
/// Rooms whose event counters are watched for gaps.
pub const ROOMS_WATCHED: usize = 10_000;

/// The longest body of a REST answer, in bytes.
pub const REST_BODY_BYTES: usize = 32 * 1024 * 1024;
/// The longest body read of an answer that reports an error, in bytes.
pub const PROBLEM_BODY_BYTES: usize = 64 * 1024;
/// Connections kept open for the next request.
pub const IDLE_CONNECTIONS: usize = 4;
/// After this long unused a connection is not trusted any more: proxies drop them silently.
pub const IDLE_CONNECTION_AGE: Duration = Duration::from_secs(15);

/// The head of a proxy's answer to `CONNECT`, in bytes.
pub const PROXY_HEAD_BYTES: usize = 16 * 1024;

/// How long a kept connection may take to say that it is ready.
pub const IDLE_READY: Duration = Duration::from_millis(100);

/// Name lookup, TCP and TLS, all of it.
pub const DIAL: Duration = Duration::from_secs(10);
/// When one address has not answered for this long, the next is tried beside it (RFC 8305 5).
pub const HAPPY_EYEBALLS_DELAY: Duration = Duration::from_millis(250);
/// A REST request from beginning to end.
pub const REST_REQUEST: Duration = Duration::from_secs(20);
/// A command by POST from beginning to end; then it is tried again with the same nonce.
pub const POST_REQUEST: Duration = Duration::from_secs(15);
/// From the first attempt of the chain to giving up on all of them.
pub const CHAIN: Duration = Duration::from_secs(20);
/// Between two looks for a better way in.
pub const PROBE: Duration = Duration::from_mins(3);
/// From a reconnect by a lesser way to the first such look: the better ones may have failed only
/// because the server was still away.
pub const PROBE_SOON: Duration = Duration::from_secs(5);
/// Smallest time between two batch requests that brought nothing new.
pub const BATCH_PAUSE: Duration = Duration::from_millis(250);
/// A connection that lived this long was a good one: the backoff starts from the beginning.
pub const STABLE: Duration = Duration::from_secs(5);
/// A command on a WebSocket without an answer for this long, while frames come: nobody hears us there.
pub const COMMAND_ANSWER: Duration = Duration::from_secs(10);
/// It takes two such frames, this far apart: a server that has just woken up may say something else
/// before the answer.
pub const DEAF: Duration = Duration::from_secs(2);
/// How often in a row a WebSocket may open and then say nothing, until another way is taken.
pub const MUTE_WEBSOCKETS: u32 = 2;
/// Wait before a command is tried again whose answer said "later" but not when.
pub const COMMAND_RETRY: Duration = Duration::from_millis(500);
/// Longest such wait; each further attempt doubles it up to here.
pub const COMMAND_RETRY_MAX: Duration = Duration::from_secs(15);
/// Answers of "later" to one command before the caller is told.
pub const COMMAND_ATTEMPTS: u32 = 10;
/// The longest `retry_ms` and `retry_after_ms` that is obeyed to the letter.
pub const RETRY_OBEYED_MAX: Duration = Duration::from_mins(5);
