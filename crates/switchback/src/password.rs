//! Passwords from people and scripts: never from the command line, where everybody can read them.

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use anyhow::{Context as _, Result, bail};
use switchback_core::{Password, limits};

/// A new password: from the first line of standard input, or asked for twice.
pub(crate) fn new_password(from_stdin: bool) -> Result<Password> {
    let text = if from_stdin { from_standard_input()? } else { asked_twice()? };
    Password::new(&text).context("the password")
}

/// A password in use, asked for once.
pub(crate) fn ask(prompt: &str) -> Result<String> {
    if !std::io::stdin().is_terminal() {
        bail!("there is no terminal to ask for the password at: set SWITCHBACK_PASSWORD, or use a token");
    }
    rpassword::prompt_password(prompt).context("the password could not be read")
}

fn from_standard_input() -> Result<String> {
    let mut line = String::new();
    // One more than is allowed, so that too long is seen, and the line's end.
    let most = limits::PASSWORD_MAX_BYTES + 3;
    let stdin = std::io::stdin().lock();
    let read = stdin.take(u64::try_from(most)?).read_line(&mut line);
    read.context("the password could not be read from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn asked_twice() -> Result<String> {
    if !std::io::stdin().is_terminal() {
        bail!("there is no terminal to ask for the password at: use --password-stdin");
    }
    let first = rpassword::prompt_password("New password: ").context("the password could not be read")?;
    let again = rpassword::prompt_password("Once more: ").context("the password could not be read")?;
    if first != again {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(first)
}
