//! Runs steps one after the other, times them, and ends with a table and a line of counts.
//!
//! A failed step does not end the run: whoever reads it wants to know all that is wrong. A step
//! that builds on a failed one counts as failed, and says so.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::machine;
use crate::process;
use crate::steps::Step;

/// A step that hangs must not take the others' results with it: what it runs is killed after this.
/// On two cores the longest takes a quarter of it.
pub(crate) const STEP: Duration = Duration::from_mins(20);
/// What was started while the others were killed is killed after this.
const AGAIN: Duration = Duration::from_secs(5);
/// A step that goes on for this long without its programs waits for one that nobody finds any more.
const GIVEN_UP: Duration = Duration::from_mins(2);

/// Whether everything passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
}

struct Line {
    name: &'static str,
    failure: Option<String>,
    took: Duration,
}

/// Prepares the machine, then runs the steps, each for so long at most.
pub(crate) fn run(steps: &[Step], limit: Option<Duration>) -> Outcome {
    let started = Instant::now();
    let mut lines = vec![timed("preflight", || machine::prepare(&tools(steps)))];
    if lines.iter().all(|line| line.failure.is_none()) {
        for step in steps {
            let line = match failed_before(step, &lines) {
                Some(name) => timed(step.name, || bail!("not run: it needs the step {name}")),
                None => timed(step.name, || match limit {
                    Some(limit) => within(limit, step.name, step.run),
                    None => (step.run)(),
                }),
            };
            lines.push(line);
        }
    } else {
        lines.extend(steps.iter().map(|step| timed(step.name, || bail!("not run: preflight failed"))));
    }
    summary(&lines, started.elapsed())
}

/// What these steps need, each tool once.
fn tools(steps: &[Step]) -> Vec<crate::tools::Tool> {
    let mut tools: Vec<crate::tools::Tool> = Vec::new();
    for tool in steps.iter().flat_map(|step| step.tools) {
        if !tools.iter().any(|known| known.name == tool.name) {
            tools.push(*tool);
        }
    }
    tools
}

fn failed_before(step: &Step, lines: &[Line]) -> Option<&'static str> {
    let needed = step.after?;
    lines.iter().find(|line| line.name == needed && line.failure.is_some()).map(|line| line.name)
}

fn timed(name: &'static str, task: impl FnOnce() -> Result<()>) -> Line {
    println!("\n=== {name}");
    let started = Instant::now();
    let failure = task().err().map(|error| format!("{error:#}"));
    let took = started.elapsed();
    match &failure {
        None => println!("=== {name}: passed in {}", seconds(took)),
        Some(why) => {
            println!("=== {name}: FAILED in {}\n{}", seconds(took), why.lines().next().unwrap_or_default());
        }
    }
    Line { name, failure, took }
}

/// Runs it, and kills the programs it has started if they have not ended by then.
fn within(limit: Duration, name: &str, task: impl FnOnce() -> Result<()>) -> Result<()> {
    let (ended, end) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let guard = scope.spawn(move || {
            let is_over = |wait| end.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
            if is_over(limit) {
                return None;
            }
            let killed = process::kill_descendants();
            let late = Instant::now();
            while !is_over(AGAIN) {
                process::kill_descendants();
                if late.elapsed() > GIVEN_UP {
                    println!("\n=== {name}: FAILED, and does not end; killed: {killed}");
                    std::process::exit(1);
                }
            }
            Some(killed)
        });
        let done = task();
        drop(ended);
        let Ok(killed) = guard.join() else { bail!("who watches the step panicked") };
        let Some(killed) = killed else { return done };
        let late = format!("killed after {} s: {killed}", limit.as_secs());
        done.map_or_else(|error| Err(error.context(late.clone())), |()| bail!("{late}"))
    })
}

fn summary(lines: &[Line], took: Duration) -> Outcome {
    // Whoever reads a long log from its end finds the reasons there.
    for (name, why) in lines.iter().filter_map(|line| Some((line.name, line.failure.as_ref()?))) {
        println!("\n=== why {name} failed: {why}");
    }
    println!("\n=== {} in all", seconds(took));
    for line in lines {
        let result = if line.failure.is_none() { "passed" } else { "FAILED" };
        println!("  {:12} {result} {:>8}", line.name, seconds(line.took));
    }
    let failed = lines.iter().filter(|line| line.failure.is_some()).count();
    println!("\n{} passed, {failed} failed", lines.len() - failed);
    if failed == 0 { Outcome::Passed } else { Outcome::Failed }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use super::*;

    #[test]
    fn what_a_step_runs_is_killed_when_it_hangs() {
        let started = Instant::now();
        // A shell that waits for another program, as cargo waits for a test.
        let hangs = || process::run(process::root(), "sh", &["-c", "sleep 600; true"]);
        let error = within(Duration::from_millis(300), "", hangs).unwrap_err();
        assert!(started.elapsed() < Duration::from_mins(1), "nobody ended it");
        let error = format!("{error:#}");
        assert!(error.starts_with("killed after 0 s: ") && error.contains("sleep"), "{error}");
        let unmoved = || hangs().or(Ok(()));
        assert!(within(Duration::from_millis(300), "", unmoved).is_err(), "it has not done what it should");
        assert!(within(Duration::from_mins(1), "", || Ok(())).is_ok());
        let failed = within(Duration::from_mins(1), "", || bail!("by itself")).unwrap_err();
        assert_eq!(failed.to_string(), "by itself");
    }
}
