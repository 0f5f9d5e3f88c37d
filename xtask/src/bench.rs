//! `cargo xtask bench`: builds the product as it is released, the load program and the textbook's chat,
//! and measures them beside each other. The page goes to bench/results/<date>/, and README.md then
//! points to it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::process::{self, cargo, output, root, run, run_with};
use crate::runner::Outcome;
use crate::steps::{self, BINARY};
use crate::{load, machine, tools};

const RESULTS: &str = "bench/results";
/// A workspace of its own, built into the directory of all builds.
const TEXTBOOK: &str = "tests/load/textbook";
/// What drives the browser, and the scenario that needs one.
const MEASURE: &str = "tests/browser/measure.js";
const IN_BROWSER: &str = "browser";
/// Runs with a server that is made for it.
const ON_POSTGRES: &str = "durable-postgres";

pub(crate) fn from_args(args: &[&str]) -> Result<Outcome> {
    machine::prepare(&[tools::CC])?;
    if args.contains(&ON_POSTGRES) {
        machine::prepare(&[tools::POSTGRES])?;
    }
    let named = scenarios(args);
    let in_browser = named.is_empty() || named.contains(&IN_BROWSER);
    if in_browser {
        machine::prepare(&[tools::NODE, tools::NPM, tools::CHROMIUM])?;
        steps::npm_ci(&root().join("tests/browser"))?;
    }
    let binary = steps::binary()?;
    let program = load::build()?;
    let target = process::target();
    let into = target.to_string_lossy();
    run(&root().join(TEXTBOOK), &cargo(), &["build", "--locked", "--release", "--target-dir", &into])?;
    let textbook = target.join("release/textbook");
    // A quick run shows that it works. Its figures are nothing to keep, nor are those of a part.
    let is_kept = !args.contains(&"--quick") && named.is_empty();
    let date = output(Path::new("date"), &["-u", "+%F"]).context("no date")?;
    let results = if is_kept { root().join(RESULTS).join(date.trim()) } else { target.join("bench") };
    let mut words = vec!["bench"];
    words.extend(args);
    let (results_text, textbook_text) = (results.to_string_lossy(), textbook.to_string_lossy());
    words.extend(["--results", &results_text, "--textbook", &textbook_text]);
    let measure = root().join(MEASURE);
    let measure = measure.to_string_lossy();
    if in_browser {
        words.extend(["--browser", &measure]);
    }
    let program = program.to_string_lossy();
    let env = [(BINARY, binary.as_os_str())];
    if args.contains(&ON_POSTGRES) {
        let cluster = ["-t", "-o", "fsync=on", "-o", "max_connections=200", &program];
        run_with(root(), "pg_virtualenv", &[&cluster[..], &words].concat(), &env)?;
    } else {
        run_with(root(), &program, &words, &env)?;
    }
    if is_kept {
        point_to(&root().join("README.md"), date.trim())?;
    }
    Ok(Outcome::Passed)
}

/// What is named, without the options.
fn scenarios<'a>(args: &[&'a str]) -> Vec<&'a str> {
    const WITH_VALUE: [&str; 3] = ["--rounds", "--window", "--servers"];
    let is_value = |at: usize| at > 0 && WITH_VALUE.contains(&args[at - 1]);
    let named = args.iter().enumerate().filter(|(at, arg)| !arg.starts_with('-') && !is_value(*at));
    named.map(|(_, arg)| *arg).collect()
}

/// Has the page's link to the newest results point to these.
fn point_to(page: &PathBuf, date: &str) -> Result<()> {
    let text = fs::read_to_string(page)?;
    fs::write(page, with_link(&text, date)?).with_context(|| format!("cannot write {}", page.display()))
}

fn with_link(text: &str, date: &str) -> Result<String> {
    let mark = format!("({RESULTS}/");
    let Some((before, rest)) = text.split_once(&mark) else { bail!("README.md has no link to {RESULTS}/") };
    let Some((_, after)) = rest.split_once("/README.md)") else {
        bail!("README.md: the link to {RESULTS}/ has no end")
    };
    Ok(format!("{before}{mark}{date}/README.md){after}"))
}

#[cfg(test)]
mod tests {
    use super::{scenarios, with_link};

    #[test]
    fn an_options_value_is_no_scenario() {
        assert_eq!(scenarios(&["--rounds", "3", "idle", "--quick", "start"]), ["idle", "start"]);
        assert!(scenarios(&["--window", "2"]).is_empty());
    }

    #[test]
    fn the_link_points_to_the_newest() {
        let old = "see [bench](bench/results/2026-01-02/README.md), [b](c)";
        let new = "see [bench](bench/results/2026-03-04/README.md), [b](c)";
        assert_eq!(with_link(old, "2026-03-04").ok().as_deref(), Some(new));
        assert!(with_link("no link", "2026-03-04").is_err());
    }
}
