//! Every bound of the load program, with its unit in its name. What a client must keep to is taken
//! from `switchback_core::limits` and `switchback_client::limits`.

use std::time::Duration;

/// Descriptors a client needs: its connection, and one to post by or to open beside it.
pub(crate) const DESCRIPTORS_PER_CLIENT: usize = 2;
/// Descriptors for everything else.
pub(crate) const DESCRIPTORS_RESERVED: usize = 512;
/// One frame, in bytes: far above what the server sends.
pub(crate) const FRAME_BYTES: usize = 4 * 1024 * 1024;
/// Read buffer of a WebSocket, in bytes: small, for there are thousands.
pub(crate) const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Receive buffer of a narrow connection, in bytes (the kernel doubles it).
pub(crate) const NARROW_RECEIVE_BYTES: u32 = 8 * 1024;
/// Segments of a narrow connection, in bytes: an Ethernet's.
pub(crate) const NARROW_SEGMENT_BYTES: u32 = 1_448;
/// An answer's head, in bytes.
pub(crate) const HEAD_BYTES: usize = 16 * 1024;
/// Faults of one client that are written down; more say nothing new.
pub(crate) const FAULTS_KEPT: usize = 8;
/// Between two attempts of a post that got no answer.
pub(crate) const POST_AGAIN: Duration = Duration::from_millis(250);
/// How long one attempt of a post is waited for.
pub(crate) const POST_ANSWER: Duration = Duration::from_secs(15);
/// How long the server may take until it listens.
pub(crate) const SERVER_START: Duration = Duration::from_mins(1);
/// How long it may take to stop when it is asked to: its own drain and what it writes then.
pub(crate) const SERVER_STOP: Duration = Duration::from_secs(30);
/// Between two looks at whether it listens, or has ended.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Between two samples of memory and processor time.
pub(crate) const SAMPLE_EVERY: Duration = Duration::from_millis(500);
/// How long all clients may take to be live.
pub(crate) const ALL_LIVE: Duration = Duration::from_mins(5);
/// How long all clients may take to hear of the log's last event.
pub(crate) const ALL_CAUGHT_UP: Duration = Duration::from_mins(2);
/// New connections a second while everybody comes for the first time.
pub(crate) const ARRIVALS_PER_S: u32 = 500;
/// Accounts and memberships that are made at once.
pub(crate) const SEEDED_AT_ONCE: usize = 256;
/// Events in one page when the log is read at the end.
pub(crate) const LOG_PAGE_EVENTS: usize = 1_000;
