//! The built binary as a team, a proxy or an attacker meets it: processes, sockets, signals, and
//! nothing of the inside. Requests are written byte by byte, because what is tested is what stands
//! on the wire.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod bad_input;
mod chat;
mod conversation;
mod crash;
mod credentials;
mod disk_full;
mod doctor;
mod door;
mod handshake;
mod health;
mod hostile;
mod kit;
mod moving;
mod probes;
mod revocation;
#[path = "../shared/script.rs"]
mod script;
mod search;
mod startup;
mod stop;
mod tls;
