//! Runs the fuzzing targets of `fuzz/` for a time each and reports what they came to.
//!
//! libFuzzer without cargo-fuzz: coverage is a pass of stable rustc, and a crate of safe code gains
//! nothing from a sanitizer, so neither a nightly toolchain nor another program is needed. What is
//! found becomes a seed at once; the repository's tests run every seed (`tests/seeds`).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::{self, cargo, root, run_command};
use crate::tables;

/// Coverage of every edge, counted; comparisons are watched, so that magic values are found.
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";
/// How long each target runs unless said otherwise, in seconds.
const DEFAULT_SECS: u64 = 60;
/// An input that takes longer counts as found, in seconds.
const INPUT_SECS: u64 = 20;
/// The longest input, in bytes; a message has at most 16,000.
const INPUT_BYTES: usize = 8_192;

/// What became of a target.
struct Found {
    target: String,
    executions: u64,
    per_second: u64,
    edges: u64,
    inputs: u64,
    crashes: Vec<String>,
}

/// The arguments of `cargo xtask fuzz`.
pub(crate) fn from_args(args: &[&str]) -> Result<()> {
    let (mut secs, mut only) = (DEFAULT_SECS, Vec::new());
    let mut rest = args;
    while let [flag, value, tail @ ..] = rest {
        match *flag {
            "--secs" => secs = value.parse().with_context(|| format!("--secs {value}"))?,
            "--target" => only.push(*value),
            other => bail!("\"{other}\" is not understood: fuzz [--secs N] [--target NAME]..."),
        }
        rest = tail;
    }
    ensure!(rest.is_empty(), "\"{}\" is not understood", rest.join(" "));
    let targets = targets()?;
    for name in &only {
        ensure!(targets.iter().any(|target| target == name), "there is no target {name}");
    }
    let triple = build()?;
    let chosen = targets.iter().filter(|target| only.is_empty() || only.contains(&target.as_str()));
    let found = chosen.map(|target| fuzz(&triple, target, secs)).collect::<Result<Vec<_>>>()?;
    tables::publish("fuzzing", &table(&found, secs))?;
    let crashes: Vec<String> = found.iter().flat_map(|found| found.crashes.clone()).collect();
    ensure!(crashes.is_empty(), "found, and kept as seeds:\n  {}", crashes.join("\n  "));
    Ok(())
}

/// The names of the targets, from their sources.
fn targets() -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let names = std::fs::read_dir(&folder)?.map(|entry| Ok(entry?.path()));
    let mut names: Vec<String> = names
        .collect::<Result<Vec<PathBuf>>>()?
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

fn folder() -> PathBuf {
    process::target().join("fuzz")
}

/// Builds every target; returns the platform, which is named so that build scripts are left alone.
fn build() -> Result<String> {
    let version = process::output(Path::new("rustc"), &["-vV"]).context("rustc does not run")?;
    let triple = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc has no host")?;
    let mut command = Command::new(cargo());
    command.args(["build", "--locked", "--release", "--bins", "--target", triple, "--manifest-path"]);
    command.arg(root().join("fuzz/Cargo.toml")).arg("--target-dir").arg(folder()).env("RUSTFLAGS", RUSTFLAGS);
    run_command(&mut command)?;
    Ok(triple.to_owned())
}

fn fuzz(triple: &str, target: &str, secs: u64) -> Result<Found> {
    let corpus = folder().join("corpus").join(target);
    let artifacts = folder().join("artifacts").join(target);
    for folder in [&corpus, &artifacts] {
        std::fs::create_dir_all(folder)?;
    }
    let seeds = root().join("fuzz/seeds").join(target);
    let before = files(&artifacts)?;
    println!("--- {target}, {secs} s");
    let mut prefix = artifacts.clone().into_os_string();
    prefix.push("/");
    let mut artifact = OsStr::new("-artifact_prefix=").to_owned();
    artifact.push(prefix);
    let output = Command::new(folder().join(triple).join("release").join(target))
        .arg(&corpus)
        .arg(&seeds)
        .arg(artifact)
        .arg(format!("-max_total_time={secs}"))
        .arg(format!("-timeout={INPUT_SECS}"))
        .arg(format!("-max_len={INPUT_BYTES}"))
        .args(["-print_final_stats=1", "-verbosity=1"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .with_context(|| format!("{target} does not run"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let mut crashes = Vec::new();
    for file in files(&artifacts)?.into_iter().filter(|file| !before.contains(file)) {
        let seed = seeds.join(file.file_name().unwrap_or_default());
        std::fs::copy(&file, &seed)?;
        crashes.push(seed.strip_prefix(root()).unwrap_or(&seed).display().to_string());
    }
    if !output.status.success() {
        println!("{said}");
        ensure!(!crashes.is_empty(), "{target} ended with {} and left nothing to repeat it", output.status);
    }
    let stat = |name: &str| number_after(&said, name);
    Ok(Found {
        target: target.to_owned(),
        executions: stat("stat::number_of_executed_units:").unwrap_or_default(),
        per_second: stat("stat::average_exec_per_sec:").unwrap_or_default(),
        edges: stat(" cov:").unwrap_or_default(),
        inputs: stat(" corp:").unwrap_or_default(),
        crashes,
    })
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

/// The number behind the last `name`.
fn number_after(said: &str, name: &str) -> Option<u64> {
    let rest = said.rsplit_once(name)?.1.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

fn table(found: &[Found], secs: u64) -> String {
    let rows = found.iter().map(|found| {
        let numbers = [found.executions, found.per_second, found.edges, found.inputs].map(|n| n.to_string());
        let crashes = if found.crashes.is_empty() { "none".to_owned() } else { found.crashes.join(", ") };
        [vec![found.target.clone(), secs.to_string()], numbers.to_vec(), vec![crashes]].concat()
    });
    let head = ["target", "seconds", "executions", "per second", "edges covered", "inputs kept", "found"];
    tables::markdown(&head, &rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::number_after;

    #[test]
    fn the_last_number_counts() {
        let said =
            "#2\tINITED cov: 12 ft: 13 corp: 1/1b\n#9\tDONE   cov: 345 ft: 6 corp: 78/9b\nstat::x: 10\n";
        assert_eq!(number_after(said, " cov:"), Some(345));
        assert_eq!(number_after(said, " corp:"), Some(78));
        assert_eq!(number_after(said, "stat::x:"), Some(10));
        assert_eq!(number_after(said, "stat::y:"), None);
    }
}
