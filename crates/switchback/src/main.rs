//! `switchback`: the one binary. It wires the crates together and holds no logic of its own: options
//! become settings, settings become a server, a client, or one admin operation.

mod admin;
mod chat;
mod cli;
mod doctor;
mod logging;
mod password;
mod remote;
mod serve;
mod settings;

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
        Some(Command::Admin(command)) => admin::run(command).await,
    };
    done.unwrap_or_else(|error| {
        // With the causes behind it; nobody to tell if standard error is closed.
        let _ = writeln!(std::io::stderr(), "switchback: {error:#}");
        ExitCode::FAILURE
    })
}
