//! The server's socket against Autobahn's cases (RFC 6455), by the echo of `examples/echo.rs`.
//!
//! Autobahn|Testsuite itself runs on Python 2 alone, which no current system has. `kosoku` runs its
//! case files on Python 3 and reports in its format; it is installed into an environment of its own
//! below the target directory. Where the original is at hand, `--with` runs that instead.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::process::{self, cargo, root, run, run_command};
use crate::tables;

/// What is installed, exactly.
const RUNNER: &str = "kosoku==0.1.0";
/// Sections that are quick and need no fast build: framing, pings, reserved bits, opcodes,
/// fragments, UTF-8, closes, and one large message.
const QUICK: [&str; 8] = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"];
/// The sections, their subject, and how many cases they have: fewer would mean that some were lost.
const SECTIONS: [(&str, &str, usize); 11] = [
    ("1", "framing", 16),
    ("2", "pings and pongs", 11),
    ("3", "reserved bits", 7),
    ("4", "opcodes", 10),
    ("5", "fragments", 20),
    ("6", "UTF-8", 145),
    ("7", "close", 37),
    ("9", "limits: up to 16 MiB, in up to 65,536 fragments", 54),
    ("10", "automatic fragmentation", 1),
    ("12", "compression", 90),
    ("13", "compression, parameters", 126),
];
/// What a case may come to.
const PASSES: [&str; 4] = ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"];
/// Cases that may be unimplemented: compression is never agreed to.
const COMPRESSION: [&str; 2] = ["12", "13"];

/// A case's outcome and its close's.
type Outcomes = BTreeMap<String, (String, String)>;

/// The quick part, for CI: the debug build that the tests have made (examples are among them).
pub(crate) fn quick() -> Result<()> {
    run(root(), &cargo(), &["test", "--locked", "--workspace", "--no-run"])?;
    judge("debug", &QUICK, None)
}

/// Everything, in the release build; by the original, if `wstest` says where it is.
pub(crate) fn full(wstest: Option<&str>) -> Result<()> {
    run(
        root(),
        &cargo(),
        &["build", "--locked", "--release", "-p", "switchback-server", "--example", "echo"],
    )?;
    judge("release", &["*"], wstest)
}

fn judge(profile: &str, cases: &[&str], wstest: Option<&str>) -> Result<()> {
    let out = process::target().join("conformance");
    std::fs::create_dir_all(&out)?;
    let reports = out.join("reports");
    if reports.exists() {
        std::fs::remove_dir_all(&reports)?;
    }
    let echo = Echo::start(&process::target().join(profile).join("examples/echo"))?;
    match wstest {
        Some(wstest) => original(wstest, &echo.address, cases, &out)?,
        None => ported(&echo.address, cases, &out)?,
    }
    drop(echo);
    let outcomes = read(&reports.join("index.json"))?;
    tables::publish("conformance", &table(&outcomes))?;
    let failed = failures(&outcomes, cases);
    ensure!(failed.is_empty(), "cases that must not be so:\n  {}", failed.join("\n  "));
    Ok(())
}

