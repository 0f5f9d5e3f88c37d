//! Acknowledged durable posts: many senders, and one against what one commit costs on this disk.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use uuid::Uuid;

use super::closed::{self, Closed};
use super::fanout::TEXT_BYTES;
use super::generator::{Generator, Opening, Reads};
use super::peers::{Peer, Way};
use super::report::{Section, Verdict, cell};
use super::stats::{Latencies, median};
use super::{Bench, wire};
use crate::report::tell;
use crate::team::{self, Size};

const SENDERS: usize = 256;
/// A page of a database.
const PAGE_BYTES: usize = 4_096;
const LEAST_PER_S: f64 = 20_000.0;
const POSTGRES_LEAST_PER_S: f64 = 10_000.0;
const MOST_P99_MS: f64 = 50.0;
/// Above one commit, what one sender's post may take.
const MOST_ABOVE_MS: f64 = 1.0;
/// These senders are nobody whom a limit should stop.
const NO_LIMITS: [&str; 4] = ["--commands-per-second", "1000000", "--commands-burst", "1000000"];

/// On the server that the surroundings name, as `pg_virtualenv` does.
pub(super) fn on_postgres(bench: &Bench) -> Result<Section> {
    let of = |name: &str| {
        std::env::var(name).with_context(|| format!("{name} is not set: run it by pg_virtualenv"))
    };
    let (user, password, host, port) = (of("PGUSER")?, of("PGPASSWORD")?, of("PGHOST")?, of("PGPORT")?);
    run(bench, Some(&format!("postgres://{user}:{password}@{host}:{port}")))
}

/// `postgres`: its address without a database; without it, `SQLite`.
pub(super) fn run(bench: &Bench, postgres: Option<&str>) -> Result<Section> {
    tell("durable posts");
    let (name, least) =
        if postgres.is_some() { ("PostgreSQL", POSTGRES_LEAST_PER_S) } else { ("SQLite", LEAST_PER_S) };
    let mut section = Section::new(format!("Acknowledged durable posts, {name}"));
    section.head =
        ["senders", "posts/s", "each round", "p50 ms", "p99 ms", "µs of server each", "generator %"]
            .map(str::to_owned)
            .to_vec();
    let mut many = Vec::new();
    for rooms in [SENDERS, SENDERS / 16] {
        let runs = posts(bench, SENDERS, rooms, postgres)?;
        let about = format!("{SENDERS} in {rooms} rooms");
        section.rows.push(row(&about, &runs));
        many.push((rooms, runs));
    }
    let (alone, commit_ms) = alone(bench, postgres)?;
    section.rows.push(row("1", &alone));
    section.notes.push(format!(
        "One commit (4 KiB written, `fdatasync`) in the same directory: p50 {commit_ms:.2} ms."
    ));
    if let Some((_, runs)) = many.first() {
        let what = format!("acknowledged durable posts/s, {name}, {SENDERS} senders");
        section.verdicts.push(Verdict::at_least(what.clone(), median(runs.iter().map(Closed::per_s)), least));
        let p99 = median(runs.iter().map(|run| run.latencies.permille_ms(990)));
        section.verdicts.push(Verdict::at_most(format!("{what}: p99 in ms"), p99, MOST_P99_MS));
    }
    let p50 = median(alone.iter().map(|run| run.latencies.permille_ms(500)));
    let what = format!("one sender, {name}: p50 above one commit, in ms");
    section.verdicts.push(Verdict::at_most(what, p50 - commit_ms, MOST_ABOVE_MS));
    Ok(section)
}

fn row(senders: &str, runs: &[Closed]) -> Vec<String> {
    let of = |value: fn(&Closed) -> f64| median(runs.iter().map(value));
    vec![
        senders.to_owned(),
        cell(of(Closed::per_s), 0),
        runs.iter().map(|run| cell(run.per_s(), 0)).collect::<Vec<_>>().join(" "),
        cell(of(|run| run.latencies.permille_ms(500)), 2),
        cell(of(|run| run.latencies.permille_ms(990)), 2),
        cell(of(Closed::us_each), 1),
        cell(of(|run| run.generator_share) * 100.0, 0),
    ]
}

/// Everybody posts to a room, with one post under way.
fn posts(bench: &Bench, senders: usize, rooms: usize, postgres: Option<&str>) -> Result<Vec<Closed>> {
    let dir = bench.fresh_dir()?;
    let mut generator = Generator::new()?;
    let peer = start(bench, &dir, senders, rooms, postgres)?;
    let lines = generator.open(peer.address, (0..senders).map(|seat| sender(&peer, seat)))?;
    generator.settle(Duration::from_millis(700), Duration::from_secs(10))?;
    let mut runs = Vec::new();
    for _ in 0..bench.rounds {
        runs.push(closed::run(&mut generator, peer.pid(), &lines, bench.window, |seat, now_ns| {
            peer.say(seat, &wire::text(now_ns, TEXT_BYTES))
        })?);
    }
    Ok(runs)
}

/// One sender, and between its rounds what a commit takes.
fn alone(bench: &Bench, postgres: Option<&str>) -> Result<(Vec<Closed>, f64)> {
    let dir = bench.fresh_dir()?;
    let mut generator = Generator::new()?;
    let peer = start(bench, &dir, 1, 1, postgres)?;
    let lines = generator.open(peer.address, [sender(&peer, 0)])?;
    let (mut runs, mut commits) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        commits.push(commit_ms(&dir, bench.window / 2)?);
        runs.push(closed::run(&mut generator, peer.pid(), &lines, bench.window / 2, |seat, now_ns| {
            peer.say(seat, &wire::text(now_ns, TEXT_BYTES))
        })?);
    }
    Ok((runs, median(commits)))
}

fn start(bench: &Bench, dir: &Path, people: usize, rooms: usize, postgres: Option<&str>) -> Result<Peer> {
    let (size, address) = (Size { people, rooms, history: 0 }, super::peers::ELSEWHERE);
    let Some(server) = postgres else {
        let team = bench.wait_for(team::seed(dir, address, size))?;
        return Peer::product(&bench.programs, dir, &team, rooms, &NO_LIMITS);
    };
    let name = format!("bench_{}", Uuid::now_v7().simple());
    let made = Command::new("createdb").arg(&name).status()?;
    ensure!(made.success(), "createdb failed");
    let url = format!("{server}/{name}");
    let team = bench.wait_for(team::seed_database(&url.parse()?, address, size))?;
    Peer::product(&bench.programs, dir, &team, rooms, &[&NO_LIMITS[..], &["--database-url", &url]].concat())
}

fn sender(peer: &Peer, seat: usize) -> Opening {
    Opening { reads: Reads::Acks, ..peer.listen(Way::Websocket, seat) }
}

/// The median of writing a page behind the last and waiting until the disk has it, as a log is
/// written.
fn commit_ms(dir: &Path, lasting: Duration) -> Result<f64> {
    let path = dir.join("commits");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
    let (page, mut at, mut latencies) = ([7; PAGE_BYTES], 0, Latencies::default());
    let begun = Instant::now();
    while begun.elapsed() < lasting {
        let one = Instant::now();
        file.write_all_at(&page, at)?;
        file.sync_data()?;
        latencies.note(u64::try_from(one.elapsed().as_micros())?);
        at += PAGE_BYTES as u64;
    }
    std::fs::remove_file(path)?;
    Ok(latencies.permille_ms(500))
}
