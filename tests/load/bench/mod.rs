//! How close to the limit: the product beside a yardstick, a textbook's chat and what else is here, in
//! one interleaved run. Figures are ratios to the yardstick, because machines differ.
//!
//! [`generator`] makes the load, [`peers`] are the servers, each scenario is a module of its own, and
//! [`report`] writes the page.

mod browser;
mod closed;
mod durable;
mod fanout;
mod generator;
mod growth;
mod handshake;
mod history;
mod idle;
mod peers;
mod plot;
mod report;
mod saturation;
mod start;
mod stats;
mod usage;
mod window;
mod wire;
pub(crate) mod yardstick;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::runtime::Handle;

use crate::report::tell;
use fanout::FANS;
use peers::{Kind, Programs, Way};
use report::{Section, Setting};

/// Descriptors for the most connections, to the yardstick and to one other server.
pub(crate) const DESCRIPTORS: usize = 10_000;
/// Needs a server of its own, so it is run only where it is asked for.
const POSTGRES: &str = "durable-postgres";
/// Unless said otherwise.
const ROUNDS: usize = 5;
const WINDOW: Duration = Duration::from_secs(3);
/// How long the machine is looked at before anything is measured.
const LOOK: Duration = Duration::from_secs(1);
const QUICK_WINDOW: Duration = Duration::from_millis(800);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Only these; all, if none is named.
    scenarios: Vec<String>,
    /// A few seconds for each: shows that it works, its figures say little
    #[arg(long)]
    quick: bool,
    /// Windows for each server in each scenario
    #[arg(long)]
    rounds: Option<usize>,
    /// How long a window is, in seconds
    #[arg(long, value_name = "SECONDS")]
    window: Option<f64>,
    /// Where the page and its plots are written
    #[arg(long, value_name = "DIR")]
    results: PathBuf,
    /// The textbook's chat, built
    #[arg(long, value_name = "FILE")]
    textbook: Option<PathBuf>,
    /// What drives the browser: tests/browser/measure.js
    #[arg(long, value_name = "FILE")]
    browser: Option<PathBuf>,
    /// Only these servers, beside the yardstick: product, textbook, nchan
    #[arg(long, value_delimiter = ',')]
    servers: Vec<String>,
}

/// What every scenario is given.
struct Bench {
    programs: Programs,
    servers: Vec<String>,
    scratch: PathBuf,
    dirs: AtomicUsize,
    rounds: usize,
    window: Duration,
    quick: bool,
    runtime: Handle,
    /// How many this process may have.
    descriptors: usize,
}

impl Bench {
    /// Whom to measure.
    fn kinds(&self) -> Vec<Kind> {
        let wanted = |kind: &Kind| {
            let name = match kind {
                Kind::Yardstick => return true,
                Kind::Product => "product",
                Kind::Textbook => "textbook",
                Kind::Nchan => "nchan",
            };
            self.servers.is_empty() || self.servers.iter().any(|server| server == name)
        };
        self.programs.here().into_iter().filter(wanted).collect()
    }

    fn fresh_dir(&self) -> Result<PathBuf> {
        let number = self.dirs.fetch_add(1, Ordering::Relaxed);
        let dir = self.scratch.join(format!("server-{number}"));
        std::fs::create_dir(&dir)?;
        Ok(dir)
    }

