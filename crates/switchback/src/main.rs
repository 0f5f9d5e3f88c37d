//! `switchback`: the one binary. It wires the crates together and holds no logic of its own: options
//! become settings, settings become a server, a client, or one admin operation.

mod admin;
mod chat;
mod cli;
mod doctor;
mod health;
mod logging;
mod memory;
mod password;
mod progress;
mod remote;
mod serve;
mod settings;
mod signals;
mod transfer;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use futures_util::future::LocalBoxFuture;

use cli::{Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // Each in a box of its own, so that the main thread's stack need not hold the largest of them.
    let done: LocalBoxFuture<'_, Result<ExitCode>> = match cli.command {
        None => Box::pin(serve::run(&cli.serve)),
        Some(Command::Serve(ref options)) => Box::pin(serve::run(options)),
        Some(Command::Chat(options)) => Box::pin(chat::run(options)),
        Some(Command::Doctor(options)) => Box::pin(doctor::run(options)),
        Some(Command::Health(ref options)) => Box::pin(health::run(options)),
        Some(Command::Migrate(args)) => Box::pin(transfer::migrate(args)),
        Some(Command::Backup(args)) => Box::pin(transfer::backup(args)),
        Some(Command::Restore(args)) => Box::pin(transfer::restore(args)),
        Some(Command::Admin(command)) => Box::pin(admin::run(command)),
    };
    done.await.unwrap_or_else(|error| {
        // Nobody to tell if standard error is closed.
        let _ = writeln!(std::io::stderr(), "switchback: {}", in_full(&error));
        ExitCode::FAILURE
    })
}

/// An error with the causes behind it, each said once: some errors quote their cause themselves.
fn in_full(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_each_cause_once() {
        let inner = std::io::Error::other("no space");
        let outer = anyhow::Error::new(inner).context("cannot write: no space").context("not saved");
        assert_eq!(in_full(&outer), "not saved: cannot write: no space");
    }
}
