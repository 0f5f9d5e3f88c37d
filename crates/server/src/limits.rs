//! Every bound that only the server needs, with its unit in its name. What both ends of the wire
//! must agree on is in `switchback_core::limits`, what the store alone needs in
//! `switchback_storage::limits`.

use std::time::Duration;

/// Connections the server accepts at once; one more waits in the kernel's queue.
pub const CONNECTIONS: usize = 60_000;
/// File descriptors kept free for the database, logs and the like when `RLIMIT_NOFILE` is small.
pub const DESCRIPTORS_RESERVED: u64 = 128;
/// The kernel's queue of connections not yet accepted.
pub const ACCEPT_BACKLOG: u32 = 4_096;
/// Pause after a failed accept (no descriptors left), so that the loop does not spin.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// A TLS handshake must be complete this long after the connection was accepted.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// TLS: bytes encrypted for a peer that does not take them yet.
pub const TLS_SEND_BUFFER_BYTES: usize = 32 * 1024;
/// The longest file with certificates or a key, in bytes.
pub const TLS_FILE_BYTES: u64 = 1024 * 1024;
/// A request's head must be complete this long after it began.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A request's head, in bytes.
pub const HEADER_BYTES: usize = 16 * 1024;
/// Header lines of a request.
pub const HEADER_LINES: usize = 100;
/// Requests open at once on one HTTP/2 connection.
pub const HTTP2_STREAMS: u32 = 128;
/// HTTP/2: bytes buffered per stream before it waits for the peer.
pub const HTTP2_SEND_BUFFER_BYTES: usize = 64 * 1024;
/// HTTP/2: an answer goes out in pieces of this many bytes; one that waits for longer than
/// [`NO_PROGRESS`] has its stream reset.
pub const HTTP2_CHUNK_BYTES: usize = 8 * 1024;
/// HTTP/2: time between pings on an idle connection, and how long their answer may take.
pub const HTTP2_KEEP_ALIVE: Duration = Duration::from_secs(20);
/// The body of a command by POST must be complete after this long.
pub const COMMAND_BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that takes none of the bytes waiting for it for this long is cut off.
pub const NO_PROGRESS: Duration = Duration::from_secs(30);
/// On a planned stop, the longest a connection is waited for.
pub const DRAIN_MAX: Duration = Duration::from_secs(10);
/// On a planned stop, clients are asked to come back between these times, in milliseconds: a
/// restart needs a moment, and they must not come back all at once.
pub const BYE_RETRY_MIN_MS: u64 = 500;
/// See [`BYE_RETRY_MIN_MS`]; grows with the number of connections by [`BYE_RETRY_PER_SESSION_MS`].
pub const BYE_RETRY_MAX_MS: u64 = 30_000;
/// Smallest spread of `retry_ms`, in milliseconds.
pub const BYE_RETRY_SPREAD_MS: u64 = 2_000;
/// Spread of `retry_ms` per live connection, in milliseconds (1,000 connections a second come back).
pub const BYE_RETRY_PER_SESSION_MS: u64 = 1;

