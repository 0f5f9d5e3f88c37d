//! The store against real databases in temporary directories: each test opens its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod access;
mod concurrency;
mod kit;
mod log;
mod messages;
mod open;
mod people;
mod rooms;
mod unread;
