//! Many seeds at once, one alone, and runs in which a guard is switched off.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use switchback_client::simulation::switch_gap_check;
use switchback_server::simulation::switch_registering_first;
use switchback_storage::simulation::switch_nonces;

use crate::world::{self, Outcome};

/// Seeds that are run unless `SWITCHBACK_SIM_SEEDS` says how many: with little optimization, some seconds.
const SEEDS: u64 = 100;

/// A guard of the product that is switched off to see whether the runs notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Off {
    Nonces,
    RegisteringFirst,
    GapCheck,
}

impl Off {
    /// Those that the runs are known to notice. What reads early is not among them: its window is too
    /// short for the schedules that are drawn so far.
    pub(crate) const NOTICED: [Self; 2] = [Self::Nonces, Self::GapCheck];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nonces => "a nonce is not unique",
            Self::RegisteringFirst => "memberships are read before the connection registers",
            Self::GapCheck => "the client does not check for gaps",
        }
    }

    /// Off or on again, for this thread.
    fn switch(self, off: bool) {
        match self {
            Self::Nonces => switch_nonces(off),
            Self::RegisteringFirst => switch_registering_first(off),
            Self::GapCheck => switch_gap_check(off),
        }
    }
}

/// What many runs came to.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) seeds: u64,
    pub(crate) steps: usize,
    pub(crate) events: usize,
    pub(crate) tally: BTreeMap<&'static str, usize>,
    pub(crate) took: Duration,
    /// What went wrong first, with all there is to say about it.
    pub(crate) failed: Option<String>,
}

/// A number that somebody asks for.
pub(crate) fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name} is {text:?}: {error}")))
}

/// The seed of a run that is to be repeated.
pub(crate) fn chosen() -> Option<u64> {
    variable("SWITCHBACK_SIM_SEED")
}

/// Runs every seed, on every processor, until one fails.
pub(crate) fn all() -> Done {
    let begun = Instant::now();
    let most = variable("SWITCHBACK_SIM_SEEDS").unwrap_or(SEEDS);
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let done = Mutex::new(Done::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= most {
                        return;
                    }
                    let outcome = world::run(seed);
                    stop.fetch_or(!outcome.wrongs.is_empty(), Ordering::Relaxed);
                    done.lock().unwrap().add(&outcome);
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.took = begun.elapsed();
    done
}

impl Done {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.steps += outcome.steps;
        self.events += outcome.events;
        for (what, times) in &outcome.tally {
            *self.tally.entry(what).or_default() += times;
        }
        if !outcome.wrongs.is_empty() {
            self.failed.get_or_insert_with(|| told(outcome));
        }
    }
}

/// The first run that notices, of at most so many.
pub(crate) fn first_caught(off: Off, most: u64) -> Option<Outcome> {
    off.switch(true);
    let caught = (0..most).map(world::run).find(|outcome| !outcome.wrongs.is_empty());
    off.switch(false);
    caught
}

/// Runs one seed and shows all of it.
pub(crate) fn show(seed: u64) {
    let off = std::env::var("SWITCHBACK_SIM_OFF").ok();
    let off = off.map(|name| match name.as_str() {
        "nonces" => Off::Nonces,
        "registering-first" => Off::RegisteringFirst,
        "gap-check" => Off::GapCheck,
        other => panic!("SWITCHBACK_SIM_OFF is {other:?}: nonces, registering-first or gap-check"),
    });
    off.inspect(|off| off.switch(true));
    let outcome = world::run(seed);
    off.inspect(|off| off.switch(false));
    for line in &outcome.trace {
        println!("{line}");
    }
    println!("{} steps, {} events heard, hash {:016x}", outcome.steps, outcome.events, outcome.hash);
    assert!(outcome.wrongs.is_empty(), "{}", told(&outcome));
}

/// The last lines of a trace that a failure shows.
const TRACE_SHOWN: usize = 60;

fn told(outcome: &Outcome) -> String {
    let lines = &outcome.trace[outcome.trace.len().saturating_sub(TRACE_SHOWN)..];
    let Outcome { seed, wrongs, .. } = outcome;
    format!(
        "seed {seed} went wrong:\n  {}\nhow it ended:\n  {}\nrepeat it: SWITCHBACK_SIM_SEED={seed} cargo xtask simulate",
        wrongs.join("\n  "),
        lines.join("\n  ")
    )
}
