//! Faults on the real binary, and the checker over what clients wrote down: many clients by every way
//! in do what people do, things go wrong, and afterwards nothing is lost and nothing is there twice.
//!
//! Where to look: a `plan` says who does what when and which faults come; `draw` makes plans by seed;
//! `run` plays one: `client` (with `raw`) acts and keeps its `record`, `link` and `faults` are what goes
//! wrong; `check` holds the records against the `truth` in the database, and `reducer` and the web
//! client's own state (`web.mjs`) against a fresh snapshot.
//!
//! `cargo xtask faults` runs it. It needs to be root: it mounts file systems.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod check;
mod check_tests;
mod client;
mod disk;
mod draw;
mod faults;
mod link;
mod plan;
#[path = "../shared/port.rs"]
mod port;
#[path = "../shared/publish.rs"]
mod publish;
mod raw;
mod record;
mod reducer;
mod rng;
mod run;
mod server;
#[path = "../shared/table.rs"]
mod table;
mod truth;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::plan::{Fault, FaultPlan, Plan};
use crate::run::{Outcome, run};
use crate::table::{Row, Table};

/// What must come comes within this time, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
/// Drawn plans that are played where nobody says how many.
const SEEDS: u64 = 4;
/// Drawn plans at once: each is a server and six clients.
const AT_ONCE: usize = 3;
/// When the fault of a table's row comes.
const FAULT_AT_MS: u64 = 3_000;

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn once(fault: Fault) -> Vec<FaultPlan> {
    vec![FaultPlan { at_ms: FAULT_AT_MS, fault }]
}

fn each(faults: impl IntoIterator<Item = Fault>, every_ms: u64) -> Vec<FaultPlan> {
    let at = (0..).map(|number| FAULT_AT_MS + number * every_ms);
    at.zip(faults).map(|(at_ms, fault)| FaultPlan { at_ms, fault }).collect()
}

/// The rows of the table.
fn rows() -> Vec<(&'static str, Vec<FaultPlan>)> {
    vec![
        ("no fault", Vec::new()),
        (
            "kill -9, five times",
            each([Fault::Kill, Fault::Kill, Fault::Kill, Fault::Kill, Fault::Kill], 2_700),
        ),
        ("SIGSTOP for 30 s", once(Fault::Stop { for_ms: 30_000 })),
        ("disk full for 10 s", once(Fault::DiskFull { for_ms: 10_000 })),
        ("disk read-only for 10 s", once(Fault::ReadOnly { for_ms: 10_000 })),
        (
            "clock by +1 h, -2 h, +400 d",
            each([3_600, -7_200, 400 * 86_400].map(|by_s| Fault::Clock { by_s }), 3_000),
        ),
        ("no descriptors for 15 s", once(Fault::Descriptors { for_ms: 15_000 })),
        (
            "connections reset, five times",
            each([Fault::Reset, Fault::Reset, Fault::Reset, Fault::Reset, Fault::Reset], 2_700),
        ),
        ("half-open for 45 s", once(Fault::HalfOpen { for_ms: 45_000 })),
        ("nothing passes for 20 s", once(Fault::BlackHole { for_ms: 20_000 })),
        ("slow reader, 1 byte/s for 40 s", once(Fault::SlowReader { client: 3, for_ms: 40_000 })),
        ("slow sender, 1 byte/s for 40 s", once(Fault::SlowSender { client: 3, for_ms: 40_000 })),
        ("bad phone network for 40 s", once(Fault::Phone { for_ms: 40_000 })),
    ]
}

/// Plays a plan; where it fails, keeps it and says how to play it again.
async fn play(plan: &Plan) -> Result<Outcome, String> {
    let playing = plan.clone();
    // On a thread of its own: a run may hold what cannot go from thread to thread.
    let runtime = tokio::runtime::Handle::current();
    let outcome = tokio::task::spawn_blocking(move || runtime.block_on(run(&playing))).await;
    let complaint = match outcome {
        Ok(outcome) if outcome.verdict.is_clean() => return Ok(outcome),
        Ok(outcome) => outcome.verdict.to_string(),
        Err(panic) => panic.to_string(),
    };
    let path = plan.keep();
    Err(format!(
        "{} with seed {}:\n{complaint}\nagain: SWITCHBACK_PLAN={} cargo xtask faults\n",
        plan.name,
        plan.seed,
        path.display()
    ))
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// One plan alone, if one is named.
fn named() -> Option<PathBuf> {
    std::env::var_os("SWITCHBACK_PLAN").map(PathBuf::from)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_loses_nothing_and_doubles_nothing() {
    if named().is_some() {
        return;
    }
    let only = std::env::var("SWITCHBACK_FAULT").unwrap_or_default();
    let mut playing = JoinSet::new();
    for (place, (fault, faults)) in rows().into_iter().enumerate() {
        if !fault.contains(&only) {
            continue;
        }
        let name: String = fault.chars().filter(char::is_ascii_alphanumeric).collect();
        let plan = draw::table(&name, 1, faults);
        playing.spawn(async move { (place, fault, play(&plan).await) });
    }
    let mut played = playing.join_all().await;
    played.sort_by_key(|(place, _, _)| *place);
    let mut complaints = Vec::new();
    let mut rows = Vec::new();
    for (_, fault, outcome) in played {
        match outcome {
            Ok(Outcome { verdict, silence, proofs }) => {
                let (lost, doubled) = (verdict.lost.len(), verdict.doubled.len());
                let proof = if proofs.is_empty() { "-".to_owned() } else { proofs.join("; ") };
                rows.push(Row { fault, acked: verdict.acked, lost, doubled, silence, proof });
            }
            Err(complaint) => complaints.push(complaint),
        }
    }
    Table(rows).publish("faults");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_plans_hold() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/faults/plans");
    let kept = || std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    let paths: Vec<PathBuf> = named().map_or_else(kept, |path| vec![path]);
    assert!(!paths.is_empty());
    all(paths.iter().map(|path| Plan::read(path)).collect()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drawn_plans_hold() {
    if named().is_some() {
        return;
    }
    let first = number("SWITCHBACK_SEED").unwrap_or(1);
    let count = number("SWITCHBACK_SEEDS").unwrap_or(SEEDS);
    all((first..first + count).map(draw::drawn).collect()).await;
}

async fn all(plans: Vec<Plan>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut playing = JoinSet::new();
    for plan in plans {
        let turns = Arc::clone(&turns);
        playing.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            play(&plan).await.map(|outcome| (plan.seed, outcome.verdict.acked))
        });
    }
    let mut complaints = Vec::new();
    for outcome in playing.join_all().await {
        match outcome {
            Ok((seed, acked)) => println!("seed {seed}: {acked} acknowledged, all in effect once"),
            Err(complaint) => complaints.push(complaint),
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
