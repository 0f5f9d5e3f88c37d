//! Switchback's memory: one log of events, and the accounts, rooms and messages it speaks of.
//!
//! * Everything that changes something goes through one group-committing writer: it takes what is
//!   waiting, runs it in one transaction with a savepoint per operation, commits once with full
//!   durability, then answers everyone. An answer means: it is on disk.
//! * Everything that reads uses a pool of read-only connections on consistent snapshots.
//! * SQL lives in this crate alone. No HTTP types, no JSON.
//!
//! This crate checks what only a transaction can check (is the author still a member, is the nonce
//! new, is the name free); who is *allowed* to do something by their role is `ops`' matter.
//!
//! Where to look: [`Store`] opens and closes; `write/` and `read/` hold its operations by subject;
//! `search` is the index of words, which follows the log;
//! `db` is the only module that knows which database is behind a query, `sqlite` and `postgres` what
//! is peculiar to each; `transfer` moves everything from one database to another.

mod database;
mod db;
pub mod error;
#[cfg(test)]
#[path = "../tests/it/home.rs"]
#[expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say so and stop")]
mod home;
mod kind;
pub mod limits;
mod place;
mod postgres;
mod read;
mod search;
mod seed;
#[cfg(feature = "simulation")]
pub mod simulation;
mod sqlite;
mod store;
mod together;
pub mod transfer;
mod turn;
mod tx;
pub mod types;
mod write;
mod writer;

pub use database::{BadAddress, Database, PostgresAddress};
pub use error::{Error, OpenError};
pub use postgres::Line;
pub use search::{Found, Indexed, SearchFor};
pub use store::{OpenMode, Store};
pub use types::*;
pub use writer::{Answers, Follower};