/// Events kept in memory, encoded.
pub const RING_EVENTS: usize = 8_192;
/// Of them, those that are read when the server starts: what is said in the seconds of a restart.
pub const RING_EVENTS_AT_START: usize = 128;
/// Bytes of events kept in memory, both framings together.
pub const RING_BYTES: usize = 64 * 1024 * 1024;
/// Ephemeral frames (typing, presence) kept in memory.
pub const EPHEMERAL_FRAMES: usize = 1_024;
/// How much the clocks of two nodes may differ without a batch client missing a change of presence.
pub const CLOCK_SKEW: Duration = Duration::from_secs(2);
/// The log is looked at this often even when no doorbell rings: another process may have written.
pub const HEAD_POLL: Duration = Duration::from_secs(1);
/// Pause before the log is read again after reading it failed.
pub const LOG_RETRY: Duration = Duration::from_millis(500);
/// Events read from storage in one page for the ring.
pub const LOG_PAGE_EVENTS: usize = 512;
/// Events read from storage in the first page for one connection that catches up; each page after it that
/// the peer takes is twice as long.
pub const CATCH_UP_FIRST_EVENTS: usize = 16;
/// Events read from storage in one page for one connection that catches up.
pub const CATCH_UP_PAGE_EVENTS: usize = 128;
/// A cursor this many events behind is answered with `reset`: a snapshot is cheaper for both ends.
pub const CATCH_UP_EVENTS: u64 = 50_000;
/// Room for JSON that each thread keeps to write the next frame to, in bytes.
pub const JSON_KEPT_BYTES: usize = 64 * 1024;
/// Events made visible at once that are written to idle connections there and then; with more of them
/// there is enough to do for the connections' own tasks, which share the work and write many in one go.
pub const DIRECT_EVENTS: usize = 16;
/// Connections written to in this way for one commit; the others' tasks are woken, on all processors.
pub const DIRECT_CONNECTIONS: usize = 2_048;
/// Connections written to before others get their turn. That costs something: another thread may be woken by it
/// and take over the rest, and every socket moves to the other processor.
pub const DIRECT_STRETCH: usize = 512;
/// Where an event goes to more connections than this, who has written it has their turn before them.
pub const ANSWERS_FIRST_ABOVE: usize = 64;
/// Connections that are looked at before the first of them is written to.
pub const DIRECT_AHEAD: usize = 8;
const _: () = assert!(DIRECT_STRETCH.is_multiple_of(DIRECT_AHEAD), "others get their turn between two looks");
/// Frames handed to a socket in one go.
pub const FLUSH_FRAMES: usize = 256;
/// Bytes handed to a socket in one go; the one frame that crosses the line still goes.
pub const FLUSH_BYTES: usize = 128 * 1024;

/// WebSocket: what a connection keeps for the beginning of a frame, in bytes.
pub const WEBSOCKET_READ_BUFFER_BYTES: usize = 128;
/// WebSocket: bytes read from a socket in one go, into a buffer that a thread's connections share.
pub const SOCKET_READ_BYTES: usize = 16 * 1024;
/// WebSocket: messages handed to the kernel in one go.
pub const SOCKET_WRITE_MESSAGES: usize = 64;
/// WebSocket: bytes that wait to be written before the connection counts as broken.
pub const WEBSOCKET_WRITE_BUFFER_BYTES: usize = 1024 * 1024;
/// The largest message that the echo sends back, in bytes: Autobahn's largest, with room to spare.
pub const ECHO_MESSAGE_BYTES: usize = 32 * 1024 * 1024;
/// Answers to commands that wait to be written; then no further command is read.
pub const ANSWERS_WAITING: usize = 64;
/// Bad commands in a row before the connection is closed with 4000.
pub const BAD_COMMANDS_IN_A_ROW: u32 = 64;
/// How long a closing WebSocket is read on so that the peer gets our close frame, not a reset.
pub const CLOSE_LINGER: Duration = Duration::from_secs(2);
/// Live connections of one account: a bot may hold many, but not all.
pub const SESSIONS_PER_USER: usize = 2_000;
/// Somebody without a live connection counts as gone after this long (batches come and go).
pub const OFFLINE_AFTER: Duration = Duration::from_secs(35);
/// Connections whose heartbeats are due are looked for this often; a divisor of the time between two.
pub const HEARTBEAT_TICK: Duration = Duration::from_millis(500);
/// Changes of presence are gathered for this long and told together.
pub const PRESENCE_EVERY: Duration = Duration::from_millis(500);
/// Presence frames list at most this many people; more are split over several frames.
pub const PRESENCE_CHANGES: usize = 500;
/// Who connects is told of changes that are about to be told to all, if they are no more than this;
/// when thousands come at once, they wait for that.
pub const PRESENCE_SINCE: usize = 100;

