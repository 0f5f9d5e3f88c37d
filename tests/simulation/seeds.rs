//! Many seeds at once, one alone, and runs in which a guard is switched off.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
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
    pub(crate) const ALL: [Self; 3] = [Self::Nonces, Self::RegisteringFirst, Self::GapCheck];

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

/// Runs every seed, until one fails.
pub(crate) fn all() -> Done {
    let begun = Instant::now();
    let most = variable("SWITCHBACK_SIM_SEEDS").unwrap_or(SEEDS);
    let done = Mutex::new(Done::default());
    let failed = lowest(most, None, |seed| {
        let outcome = world::run(seed);
        done.lock().unwrap().add(&outcome);
        wrong(outcome)
    });
    let mut done = done.into_inner().unwrap();
    done.took = begun.elapsed();
    done.failed = failed.as_ref().map(told);
    done
}

/// The first run that notices, of at most so many.
pub(crate) fn first_caught(off: Off, most: u64) -> Option<Outcome> {
    lowest(most, Some(off), |seed| wrong(world::run(seed)))
}

/// Runs every seed twice; where the first parts that does.
pub(crate) fn first_parted(most: u64) -> Option<String> {
    lowest(most, None, |seed| parting(&world::run(seed), &world::run(seed)))
}

fn wrong(outcome: Outcome) -> Option<Outcome> {
    (!outcome.wrongs.is_empty()).then_some(outcome)
}

/// Lines that are shown before two runs part, and in all.
const BEFORE_PARTING: usize = 20;
const AROUND_PARTING: usize = 24;

fn parting(once: &Outcome, again: &Outcome) -> Option<String> {
    if (once.hash, once.steps) == (again.hash, again.steps) {
        return None;
    }
    let same = once.trace.iter().zip(&again.trace).take_while(|(one, other)| one == other).count();
    let show = |trace: &[String]| {
        let from = same.saturating_sub(BEFORE_PARTING);
        trace.iter().skip(from).take(AROUND_PARTING).cloned().collect::<Vec<_>>().join("\n  ")
    };
    Some(format!(
        "seed {} parted at {same}:\n  {}\nand\n  {}",
        once.seed,
        show(&once.trace),
        show(&again.trace)
    ))
}

/// What `run` finds at the lowest seed at which it finds something, on every processor. It is the same
/// on every machine: the seeds below are run to their ends.
fn lowest<T: Send>(most: u64, off: Option<Off>, run: impl Fn(u64) -> Option<T> + Sync) -> Option<T> {
    let (next, bound, found) = (AtomicU64::new(0), AtomicU64::new(most), Mutex::new(BTreeMap::new()));
    let work = || {
        off.inspect(|off| off.switch(true));
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= bound.load(Ordering::SeqCst) {
                return;
            }
            if let Some(this) = run(seed) {
                bound.fetch_min(seed, Ordering::SeqCst);
                found.lock().unwrap().insert(seed, this);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    found.into_inner().unwrap().into_values().next()
}

impl Done {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.steps += outcome.steps;
        self.events += outcome.events;
        for (what, times) in &outcome.tally {
            *self.tally.entry(what).or_default() += times;
        }
    }
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
