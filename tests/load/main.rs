//! Thousands of clients against the built server: a reconnect storm, a long run, readers that
//! stop, and a bench.
//!
//! A program of its own beside the server, so that what the server takes can be told from what its
//! clients take. Most clients are lean ones with the real client's rules; some hundreds are the real
//! one. `cargo xtask storm`, `soak`, `slow` and `bench` build both and run it.

mod bench;
mod frame;
mod http;
mod lean;
mod limits;
mod line;
#[path = "../shared/port.rs"]
mod port;
mod posts;
#[path = "../shared/publish.rs"]
mod publish;
mod real;
mod record;
mod report;
mod samples;
mod server;
mod slow;
mod soak;
mod sockets;
mod storm;
mod team;
mod truth;

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use clap::{Parser, Subcommand};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;
use uuid::Uuid;

#[derive(Debug, Parser)]
struct Cli {
    /// The server to test.
    #[arg(long, env = "SWITCHBACK_BINARY", value_name = "FILE")]
    binary: PathBuf,
    #[command(subcommand)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Run {
    /// Everybody comes back at once.
    Storm(storm::Args),
    /// Clients come and go for a long time.
    Soak(soak::Args),
    /// A thousand stop reading, and read again.
    Slow(slow::Args),
    /// How close to the limit.
    Bench(bench::Args),
    /// What the bench measures by: a server.
    #[command(hide = true)]
    Yardstick(bench::yardstick::Args),
}

/// A directory of one's own, gone at the end.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left where it is if it cannot be cleared away: a directory for temporary things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let clients = match &cli.run {
        Run::Storm(args) => args.clients(),
        Run::Soak(args) => args.clients(),
        Run::Slow(args) => args.clients(),
        Run::Bench(_) => bench::DESCRIPTORS.div_ceil(limits::DESCRIPTORS_PER_CLIENT),
        Run::Yardstick(args) => return bench::yardstick::run(args),
    };
    let wanted = clients * limits::DESCRIPTORS_PER_CLIENT + limits::DESCRIPTORS_RESERVED;
    let possible = rlimit::increase_nofile_limit(u64::MAX)?;
    ensure!(possible >= u64::try_from(wanted)?, "{possible} open files are allowed, {wanted} are needed");
    let scratch = Scratch(std::env::temp_dir().join(format!("switchback-load-{}", Uuid::now_v7())));
    std::fs::create_dir_all(&scratch.0)?;
    let run = async {
        match &cli.run {
            Run::Storm(args) => storm::run(args, cli.binary, scratch.0.clone()).await,
            Run::Soak(args) => soak::run(args, cli.binary, scratch.0.clone()).await,
            Run::Slow(args) => slow::run(args, cli.binary, scratch.0.clone()).await,
            Run::Bench(args) => {
                let (args, dir, runtime) = (args.clone(), scratch.0.clone(), Handle::current());
                spawn_blocking(move || bench::run(&args, cli.binary, dir, runtime)).await?
            }
            Run::Yardstick(_) => Ok(()),
        }
    };
    let mut asked_to_stop = signal(SignalKind::terminate())?;
    // Dropped with what it started: no server stays behind. The bench's thread is told, and waited for.
    tokio::select! {
        done = run => return done,
        _ = asked_to_stop.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    bench::stop();
    bail!("asked to stop")
}
