//! `switchback`: the one binary. It wires the crates together and holds no logic of its own: options
//! become settings, settings become a server, a client, or one admin operation.

mod admin;
mod chat;
mod cli;
mod doctor;
mod health;
mod logging;
mod password;
mod progress;
mod remote;
mod serve;
mod settings;
mod signals;
mod transfer;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None => serve::run(&cli.serve).await,
        Some(Command::Serve(options)) => serve::run(&options).await,
        Some(Command::Chat(options)) => chat::run(options).await,
        Some(Command::Doctor(options)) => doctor::run(options).await,
        Some(Command::Health(options)) => health::run(&options).await,
        Some(Command::Migrate(args)) => transfer::migrate(args).await,
        Some(Command::Backup(args)) => transfer::backup(args).await,
        Some(Command::Restore(args)) => transfer::restore(args).await,
        Some(Command::Admin(command)) => admin::run(command).await,
    };
    done.unwrap_or_else(|error| {
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
