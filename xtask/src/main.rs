//! Development tasks: `cargo xtask test` is everything that must pass, all set-up included.
//!
//! Rust instead of shell, so that one language checks it all and it runs wherever the product
//! builds. Each task is a list of steps; a step is one function over the programs it needs.

mod bench;
mod compose;
mod conformance;
mod delivery;
mod fuzz;
mod load;
mod machine;
mod order;
mod process;
mod runner;
mod steps;
mod tables;
mod tools;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use runner::Outcome;
use steps::Step;
use tools::Tool;

const HELP: &str = "\
cargo xtask <task>

  test [--only STEP]...   everything that must pass, all set-up included; or only these steps
  lint                    formatting, clippy and the web client's types
  simulate [--seeds N]    simulated runs, optimized, 2,000 unless said (SWITCHBACK_SIM_SEED=N: that one)
  conformance [--quick | --with WSTEST]
                          the socket against Autobahn's cases; by the original, where it is at hand
  fuzz [--secs N] [--target NAME]...
                          every fuzzing target for N seconds (60), or only these
  screenshots             takes the README's picture again, into docs/images/
  storm [--clients N]     a reconnect storm: everybody is cut off at once and comes back (5,000 clients)
  soak [--minutes N] [--clients N]
                          a long run: clients come and go (30 minutes, 1,000 clients)
  slow [--readers N] [--events N]
                          1,000 readers stop while 100,000 events pass, and read again
  bench [SCENARIO]... [--quick] [--rounds N]
                          how close to the limit, beside a yardstick and others; a page in bench/results/
  order                   which functions a server starts and works with, for the linker, by callgrind
  faults [--seeds N]      the faults alone; or N drawn plans (SWITCHBACK_SEED: from this one on,
                          SWITCHBACK_PLAN: this file and nothing else)
  delivery [SUITE]...     makes the tables of docs/DELIVERY.md again, or only these; about an hour in all
  steps                   the names of the steps
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(Outcome::Passed) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<Outcome> {
    match args {
        ["test", rest @ ..] => Ok(runner::run(&chosen(rest)?, Some(runner::STEP))),
        ["lint"] => Ok(runner::run(&steps::named(&["fmt", "clippy", "web-types"])?, None)),
        ["simulate", rest @ ..] => simulate(rest),
        ["conformance", rest @ ..] => once(steps::CONFORMANCE_TOOLS, || conformance::from_args(rest)),
        ["fuzz", rest @ ..] => once(steps::FUZZ_TOOLS, || fuzz::from_args(rest)),
        ["screenshots"] => Ok(runner::run(&[steps::SCREENSHOTS], None)),
        [run @ ("storm" | "soak" | "slow"), options @ ..] => load::long(run, options),
        ["bench", options @ ..] => bench::from_args(options),
        ["order"] => {
            order::renew()?;
            Ok(Outcome::Passed)
        }
        ["faults"] => Ok(runner::run(&steps::named(&["faults"])?, None)),
        ["faults", "--seeds", seeds] => {
            steps::draw(seeds.parse().context("--seeds takes a number")?);
            Ok(runner::run(&steps::named(&["faults"])?, None))
        }
        ["delivery", suites @ ..] => {
            delivery::renew(suites)?;
            Ok(Outcome::Passed)
        }
        ["steps"] => {
            for step in steps::ALL {
                println!("{:12} {}", step.name, step.about);
            }
            Ok(Outcome::Passed)
        }
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(Outcome::Passed)
        }
        other => bail!("there is no task \"{}\"\n\n{HELP}", other.join(" ")),
    }
}

fn simulate(args: &[&str]) -> Result<Outcome> {
    /// Unless said otherwise.
    const SEEDS: u64 = 2_000;
    let seeds = match args {
        [] => SEEDS,
        ["--seeds", seeds] => seeds.parse().with_context(|| format!("--seeds {seeds}"))?,
        other => bail!("\"{}\" is not understood: simulate [--seeds N]", other.join(" ")),
    };
    steps::simulate(seeds)?;
    Ok(Outcome::Passed)
}

/// A task with arguments of its own.
fn once(tools: &[Tool], task: impl FnOnce() -> Result<()>) -> Result<Outcome> {
    machine::prepare(tools)?;
    task()?;
    Ok(Outcome::Passed)
}

fn chosen(args: &[&str]) -> Result<Vec<Step>> {
    let mut names = Vec::new();
    let mut rest = args;
    while let [flag, tail @ ..] = rest {
        match (*flag, tail) {
            ("--only", [name, tail @ ..]) => {
                names.push(*name);
                rest = tail;
            }
            _ => bail!("\"{}\" is not understood: test [--only STEP]...", rest.join(" ")),
        }
    }
    if names.is_empty() { Ok(steps::ALL.to_vec()) } else { steps::named(&names) }
}
