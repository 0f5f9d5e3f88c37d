//! Switchback's Rust client: one stream of events and one way to send, whatever the network allows.
//!
//! It keeps the client's side of the bargain that `docs/PROTOCOL.md` describes: WebSocket first, an
//! event stream beside it when no `hello` came in time, short batches where even a stream is held
//! back; the first `hello` wins. Whatever carries the frames, the caller sees each event once, in
//! order, and a command that was given out is tried with the same nonce until it is answered.
//!
//! Where to look: [`Client::connect`] starts a `session`, which asks `chain` for an open
//! `transport`, reads from it until it ends, and begins again at its cursor. `outbox` holds the
//! commands that wait for an answer, `position` knows what was seen. [`Rest`] is everything that is
//! not live; `dial`, `http` and `proxy` are the plumbing below both.
//!
//! What it trades away: no queue on disk (a program that must outlive its own crash keeps its nonces
//! itself), and one command at a time where commands travel by POST, because order matters more.

pub mod address;
mod chain;
mod client;
#[cfg_attr(not(feature = "simulation"), expect(unreachable_pub, reason = "public to simulated runs alone"))]
mod course;
pub mod dial;
mod error;
mod http;
pub mod limits;
#[cfg_attr(not(feature = "simulation"), expect(unreachable_pub, reason = "public to simulated runs alone"))]
mod outbox;
mod position;
pub mod proxy;
mod rest;
mod session;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod sse_parser;
#[cfg(test)]
mod testing;
mod transport;

pub use address::Address;
pub use client::{
    Client, ClientConfig, EventStream, Handle, ResetCause, Status, StopReason, Timings, TransportPolicy,
    Update,
};
pub use dial::{Alpn, DialError, Dialer};
pub use error::{ConnectError, RestError, SendError};
pub use http::Credential;
pub use proxy::{BadProxy, Proxy, ProxyPolicy};
pub use rest::{HistoryPage, Rest, SignedIn};
pub use switchback_core::wire::Transport;