/// Frames that wait to be told to the other nodes; one more is dropped (the database is the truth).
pub const BUS_QUEUE: usize = 4_096;
/// Doorbells of other nodes that wait for the log's reader; one more is dropped, and the next tells.
pub const BUS_RINGS: usize = 64;
/// Events that a doorbell carries, in bytes of JSON; with more, the others read the database.
pub const BUS_EVENTS_BYTES: usize = 64 * 1024;
/// Largest message over NATS, in bytes (a NATS server takes 1 MiB by default).
pub const NATS_MESSAGE_BYTES: usize = 256 * 1024;
/// A NATS server that takes less than this in one message cannot carry a bus.
pub const NATS_MESSAGE_LEAST_BYTES: usize = 1_024;
/// NATS messages that wait to be read; one more is lost, which is noticed.
pub const NATS_WAITING: usize = 8_192;
/// How long connecting to the bus may take.
pub const BUS_CONNECT: Duration = Duration::from_secs(5);
/// How long one message may take to be handed over.
pub const BUS_SEND: Duration = Duration::from_secs(5);
/// Pauses between attempts to reach the bus: doubled from the first to the second, with jitter.
pub const BUS_RETRY_MIN: Duration = Duration::from_millis(100);
/// See [`BUS_RETRY_MIN`].
pub const BUS_RETRY_MAX: Duration = Duration::from_secs(3);
/// A node says this often that it is there, and listens for its own voice.
pub const BUS_BEAT: Duration = Duration::from_secs(3);
/// A line on which this many of one's own beats in a row did not come back is dead.
pub const BUS_BEATS_UNHEARD: u32 = 3;
/// A node says this often how all its people are.
pub const BUS_STANDING_EVERY: Duration = Duration::from_secs(15);
/// What a node says of its people wears off after this long: two of its times to say it may be lost.
pub const BUS_STANDING_KEPT: Duration = Duration::from_secs(40);
/// Open connections are held against the database this often, for revocations that were lost on
/// the way; and this often while the bus is away.
pub const RECHECK_EVERY: Duration = Duration::from_secs(30);
/// See [`RECHECK_EVERY`].
pub const RECHECK_WITHOUT_BUS: Duration = Duration::from_secs(2);
/// People whose sessions and tokens are looked up at once.
pub const RECHECK_PEOPLE: usize = 256;

/// Pages of history kept encoded, in bytes, where nobody says otherwise.
pub const HISTORY_CACHE_BYTES: usize = 32 * 1024 * 1024;
/// Messages that are kept and forgotten together.
pub const PAGES_RUN_MESSAGES: usize = 128;
/// What the heap takes for those that are, besides what is in it, in bytes.
pub const PAGES_RUN_BYTES: usize = 64;
/// How often it is asked how far a room has come, when others bring what is kept of it further meanwhile.
pub const PAGES_CATCH_UPS: usize = 3;
/// Events of a room that are looked at to find whether what is kept of it still holds.
pub const PAGES_BEHIND: u64 = 1_000;

/// Password hashes computed at once: each takes 19 MiB and one core.
pub const HASHES_AT_ONCE: usize = 2;
/// Password hashes that wait for their turn; one more is refused as rate-limited.
pub const HASHES_WAITING: usize = 64;
/// Bytes of randomness in a session's, token's, invitation's or set-up secret.
pub const SECRET_BYTES: usize = 24;
/// Texts up to this many bytes and without code blocks are rendered on the spot; longer ones go to
/// a thread of their own, so that nobody else waits.
pub const RENDER_INLINE_BYTES: usize = 2_000;
/// A connection that could not be read for is asked to come back after this long, in milliseconds.
pub const UNREADABLE_RETRY_MS: u64 = 2_000;
/// A credential's last use is written down at most this often.
pub const TOUCH_EVERY: Duration = Duration::from_mins(5);
/// Credentials whose last use waits to be written down.
pub const TOUCHES_WAITING: usize = 10_000;
/// An invitation that does not say otherwise works this long, in seconds: 7 days.
pub const INVITATION_DEFAULT_S: u64 = 7 * 24 * 3_600;
/// Longest life of an invitation, in seconds: one year.
pub const INVITATION_MAX_S: u64 = 366 * 24 * 3_600;
/// Most uses of one invitation.
pub const INVITATION_MAX_USES: u32 = 100_000;

