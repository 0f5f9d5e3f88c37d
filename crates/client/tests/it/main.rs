//! The client against a server that misbehaves on request: it is small, in this process, and does
//! exactly what a test tells it, so that each rule of the fallback chain can be seen at work.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod commands;
mod fake;
mod forward;
mod http;
mod kit;
mod resume;
mod tls;
mod ways;