    fn wait_for<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

/// Somebody has asked for the end. Whoever turns around for long looks at it, so that what was started is
/// ended by whoever started it.
static STOP: AtomicBool = AtomicBool::new(false);

/// Ends a run that is under way, soon.
pub(crate) fn stop() {
    STOP.store(true, Ordering::Relaxed);
}

fn go_on() -> Result<()> {
    ensure!(!STOP.load(Ordering::Relaxed), "asked to stop");
    Ok(())
}

/// A scenario: its name, and how it is run.
type Scenario = (String, Box<dyn Fn(&Bench) -> Result<Section>>);

fn scenarios(browser: Option<PathBuf>) -> Vec<Scenario> {
    let mut all: Vec<Scenario> = Vec::new();
    for way in [Way::Websocket, Way::Sse] {
        for fan in FANS {
            let name = if way == Way::Sse { format!("{}-sse", fan.name) } else { fan.name.to_owned() };
            all.push((name, Box::new(move |bench| fanout::run(bench, fan, way))));
        }
    }
    all.push(("saturation".to_owned(), Box::new(|bench| saturation::run(bench, Way::Websocket))));
    all.push(("saturation-sse".to_owned(), Box::new(|bench| saturation::run(bench, Way::Sse))));
    all.push(("idle".to_owned(), Box::new(idle::run)));
    all.push(("growth".to_owned(), Box::new(growth::run)));
    all.push(("growth-history".to_owned(), Box::new(growth::run_history)));
    all.push(("handshake".to_owned(), Box::new(handshake::run)));
    all.push(("durable".to_owned(), Box::new(|bench| durable::run(bench, None))));
    all.push((POSTGRES.to_owned(), Box::new(durable::on_postgres)));
    all.push(("start".to_owned(), Box::new(start::run)));
    all.push(("history".to_owned(), Box::new(history::run)));
    all.push(("browser".to_owned(), Box::new(move |bench| browser::run(bench, browser.as_deref()))));
    all
}

/// Runs in a thread that may wait. `runtime`: for what must be seeded.
pub(crate) fn run(args: &Args, product: PathBuf, scratch: PathBuf, runtime: Handle) -> Result<()> {
    let all = scenarios(args.browser.clone());
    for wanted in &args.scenarios {
        let known: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        ensure!(known.contains(&wanted.as_str()), "there is no \"{wanted}\"; there are {}", known.join(", "));
    }
    let bench = Bench {
        programs: Programs { product, textbook: args.textbook.clone() },
        servers: args.servers.clone(),
        scratch,
        dirs: AtomicUsize::new(0),
        rounds: args.rounds.unwrap_or(if args.quick { 1 } else { ROUNDS }),
        window: args.window.map_or(if args.quick { QUICK_WINDOW } else { WINDOW }, Duration::from_secs_f64),
        quick: args.quick,
        runtime,
        descriptors: usize::try_from(rlimit::increase_nofile_limit(u64::MAX)?)?,
    };
    let before = usage::machine_share(LOOK);
    let mut sections = Vec::new();
    for (name, scenario) in &all {
        let is_wanted =
            if args.scenarios.is_empty() { name != POSTGRES } else { args.scenarios.contains(name) };
        if is_wanted {
            let section = scenario(&bench)?;
            tell(&format!("\n{}", section.markdown()));
            sections.push(section);
        }
    }
    let is_met = report::write(&args.results, &setting(args, &bench, before), &sections)?;
    tell(&format!(
        "{}: {}",
        args.results.display(),
        if is_met { "every target met" } else { "not every target met" }
    ));
    Ok(())
}

fn setting(args: &Args, bench: &Bench, busy_before: f64) -> Setting {
    let mut command = "cargo xtask bench".to_owned();
    for name in &args.scenarios {
        command.push(' ');
        command += name;
    }
    if args.quick {
        command += " --quick";
    }
    if let Some(rounds) = args.rounds {
        let _ = write!(command, " --rounds {rounds}");
    }
    if let Some(seconds) = args.window {
        let _ = write!(command, " --window {seconds}");
    }
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let value =
            text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':').map(|(_, value)| value));
        value.unwrap_or_default().trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let version = |program: &Path, flag: &str| {
        let done = std::process::Command::new(program).arg(flag).output();
        let printed = done.map(|done| [done.stdout, done.stderr].concat()).unwrap_or_default();
        String::from_utf8_lossy(&printed).lines().next().unwrap_or_default().to_owned()
    };
    let mut facts = vec![
        ("Machine".to_owned(), format!("{} x {}", cores, field(&read("/proc/cpuinfo"), "model name"))),
        ("Memory".to_owned(), field(&read("/proc/meminfo"), "MemTotal")),
        ("Kernel".to_owned(), read("/proc/sys/kernel/osrelease").trim().to_owned()),
        (
            "Other programs, before it began".to_owned(),
            format!("{:.0} % of all processors", busy_before * 100.0),
        ),
        ("Product".to_owned(), version(&bench.programs.product, "--version")),
        ("Rounds".to_owned(), format!("{} windows of {:?} for each server", bench.rounds, bench.window)),
    ];
    if bench.programs.here().contains(&Kind::Nchan) {
        facts.push(("nchan".to_owned(), version(Path::new("nginx"), "-v")));
    } else {
        facts.push(("nchan".to_owned(), "not installed, so not measured".to_owned()));
    }
    Setting { command, facts }
}