/// Sign-ins of one address per minute, failed or not, in the long run.
pub const SIGN_INS_PER_MINUTE: u32 = 30;
/// Sign-ins of one address that may come at once (a whole office may share one).
pub const SIGN_INS_BURST: u32 = 100;
/// Sign-ins for one handle per minute, from wherever they come, in the long run.
pub const SIGN_INS_PER_HANDLE_PER_MINUTE: u32 = 6;
/// Sign-ins for one handle that may come at once.
pub const SIGN_INS_PER_HANDLE_BURST: u32 = 20;
/// Commands of one person per second that write something, in the long run.
pub const COMMANDS_PER_SECOND: u32 = 200;
/// Commands of one person that may come at once.
pub const COMMANDS_BURST: u32 = 4_000;
/// Searches of one person per second, in the long run.
pub const SEARCHES_PER_SECOND: u32 = 20;
/// Searches of one person that may come at once.
pub const SEARCHES_BURST: u32 = 1_000;
/// A search waits this long for the index to take in what was said just before.
pub const SEARCH_WAIT: Duration = Duration::from_millis(500);
/// Of an index that is further behind, in events, a search takes what is there.
pub const SEARCH_WAIT_EVENTS: u64 = 2_000;
/// What comes within this time is taken into the search index together.
pub const INDEX_GATHER: Duration = Duration::from_secs(2);
/// The log is looked at for the search index this often even when no doorbell rings.
pub const INDEX_POLL: Duration = Duration::from_secs(5);
/// After a page that was not the last, indexing rests so many times as long as the page took.
pub const INDEX_RESTS: u32 = 3;
/// More events than this while a page was taken are a flood, and the next page is taken a while later.
pub const INDEX_FLOOD_EVENTS: u64 = 1_000;
/// See [`INDEX_FLOOD_EVENTS`].
pub const INDEX_FLOOD_REST: Duration = Duration::from_secs(1);
/// While another node extends the index, this one looks after it this often.
pub const INDEX_ELSEWHERE: Duration = Duration::from_secs(1);
/// Pauses after indexing has failed: doubled from the first to the second.
pub const INDEX_RETRY_MIN: Duration = Duration::from_millis(500);
/// See [`INDEX_RETRY_MIN`].
pub const INDEX_RETRY_MAX: Duration = Duration::from_secs(30);
/// An index that is this many events behind is worth a line in the log.
pub const INDEX_TOLD_EVENTS: u64 = 20_000;
/// And one more this often, until it is up to date.
pub const INDEX_TOLD_EVERY: Duration = Duration::from_secs(10);
/// Typing in one room by one person is passed on at most this often in the long run: below what
/// clients keep to, so that it stops a flood and nobody else.
pub const TYPING_EVERY: Duration = Duration::from_secs(1);
/// Typing that is passed on at once: who sends a short line and types on is shown as typing again.
pub const TYPING_BURST: u32 = 3;
/// Keys a rate limiter remembers before it forgets those that are full again.
pub const RATE_KEYS: usize = 50_000;

/// The body of a JSON request, in bytes.
pub const JSON_BYTES: usize = 64 * 1024;
/// The body of a form, in bytes.
pub const FORM_BYTES: usize = 16 * 1024;
/// Any request outside `/chat` is answered or given up after this long.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A message's HTML, in bytes; what would be more is shown as plain text.
pub const MESSAGE_HTML_BYTES: usize = 128 * 1024;
/// Parts (tags, texts) that a message's Markdown may fall into before it is shown as plain text.
pub const MARKDOWN_PARTS: usize = 32 * 1024;
/// Quotes, lists and emphasis inside each other; what is deeper is flattened.
pub const MARKDOWN_DEPTH: usize = 16;
/// The longest bare address that becomes a link, in bytes.
pub const ADDRESS_BYTES: usize = 2_000;
/// Code of one message that is highlighted, in bytes; longer code is shown in one colour.
pub const HIGHLIGHT_BYTES: usize = 8 * 1024;
/// The longest line of code that is highlighted, in bytes.
pub const HIGHLIGHT_LINE_BYTES: usize = 400;
/// Time spent on highlighting one message, looked at after each line: ten times what a language's
/// first block takes, so that a busy machine does not cost a message its colours.
pub const HIGHLIGHT_TIME: Duration = Duration::from_millis(500);
/// Texts rendered at once, of those that may take long.
pub const RENDERS_AT_ONCE: usize = 2;

/// The session's cookie is kept by the browser this long, in seconds: 400 days, the most that
/// browsers grant (RFC 6265bis 5.5). The server ends the session earlier when it is not used.
pub const SESSION_COOKIE_S: u32 = 400 * 24 * 3_600;
/// An answer is compressed from this size on, in bytes.
pub const COMPRESS_BYTES: u16 = 1_024;
/// Proxies in front of the server whose addresses are looked at to find the peer's.
pub const PROXIES_IN_A_ROW: usize = 16;
