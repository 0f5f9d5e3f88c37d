//! The promises in a simulated run: thousands of schedules, each decided by its seed and the same again
//! for the same seed, without sockets and without waiting for time to pass.
//!
//! What runs is the product's own code: the router, the socket loop, hub, ring, feed and log's reader of
//! two nodes, the store on `SQLite`, the decisions and the outbox of the Rust client. What is simulated is
//! the network, the doorbells between nodes, time, crashes, and who goes on next.
//! `docs/decisions/014` says why it is so and what it cannot see.
//!
//! `SWITCHBACK_SIM_SEED=7` repeats one run and shows it; `SWITCHBACK_SIM_SEEDS=100000` makes it a long one.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod chance;
mod check;
mod client;
mod line;
mod record;
mod schedule;
mod site;
mod wire;
mod world;

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        let (once, again) = (world::run(seed), world::run(seed));
        println!("{seed}: {:x} {} {} {:?} {:?}", once.hash, once.steps, once.events, once.tally, once.wrongs);
        assert_eq!(once.hash, again.hash, "seed {seed}");
    }
}
