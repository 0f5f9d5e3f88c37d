//! The store against real databases: each test opens its own. On `SQLite`, or, if
//! `SWITCHBACK_TEST_POSTGRES` names a database, on `PostgreSQL`, for which `--include-ignored` adds the
//! tests that need it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod access;
mod backup;
mod concurrency;
mod home;
mod kit;
mod log;
mod messages;
mod open;
mod people;
mod postgres;
mod rooms;
mod search;
mod sqlite;
mod transfer;
mod unread;
