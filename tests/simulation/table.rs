//! The runs as a table for the page on delivery.

use std::fmt::Write as _;

use crate::publish::publish;
use crate::seeds::{Done, Off};
use crate::world::Outcome;

/// Prints it, and writes it where tables are gathered.
pub(crate) fn write(done: &Done, caught: &[(Off, Option<Outcome>)]) {
    let table = table(done, caught);
    println!("{table}");
    publish("simulation.md", &table).unwrap();
}

fn table(done: &Done, caught: &[(Off, Option<Outcome>)]) -> String {
    let mut table = String::from("| runs | |\n|---|---|\n");
    let mut row = |what: &str, figure: String| writeln!(table, "| {what} | {figure} |").unwrap();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = done.seeds as f64 / done.took.as_secs_f64();
    row("seeds", format!("{} ({rate:.0} a second)", done.seeds));
    row("promises broken", if done.failed.is_none() { "none".to_owned() } else { "see below".to_owned() });
    row("steps of the schedule", done.steps.to_string());
    row("events that clients were told", done.events.to_string());
    for (what, times) in &done.tally {
        row(what, times.to_string());
    }
    table.push_str("\n| switched off | noticed by seed | as |\n|---|---|---|\n");
    for (off, outcome) in caught {
        let (seed, wrong) = outcome.as_ref().map_or_else(
            || ("none".to_owned(), String::new()),
            |outcome| (outcome.seed.to_string(), outcome.wrongs[0].clone()),
        );
        writeln!(table, "| {} | {seed} | {wrong} |", off.name()).unwrap();
    }
    table
}
