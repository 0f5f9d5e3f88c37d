//! Every bound of the store, with its unit in its name. What both ends of the wire must agree on
//! is in `switchback_core::limits`.

use std::time::Duration;

/// Operations waiting for the writer; one more is refused with `Unavailable`.
pub const WRITER_QUEUE: usize = 4_096;
/// Operations in one transaction.
pub const GROUP_MAX: usize = 512;
/// The same on `PostgreSQL`, where other nodes wait for the transaction's end: fewer, though enough
/// to share the price of the commit.
pub const POSTGRES_GROUP_MAX: usize = 128;
/// Operations that a group waits for, where several people write often (`writer::gather`).
pub const GATHER_OPERATIONS: usize = 16;
/// How long it waits for them at most.
pub const GATHER_LONGEST: Duration = Duration::from_millis(20);
/// Where there is more time than this from one to the next, on average, nobody is waited for.
pub const GATHER_GAP: Duration = Duration::from_micros(6_667);
/// Where they are expected sooner than this, they come without being waited for.
pub const GATHER_SHORTEST: Duration = Duration::from_millis(2);
/// A longer pause between two operations counts as one of this length.
pub const GATHER_SILENCE: Duration = Duration::from_secs(1);
/// Events that were committed and not taken yet by whoever follows the log; with more, they read them.
pub const FRESH_EVENTS: usize = 2_048;
/// Questions who somebody is that wait to be asked, of each kind; one more is refused with `Unavailable`.
pub const QUESTIONS_WAITING: usize = 65_536;
/// Of them, those that are asked together.
pub const QUESTIONS_AT_ONCE: usize = 64;
/// Connections that read.
pub const READERS: u32 = 4;
/// Connections to a data directory's database that read several things of one moment.
pub const MOMENTS: u32 = 2;
/// Page cache of each, in KiB: they read here and there, and what they read again is seldom among it.
pub const MOMENTS_CACHE_KIB: u32 = 4 * 1_024;
/// Reads that wait for one of them; one more is refused with `Unavailable`.
pub const MOMENTS_WAITING: usize = 65_536;
/// How long a read waits for a connection.
pub const READER_WAIT: Duration = Duration::from_secs(5);
/// Connections that search a data directory.
pub const SEARCHERS: u32 = 2;
/// Messages with the words looked for that one search looks at; the next page goes on after them.
pub const SEARCH_CANDIDATES: usize = 10_000;
/// On `PostgreSQL`, the newest events among which words are looked for message by message, before the index is asked
/// for all there are.
pub const SEARCH_NEAR_EVENTS: u64 = 20_000;
/// Events of the log that are taken into the search index in one transaction.
pub const INDEX_PAGE_EVENTS: usize = 1_000;
/// How long the writer waits while another process (an admin command) writes.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Prepared statements kept per connection.
pub const STATEMENT_CACHE: usize = 256;
/// Page cache of one connection, in KiB.
pub const PAGE_CACHE_KIB: u32 = 16 * 1_024;
/// Events in one page of the log, whatever the caller asks for.
pub const EVENT_PAGE_MAX: usize = 1_000;
/// Rows of the log that one call looks at to find what a viewer may see.
pub const EVENT_SCAN_ROWS: u64 = 16_384;
/// A session ends this long after its last use, in microseconds: 90 days.
pub const SESSION_IDLE_US: i64 = 90 * 24 * 3_600 * 1_000_000;
/// Places where one account is signed in; the one used longest ago is ended for another.
pub const SESSIONS_PER_USER: usize = 100;
/// API tokens of one account.
pub const TOKENS_PER_USER: usize = 100;
/// Invitations in the list, newest first.
pub const INVITATIONS_LISTED: usize = 500;

/// Texts and ids in one statement that inserts many rows, in bytes. What is said over TLS in one
/// record (16 KiB) goes out in one piece; of more, the last piece waits 40 ms for the first one's
/// acknowledgement, because sqlx 0.9.0 leaves Nagle's algorithm on (sqlx issue 4335).
pub const POSTGRES_INSERT_BYTES: usize = 12 * 1_024;
/// A text for the other nodes, in bytes: `PostgreSQL` takes less than 8,000.
pub const NOTIFY_BYTES: usize = 7_900;
/// How long a text for the other nodes waits for others' texts to be committed: `NOTIFY` takes a lock
/// of the whole server, which also other applications on it hold while they commit.
pub const NOTIFY_LOCK: Duration = Duration::from_secs(3);
/// Links to set up a workspace that work at once: each node prints one when it starts.
pub const SETUP_LINKS: usize = 8;
/// How long a server waits at its start for a `PostgreSQL` that is not there yet, and how often it tries.
pub const POSTGRES_START: Duration = Duration::from_mins(1);
/// See [`POSTGRES_START`].
pub const POSTGRES_START_EVERY: Duration = Duration::from_secs(1);
/// How long connecting to `PostgreSQL` may take.
pub const POSTGRES_CONNECT: Duration = Duration::from_secs(5);
/// How long a node may hold the log's head without saying anything: then `PostgreSQL` takes it
/// away. A node that is stopped or cut off thus stops the others no longer than this.
pub const POSTGRES_SILENCE: Duration = Duration::from_secs(3);
/// How long a statement may run, waiting for the log's head (`BUSY_TIMEOUT`) included.
pub const POSTGRES_STATEMENT: Duration = Duration::from_secs(12);
/// How long an answer from `PostgreSQL` is waited for before the connection counts as lost: longer
/// than a statement may run.
pub const POSTGRES_ANSWER: Duration = Duration::from_secs(15);
/// A reading connection that was idle this long is tried before it is used.
pub const POSTGRES_TRY_AFTER: Duration = Duration::from_secs(1);
/// How long connections of a server that was stopped may still be seen before a migration away from
/// `PostgreSQL` takes them for a running one's.
pub const TRANSFER_LEAVING: Duration = Duration::from_secs(2);
