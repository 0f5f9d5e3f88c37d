//! What a person reads: lines while it runs, tables at the end.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::publish::publish;

/// Between two lines about a run that goes on.
pub(crate) const TELL_EVERY: Duration = Duration::from_secs(30);

pub(crate) fn tell(line: &str) {
    println!("{line}");
}

/// Prints a Markdown table, and writes it as `NAME.md` where tables are wanted.
pub(crate) fn table(name: &str, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<()> {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    tell(&format!("\n{text}"));
    publish(&format!("{name}.md"), &text).with_context(|| format!("cannot write the table {name}"))
}
