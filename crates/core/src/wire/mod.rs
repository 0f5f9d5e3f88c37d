//! Every JSON shape that crosses a connection. The only module of the product that knows JSON.
//!
//! Rules: unknown fields are ignored, unknown event types are skipped by clients, unknown command
//! types get an error. Times are integer microseconds since 1970 UTC. `docs/PROTOCOL.md` is the
//! same in prose, and `tests/golden.rs` pins each shape.

mod command;
mod encoded;
mod error;
mod event;
mod fields;
mod frame;
mod model;
pub mod node;
mod rest;

pub use command::{Command, CommandId, Request};
pub use encoded::{EncodedHistory, EncodedMessages, EncodedStretch};
pub use error::{CommandError, ErrorCode, Problem};
pub use event::{Event, EventBody};
pub use frame::{
    Ack, ByeReason, Hello, HelloLimits, Incoming, PresenceChange, PresenceState, ResetReason, ServerFrame,
    Transport,
};
pub use model::{
    Message, Quote, Reaction, Role, Room, RoomKind, RoomView, SessionInfo, Timestamp, TokenInfo, User,
    Workspace,
};
pub use rest::*;
