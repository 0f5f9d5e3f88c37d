//! The stack that a team deploys: the image, each profile of docker-compose.yml, and what the
//! failures of one with several nodes cost while people go on talking.
//!
//! `cargo xtask test --only compose` prepares an engine and images and runs it. `record` and `check`
//! know nothing of containers: they are clients that write down what they saw, and the judgement over
//! it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod check;
mod cluster;
mod engine;
mod faults;
#[path = "../api/kit/http.rs"]
#[expect(dead_code, reason = "the tests of the API use more of it")]
mod http;
mod profiles;
#[path = "../shared/publish.rs"]
mod publish;
mod record;
#[path = "../shared/script.rs"]
mod script;
mod stack;
#[path = "../shared/table.rs"]
mod table;
mod team;

use std::time::Duration;

/// What must come comes within this time, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
