//! Every bound that both ends must agree on, with its unit in its name.
//!
//! Bounds that only the server needs are in `switchback_server::limits`; nothing in the product is
//! without one.

/// An epoch's longest text.
pub const EPOCH_CHARS: usize = 16;
/// A handle's longest text, in characters (all ASCII).
pub const HANDLE_CHARS: usize = 32;
/// A person's longest display name, in characters.
pub const DISPLAY_NAME_CHARS: usize = 80;
/// The workspace's longest name, in characters.
pub const WORKSPACE_NAME_CHARS: usize = 80;
/// A room's longest name, in characters.
pub const ROOM_NAME_CHARS: usize = 80;
/// A room's longest topic, in characters.
pub const TOPIC_CHARS: usize = 250;
/// A message's longest body, in bytes of UTF-8.
pub const MESSAGE_BODY_BYTES: usize = 16_000;
/// One command on any transport, in bytes: a WebSocket message or a POST body.
pub const COMMAND_BYTES: usize = 64 * 1024;
/// A command's longest `id`, in bytes.
pub const COMMAND_ID_BYTES: usize = 64;
/// One emoji, in bytes (a family with skin tones takes many code points).
pub const EMOJI_BYTES: usize = 64;
/// Different emoji on one message.
pub const EMOJI_PER_MESSAGE: usize = 32;
/// People mentioned by one message.
pub const MENTIONS_PER_MESSAGE: usize = 50;
/// People in one direct conversation, the one who opens it included.
pub const DIRECT_MEMBERS: usize = 9;
/// Shortest password, in characters (NIST SP 800-63B 5.1.1.2 asks for at least 8).
pub const PASSWORD_MIN_CHARS: usize = 8;
/// Longest password, in bytes: hashing must not become a way to burn the processor.
pub const PASSWORD_MAX_BYTES: usize = 256;
/// A session's or token's label, in characters.
pub const LABEL_CHARS: usize = 80;
/// Unread messages and mentions are counted up to here, then shown as "many".
pub const UNREAD_COUNT_MAX: u32 = 1_000;
/// The characters of a quoted message shown with a reply.
pub const REPLY_EXCERPT_CHARS: usize = 200;

/// Messages in one page of history, at most and by default.
pub const HISTORY_PAGE_MESSAGES: usize = 100;
/// See [`HISTORY_PAGE_MESSAGES`].
pub const HISTORY_PAGE_DEFAULT: usize = 50;
/// What somebody searches for, in bytes of UTF-8.
pub const SEARCH_QUERY_BYTES: usize = 512;
/// Words of it, those of phrases included.
pub const SEARCH_WORDS: usize = 32;
/// A word's longest form in the search index, in characters; of a longer one only so much counts.
pub const SEARCH_WORD_CHARS: usize = 64;
/// A word of so many characters or more is also found as the beginning of a longer one.
pub const SEARCH_PREFIX_CHARS: usize = 2;
/// Messages in one page of what was found, at most and by default.
pub const SEARCH_PAGE_MESSAGES: usize = 50;
/// See [`SEARCH_PAGE_MESSAGES`].
pub const SEARCH_PAGE_DEFAULT: usize = 25;
/// Longest wait of a batch request, in seconds.
pub const BATCH_WAIT_MAX_S: u64 = 25;
/// Wait of a batch request that does not say, in seconds.
pub const BATCH_WAIT_DEFAULT_S: u64 = 20;
/// Time between heartbeats, in milliseconds; a connection's first may come earlier by up to
/// [`HEARTBEAT_SPREAD_PERCENT`].
pub const HEARTBEAT_MS: u64 = 20_000;
/// See [`HEARTBEAT_MS`].
pub const HEARTBEAT_SPREAD_PERCENT: u64 = 10;

/// How long a client waits for `hello` on WebSocket before it starts SSE beside it.
pub const HELLO_WEBSOCKET_MS: u64 = 1_500;
/// How long a client waits for `hello` on SSE before it turns to batches.
pub const HELLO_SSE_MS: u64 = 4_000;
/// How long a client waits without any event before it reconnects at its cursor.
pub const WATCHDOG_MS: u64 = 35_000;
/// How long a client remembers which transport won.
pub const TRANSPORT_MEMORY_MS: u64 = 30 * 60 * 1_000;
/// First step of the client's reconnect backoff (full jitter between 0 and the step).
pub const RECONNECT_BASE_MS: u64 = 500;
/// Largest step of the client's reconnect backoff.
pub const RECONNECT_MAX_MS: u64 = 30_000;
/// A client sends `typing` for a room at most this often.
pub const TYPING_EVERY_MS: u64 = 3_000;
/// A client shows somebody as typing for this long after a `typing` frame.
pub const TYPING_SHOWN_MS: u64 = 6_000;
