//! `cargo xtask delivery`: makes the tables of docs/DELIVERY.md again.
//!
//! Each suite writes its table to a file where `SWITCHBACK_TABLES` says; the page names the place of
//! each by a pair of comments. So a figure on the page is what a run printed, never what somebody
//! typed; and a suite that runs alone renews its table alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process::{root, run_command, target};
use crate::tables::TABLES;

/// The suites, and the task of each that makes its table.
const SUITES: &[(&str, &[&str])] = &[
    ("simulation", &["simulate"]),
    ("faults", &["faults"]),
    ("hostile", &["test", "--only", "hostile"]),
    ("storm", &["storm"]),
    ("soak", &["soak"]),
    ("cluster", &["test", "--only", "compose"]),
    ("conformance", &["conformance"]),
    ("fuzzing", &["fuzz"]),
];

const PAGE: &str = "docs/DELIVERY.md";
const PLOTS: &str = "docs/images";
const END: &str = "<!-- end -->";

/// Runs these suites, or all, and puts their tables into the page. The others' tables are renewed also
/// where a suite fails; then the task fails in the end.
pub(crate) fn renew(chosen: &[&str]) -> Result<()> {
    if let Some(unknown) = chosen.iter().find(|name| SUITES.iter().all(|(suite, _)| suite != *name)) {
        let known: Vec<&str> = SUITES.iter().map(|(suite, _)| *suite).collect();
        bail!("there is no suite \"{unknown}\"; there are {}", known.join(", "));
    }
    let tables = fresh_tables()?;
    let mut failed = Vec::new();
    for (suite, task) in SUITES {
        if !chosen.is_empty() && !chosen.contains(suite) {
            continue;
        }
        let xtask = std::env::current_exe().context("cannot find this program")?;
        if let Err(error) =
            run_command(Command::new(xtask).args(*task).current_dir(root()).env(TABLES, &tables))
        {
            failed.push(format!("{suite}: {error:#}"));
        }
    }
    renew_page(&tables)?;
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("\n")) }
}

/// Where the suites write, empty.
fn fresh_tables() -> Result<PathBuf> {
    let dir = target().join("tables");
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("cannot empty {}", dir.display()))?;
    }
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// Puts every table that was written into the page, and every plot beside it.
fn renew_page(tables: &Path) -> Result<()> {
    let path = root().join(PAGE);
    let mut page = fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    for entry in fs::read_dir(tables)? {
        let file = entry?.path();
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if file.extension().is_some_and(|extension| extension == "svg") {
            let plot = root().join(PLOTS).join(format!("{name}.svg"));
            fs::copy(&file, &plot).with_context(|| format!("cannot write {}", plot.display()))?;
            continue;
        }
        let table = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        page = with_table(&page, &name, &table)?;
        println!("the table \"{name}\" is in {PAGE}");
    }
    fs::write(&path, page).with_context(|| format!("cannot write {PAGE}"))
}

/// The page with this table between its marks.
fn with_table(page: &str, name: &str, table: &str) -> Result<String> {
    let mark = format!("<!-- table {name} -->");
    let Some((before, rest)) = page.split_once(&mark) else {
        bail!("{PAGE} has no place for the table \"{name}\": {mark}");
    };
    let Some((_, after)) = rest.split_once(END) else {
        bail!("{PAGE}: {mark} is not followed by {END}");
    };
    Ok(format!("{before}{mark}\n{}\n{END}{after}", table.trim()))
}

#[cfg(test)]
mod tests {
    use super::with_table;

    const PAGE: &str = "# A\n<!-- table one -->\nold\n<!-- end -->\nB\n<!-- table two -->\n<!-- end -->\n";

    #[test]
    fn a_table_replaces_the_one_of_its_name() {
        let page = with_table(PAGE, "one", "| new |\n").ok();
        let expected =
            "# A\n<!-- table one -->\n| new |\n<!-- end -->\nB\n<!-- table two -->\n<!-- end -->\n";
        assert_eq!(page.as_deref(), Some(expected));
    }

    #[test]
    fn a_table_without_a_place_is_an_error() {
        assert!(with_table(PAGE, "three", "").is_err());
        assert!(with_table("<!-- table one -->", "one", "").is_err());
    }
}
