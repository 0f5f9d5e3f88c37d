//! The tables of docs/DELIVERY.md: printed, and written to `$SWITCHBACK_TABLES` where that is set.

use anyhow::{Context as _, Result};

#[path = "../../tests/shared/publish.rs"]
mod shared;

pub(crate) use shared::TABLES;

/// A Markdown table.
pub(crate) fn markdown(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule: Vec<String> = head.iter().map(|_| "---".to_owned()).collect();
    let rows = rows.iter().map(|row| line(row));
    [line(&head), line(&rule)].into_iter().chain(rows).collect()
}

/// Prints a table and keeps it as `name`.md.
pub(crate) fn publish(name: &str, table: &str) -> Result<()> {
    println!("\n{table}");
    shared::publish(&format!("{name}.md"), table).with_context(|| format!("cannot write the table {name}"))
}
