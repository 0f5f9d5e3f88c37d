//! Running a program so that its reader sees what is run, and its failure says which.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

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

/// Runs a command, its output passed on; anything but success is an error.
pub(crate) fn run_command(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy);
    let line = words.collect::<Vec<_>>().join(" ");
    println!("$ {line}");
    let status = command.stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot run \"{line}\""))?;
    if !status.success() {
        bail!("\"{line}\" failed: {status}");
    }
    Ok(())
}

/// What a program prints, both streams; `None` if it cannot be run or fails.
pub(crate) fn output(program: &Path, args: &[&str]) -> Option<String> {
    let done = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
    let printed = [done.stdout, done.stderr].concat();
    done.status.success().then(|| String::from_utf8_lossy(&printed).into_owned())
}
