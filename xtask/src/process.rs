//! Running a program so that its reader sees what is run, and its failure says which.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};

/// How much of a failed program's output is said again at the end.
const TAIL_LINES: usize = 100;

/// The repository's root: two levels need no searching, since xtask lies in it.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The cargo that runs us, so that a chosen toolchain stays chosen.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Where builds go. One directory for all steps: nothing is compiled twice.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Runs a program in `dir`, its output passed on; anything but success is an error.
pub(crate) fn run(dir: &Path, program: &str, args: &[&str]) -> Result<()> {
    run_with(dir, program, args, &[])
}

/// [`run`] with more environment.
pub(crate) fn run_with(dir: &Path, program: &str, args: &[&str], env: &[(&str, &OsStr)]) -> Result<()> {
    run_command(Command::new(program).args(args).current_dir(dir).envs(env.iter().copied()))
}

/// Runs a command, its output passed on; anything but success is an error, with the output's last
/// lines in it where nobody watched them go by.
pub(crate) fn run_command(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy);
    let line = words.collect::<Vec<_>>().join(" ");
    println!("$ {line}");
    command.stdin(Stdio::null());
    // What cargo has told us of ourselves is nothing to those we run: build scripts that look at it
    // (ring's) would run again each time a cargo from here and one from the command line take turns.
    std::env::vars_os().map(|(name, _)| name).filter(|name| is_of_this_package(name)).for_each(|name| {
        command.env_remove(name);
    });
    let (status, tail) = if io::stdout().is_terminal() {
        (command.status(), String::new())
    } else {
        let tail = Mutex::default();
        (passed_on(command, &tail), last_lines(&tail))
    };
    let status = status.with_context(|| format!("cannot run \"{line}\""))?;
    if !status.success() {
        bail!("\"{line}\" failed: {status}{tail}");
    }
    Ok(())
}

/// Whether cargo sets this variable to say which package it runs.
fn is_of_this_package(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_BIN_")
}

/// Runs it and copies what it prints, keeping the last lines.
fn passed_on(command: &mut Command, tail: &Mutex<VecDeque<String>>) -> io::Result<ExitStatus> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(|| out.map(|out| copy_lines(out, io::stdout(), tail)));
        scope.spawn(|| err.map(|err| copy_lines(err, io::stderr(), tail)));
    });
    child.wait()
}

/// To the end of `from`. That the output cannot be passed on must not stop what is run.
fn copy_lines(from: impl Read, mut to: impl Write, tail: &Mutex<VecDeque<String>>) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let _ = to.write_all(&line);
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() == TAIL_LINES {
            tail.pop_front();
        }
        tail.push_back(String::from_utf8_lossy(&line).into_owned());
        line.clear();
    }
}

fn last_lines(tail: &Mutex<VecDeque<String>>) -> String {
    let tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
    tail.iter().fold("; the end of what it printed:\n".to_owned(), |all, line| all + "    " + line)
}

/// Kills what this process has started, and what that has started; their names.
///
/// By Linux' `/proc` (proc(5)): where there is none, nobody is found.
pub(crate) fn kill_descendants() -> String {
    let running = running();
    let mut found = vec![std::process::id()];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(running.iter().filter(|process| process.parent == parent).map(|process| process.id));
        at += 1;
    }
    let found = &found[1..];
    if found.is_empty() {
        return String::new();
    }
    let ids: Vec<String> = found.iter().map(u32::to_string).collect();
    // The shell's own. Some may have ended with their parents.
    let kill = format!("kill -KILL {}", ids.join(" "));
    let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
    let names = running.iter().filter(|process| found.contains(&process.id)).map(|process| &*process.name);
    names.collect::<Vec<_>>().join(", ")
}

struct Running {
    id: u32,
    parent: u32,
    name: String,
}

fn running() -> Vec<Running> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| stat(&std::fs::read_to_string(entry.path().join("stat")).ok()?)).collect()
}

/// `ID (NAME) STATE PARENT ...`, where a name may have spaces and parentheses.
fn stat(line: &str) -> Option<Running> {
    let (head, tail) = line.rsplit_once(')')?;
    let (id, name) = head.split_once(" (")?;
    let parent = tail.split_whitespace().nth(1)?.parse().ok()?;
    Some(Running { id: id.parse().ok()?, parent, name: name.to_owned() })
}

/// What a program prints, both streams; `None` if it cannot be run or fails.
pub(crate) fn output(program: &Path, args: &[&str]) -> Option<String> {
    let done = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
    let printed = [done.stdout, done.stderr].concat();
    done.status.success().then(|| String::from_utf8_lossy(&printed).into_owned())
}
