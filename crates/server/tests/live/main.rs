//! Live connections over real sockets: every transport against one server in this process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod access;
mod cursor;
mod delivery;
mod host;
mod http2;
mod kit;
mod nodes;
#[path = "../../../../tests/shared/port.rs"]
mod port;
mod stop;
mod tls;
mod wire;
