//! Every bound of the store, with its unit in its name. What both ends of the wire must agree on
//! is in `switchback_core::limits`.

use std::time::Duration;

/// Operations waiting for the writer; one more is refused with `Unavailable`.
pub const WRITER_QUEUE: usize = 4_096;
/// Operations in one transaction.
pub const GROUP_MAX: usize = 512;
/// Connections that read.
pub const READERS: u32 = 4;
/// How long a read waits for one of them.
pub const READER_WAIT: Duration = Duration::from_secs(5);
/// How long the writer waits while another process (an admin command) writes.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Prepared statements kept per connection.
pub const STATEMENT_CACHE: usize = 256;
/// Page cache of one connection, in KiB.
pub const PAGE_CACHE_KIB: u32 = 16 * 1_024;
/// Events in one page of the log, whatever the caller asks for.
pub const EVENT_PAGE_MAX: usize = 1_000;
/// Rows of the log that one call looks at to find what a viewer may see.
pub const EVENT_SCAN_ROWS: usize = 4_096;
/// A session ends this long after its last use, in microseconds: 90 days.
pub const SESSION_IDLE_US: i64 = 90 * 24 * 3_600 * 1_000_000;
/// Places where one account is signed in; the one used longest ago is ended for another.
pub const SESSIONS_PER_USER: usize = 100;
/// API tokens of one account.
pub const TOKENS_PER_USER: usize = 100;
/// Invitations in the list, newest first.
pub const INVITATIONS_LISTED: usize = 500;
