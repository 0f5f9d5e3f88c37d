//! The load program of tests/load: whole by its own task, small among the tests, with the same code
//! and the same checks. What slow readers must not cost is small enough to be whole in both.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::machine;
use crate::process::{self, cargo, root, run, run_with};
use crate::runner::Outcome;
use crate::steps::{self, BINARY};
use crate::tools;

/// What the tests run of each.
const SMALL_STORM: &[&str] = &["storm", "--clients", "300", "--quiet", "2", "--most-mib", "256"];
const SMALL_SOAK: &[&str] = &["soak", "--minutes", "0.25", "--clients", "200", "--history", "0"];

/// All three; storm and soak small.
pub(crate) fn small() -> Result<()> {
    let binary = steps::binary()?;
    load(&binary, SMALL_STORM)?;
    load(&binary, SMALL_SOAK)?;
    load(&binary, &["slow"])
}

/// One of them as it is asked for.
pub(crate) fn long(which: &str, options: &[&str]) -> Result<Outcome> {
    machine::prepare(&[tools::CC])?;
    let binary = steps::binary()?;
    load(&binary, &[&[which], options].concat())?;
    Ok(Outcome::Passed)
}

fn load(binary: &Path, args: &[&str]) -> Result<()> {
    let program = build()?;
    run_with(root(), &program.to_string_lossy(), args, &[(BINARY, binary.as_os_str())])
}

/// Built together with the product's binary: alone it would have other features, and what both
/// depend on would be compiled once more.
pub(crate) fn build() -> Result<PathBuf> {
    let build = ["build", "--locked", "--release", "-p", "switchback", "-p", "switchback-load"];
    run(root(), &cargo(), &build)?;
    Ok(process::target().join("release/switchback-load"))
}