/// The cases on Python 3.
fn ported(address: &str, cases: &[&str], out: &Path) -> Result<()> {
    let venv = out.join("venv");
    let program = venv.join("bin/kosoku");
    if !program.exists() {
        run_command(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        let pip = venv.join("bin/pip");
        run_command(Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", RUNNER]))?;
    }
    let includes = cases.iter().flat_map(|case| ["-i", case]);
    let mut command = Command::new(program);
    command.args(["-m", "fuzzingclient"]).args(includes).arg("-o").arg(out.join("reports")).arg(address);
    // It fails when a case does; which may is ours to say, from its report.
    if let Err(error) = run_command(&mut command) {
        println!("{error:#}");
    }
    Ok(())
}

/// The original.
fn original(wstest: &str, address: &str, cases: &[&str], out: &Path) -> Result<()> {
    let spec = serde_json::json!({
        "outdir": out.join("reports"),
        "servers": [{"agent": "switchback", "url": format!("ws://{address}/")}],
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    });
    let file = out.join("fuzzingclient.json");
    std::fs::File::create(&file)?.write_all(spec.to_string().as_bytes())?;
    run_command(Command::new(wstest).args(["-m", "fuzzingclient", "-s"]).arg(file))
}

/// The echo, ended with this.
struct Echo {
    child: Child,
    address: String,
}

impl Echo {
    fn start(program: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("127.0.0.1:0").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
        let stdout = child.stdout.take().context("the echo has no output")?;
        let mut echo = Self { child, address: String::new() };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().strip_prefix("echoing at ws://").and_then(|url| url.strip_suffix('/'));
        address.with_context(|| format!("the echo said {line:?}"))?.clone_into(&mut echo.address);
        Ok(echo)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It may be gone already, which the report shows.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The report: for each server its cases. There is one server.
fn read(index: &Path) -> Result<Outcomes> {
    let text = std::fs::read_to_string(index).with_context(|| format!("no report at {}", index.display()))?;
    let index: Value = serde_json::from_str(&text)?;
    let servers = index.as_object().context("the report is no object")?;
    let cases = servers.values().next().and_then(Value::as_object).context("the report has no server")?;
    let text = |case: &Value, key: &str| case[key].as_str().unwrap_or("missing").to_owned();
    let outcome = |(name, case): (&String, &Value)| {
        (name.clone(), (text(case, "behavior"), text(case, "behaviorClose")))
    };
    Ok(cases.iter().map(outcome).collect())
}

fn section(case: &str) -> &str {
    case.split('.').next().unwrap_or_default()
}

/// Cases that failed, and sections that are not whole.
fn failures(outcomes: &Outcomes, asked: &[&str]) -> Vec<String> {
    let mut failures = Vec::new();
    for (case, (behavior, close)) in outcomes {
        let may = |outcome: &str| {
            PASSES.contains(&outcome) && (outcome != "UNIMPLEMENTED" || COMPRESSION.contains(&section(case)))
        };
        if !may(behavior) || !may(close) {
            failures.push(format!("{case}: {behavior}, close {close}"));
        }
    }
    for (name, _, expected) in SECTIONS {
        let is_asked = asked.iter().any(|pattern| *pattern == "*" || section(pattern) == name);
        let ran = outcomes.keys().filter(|case| section(case) == name).count();
        if is_asked && ran != expected {
            failures.push(format!("section {name}: {ran} cases ran, of {expected}"));
        }
    }
    failures
}

/// A row for each section.
fn table(outcomes: &Outcomes) -> String {
    let rows = SECTIONS.iter().filter_map(|(name, subject, _)| {
        let cases: Vec<_> = outcomes.iter().filter(|(case, _)| section(case) == *name).collect();
        let count = |wanted: &str| cases.iter().filter(|(_, (behavior, _))| behavior == wanted).count();
        let passed: Vec<usize> = PASSES.iter().map(|outcome| count(outcome)).collect();
        let failed = cases.len() - passed.iter().sum::<usize>();
        let closes = cases.iter().filter(|(_, (_, close))| !PASSES.contains(&close.as_str())).count();
        let counts = [&[cases.len()], passed.as_slice(), &[failed, closes]].concat();
        let counts = counts.iter().map(usize::to_string);
        (!cases.is_empty()).then(|| [format!("{name} {subject}")].into_iter().chain(counts).collect())
    });
    let head =
        ["section", "cases", "OK", "non-strict", "informational", "unimplemented", "failed", "failed closes"];
    tables::markdown(&head, &rows.collect::<Vec<Vec<String>>>())
}

/// The arguments of `cargo xtask conformance`.
pub(crate) fn from_args(args: &[&str]) -> Result<()> {
    match args {
        [] => full(None),
        ["--quick"] => quick(),
        ["--with", wstest] => full(Some(wstest)),
        other => bail!("\"{}\" is not understood: conformance [--quick | --with WSTEST]", other.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(cases: &[(&str, &str, &str)]) -> Outcomes {
        let outcome = |(case, behavior, close): &(&str, &str, &str)| {
            ((*case).to_owned(), ((*behavior).to_owned(), (*close).to_owned()))
        };
        cases.iter().map(outcome).collect()
    }

    #[test]
    fn a_failed_case_and_a_lost_one_are_both_told() {
        let ran = outcomes(&[("10.1.1", "OK", "OK"), ("12.1.1", "UNIMPLEMENTED", "UNIMPLEMENTED")]);
        assert!(failures(&ran, &["10.*"]).is_empty());
        let ran = outcomes(&[("10.1.1", "FAILED", "OK")]);
        assert_eq!(failures(&ran, &["10.*"]), ["10.1.1: FAILED, close OK"]);
        let ran = outcomes(&[("10.1.1", "OK", "WRONG CODE")]);
        assert_eq!(failures(&ran, &["10.*"]), ["10.1.1: OK, close WRONG CODE"]);
        let ran = outcomes(&[("10.1.1", "UNIMPLEMENTED", "OK")]);
        assert_eq!(failures(&ran, &["10.*"]).len(), 1, "only compression may be left out");
        assert_eq!(failures(&Outcomes::new(), &["10.*"]), ["section 10: 0 cases ran, of 1"]);
    }
}
