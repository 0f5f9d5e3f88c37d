//! Switchback's pure heart: how a request becomes a connection, and what travels over it.
//!
//! Values in, values out. Nothing in this crate does IO, reads a clock, draws a random number or
//! awaits; that is what lets the server, the Rust client and the tests share one understanding of
//! the protocol, and what lets a property test run it a million times.
//!
//! * [`upgrade`] decides what a request to `/chat` becomes (RFC 9110 7.8, RFC 6455, RFC 8441).
//! * [`wire`] is every JSON shape that crosses a connection, and the only place that knows JSON.
//! * [`Cursor`], [`Handle`], [`MessageBody`] and their like are preconditions put into types: a
//!   value that exists is valid.
//! * [`search`] is what somebody asks for in words, and what counts as a word.
//! * [`limits`] names every bound.

pub mod close;
pub mod cursor;
pub mod ids;
pub mod limits;
pub mod search;
pub mod text;
pub mod upgrade;
pub mod wire;

pub use cursor::{Cursor, Epoch, Seq};
pub use ids::{InvitationId, MessageId, Nonce, RoomId, SessionId, TokenId, UserId};
pub use text::{DisplayName, Emoji, Handle, Label, MessageBody, Password, RoomName, Topic, WorkspaceName};
