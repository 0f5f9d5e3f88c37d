//! The promises in a simulated run: thousands of schedules, each decided by its seed and the same again
//! for the same seed, without sockets and without waiting for time to pass.
//!
//! What runs is the product's own code: the router, the socket loop, hub, ring, feed and log's reader of
//! two nodes, the store on `SQLite`, the decisions and the outbox of the Rust client. What is simulated is
//! the network, the doorbells between nodes, time, crashes, and who goes on next.
//! `docs/decisions/014-simulated-runs.md` says why it is so and what it cannot see.
//!
//! `SWITCHBACK_SIM_SEED=7` repeats one run and shows it; `SWITCHBACK_SIM_SEEDS=100000` makes many,
//! `SWITCHBACK_SIM_TWICE=2000` makes so many twice.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so and stops")]

mod chance;
mod check;
mod client;
mod line;
#[path = "../shared/publish.rs"]
mod publish;
mod record;
mod schedule;
mod seeds;
mod site;
mod table;
mod wire;
mod world;

use std::sync::{Mutex, PoisonError};

use seeds::Off;

/// Runs in which a guard that is switched off must have been noticed.
const SOON: u64 = 2_000;
/// Runs that are made twice, unless `SWITCHBACK_SIM_TWICE` says how many.
const TWICE: u64 = 10;

/// One test at a time: each keeps both processors busy by itself.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn every_promise_holds_and_a_missing_guard_is_noticed() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(seed) = seeds::chosen() {
        return seeds::show(seed);
    }
    let done = seeds::all();
    let caught = Off::ALL.map(|off| (off, seeds::first_caught(off, SOON)));
    table::write(&done, &caught);
    assert!(done.failed.is_none(), "{}", done.failed.unwrap_or_default());
    for (off, outcome) in caught {
        assert!(outcome.is_some(), "{SOON} runs did not notice: {}", off.name());
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let parted = seeds::first_parted(seeds::variable("SWITCHBACK_SIM_TWICE").unwrap_or(TWICE));
    assert!(parted.is_none(), "{}", parted.unwrap_or_default());
}
