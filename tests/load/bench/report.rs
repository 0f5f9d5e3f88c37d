//! What the bench leaves behind: a page with a table for each scenario, every target beside what was
//! measured, and plots.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// One scenario's part of the page.
#[derive(Debug, Clone, Default)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    pub(super) notes: Vec<String>,
    pub(super) verdicts: Vec<Verdict>,
    /// Name and picture.
    pub(super) plots: Vec<(String, String)>,
    /// What is written beside the page: name and content.
    pub(super) files: Vec<(String, String)>,
}

/// A target, and what was measured.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    what: String,
    target: String,
    measured: String,
    is_met: bool,
}

impl Verdict {
    pub(super) fn at_most(what: String, measured: f64, most: f64) -> Self {
        let is_met = measured <= most;
        Self { what, target: format!("<= {most}"), measured: cell(measured, 2), is_met }
    }

    pub(super) fn at_least(what: String, measured: f64, least: f64) -> Self {
        let is_met = measured >= least;
        let digits = if least < 100.0 { 2 } else { 0 };
        Self { what, target: format!(">= {least}"), measured: cell(measured, digits), is_met }
    }

    pub(super) const fn is_met(&self) -> bool {
        self.is_met
    }
}

impl Section {
    pub(super) fn new(title: String) -> Self {
        Self { title, ..Self::default() }
    }

    /// As Markdown.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n", self.title);
        text += &table(&self.head, &self.rows);
        for (name, _) in &self.plots {
            let _ = write!(text, "\n![{}]({name}.svg)\n", self.title);
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }
}

/// A figure, or nothing where there is none.
pub(super) fn cell(value: f64, digits: usize) -> String {
    if value.is_finite() { format!("{value:.digits$}") } else { "-".to_owned() }
}

fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

/// What was measured on, with what, and how to do it again.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) command: String,
    pub(super) facts: Vec<(String, String)>,
}

/// How the figures are to be understood.
const READ: &str = "\
Processor time is the server's, user and system, of all its threads (`/proc/PID/task/*/schedstat`), while nothing but \
the posts happens. Each server has its window in every round, and a ratio is the median of the rounds' ratios to the \
yardstick's window in the same round. `generator, others %`: what the load generator took of its processor, and what \
other programs took of all; where they took much, ratios of processor time still say something, latencies and rates do \
not. `whole`: windows in which every delivery came. A post has 200 bytes of text: the yardstick and the others pass on \
that and 40 bytes around it, the product its whole event (`bytes`).";

/// Writes the page and its plots; whether every target is met.
pub(super) fn write(dir: &Path, setting: &Setting, sections: &[Section]) -> Result<bool> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut text = "# Bench\n\n".to_owned();
    let _ = writeln!(text, "Made by `{}`.\n", setting.command);
    for (name, value) in &setting.facts {
        let _ = writeln!(text, "* {name}: {value}");
    }
    let _ = write!(text, "\n{READ}\n");
    let verdicts: Vec<&Verdict> = sections.iter().flat_map(|section| &section.verdicts).collect();
    let rows: Vec<Vec<String>> = verdicts
        .iter()
        .map(|verdict| {
            let met = if verdict.is_met { "yes" } else { "**no**" };
            vec![verdict.what.clone(), verdict.target.clone(), verdict.measured.clone(), met.to_owned()]
        })
        .collect();
    let head = ["what", "target", "measured", "met"].map(str::to_owned);
    let _ = write!(text, "\n## Targets\n\n{}", table(&head, &rows));
    for section in sections {
        let _ = write!(text, "\n{}", section.markdown());
        for (name, svg) in &section.plots {
            fs::write(dir.join(format!("{name}.svg")), svg)?;
        }
        for (name, content) in &section.files {
            fs::write(dir.join(name), content)?;
        }
    }
    fs::write(dir.join("README.md"), text)?;
    Ok(verdicts.iter().all(|verdict| verdict.is_met()))
}
