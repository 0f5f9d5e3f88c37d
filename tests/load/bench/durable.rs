//! Acknowledged durable posts: many senders, and one against what one commit costs on this disk.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

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
const MOST_P99_MS: f64 = 50.0;
/// Above one commit, what one sender's post may take.
const MOST_ABOVE_MS: f64 = 1.0;
/// These senders are nobody whom a limit should stop.
const NO_LIMITS: [&str; 4] = ["--commands-per-second", "1000000", "--commands-burst", "1000000"];

pub(super) fn run(bench: &Bench) -> Result<Section> {
    tell("durable posts");
    let mut section = Section::new("Acknowledged durable posts, SQLite".to_owned());
    section.head = ["senders", "posts/s", "each round", "p50 ms", "p99 ms", "µs of server each", "generator %"]
        .map(str::to_owned)
        .to_vec();
    let mut many = Vec::new();
    for rooms in [SENDERS, SENDERS / 16] {
        let runs = posts(bench, SENDERS, rooms)?;
        let about = format!("{SENDERS} in {rooms} rooms");
        section.rows.push(row(&about, &runs));
        many.push((rooms, runs));
    }
    let (alone, commit_ms) = alone(bench)?;
    section.rows.push(row("1", &alone));
    section.notes.push(format!("One commit (4 KiB written, `fdatasync`) in the same directory: p50 {commit_ms:.2} ms."));
    if let Some((_, runs)) = many.first() {
        let what = format!("acknowledged durable posts/s, SQLite, {SENDERS} senders");
        section.verdicts.push(Verdict::at_least(what.clone(), median(runs.iter().map(Closed::per_s)), LEAST_PER_S));
        let p99 = median(runs.iter().map(|run| run.latencies.permille_ms(990)));
        section.verdicts.push(Verdict::at_most(format!("{what}: p99 in ms"), p99, MOST_P99_MS));
    }
    let p50 = median(alone.iter().map(|run| run.latencies.permille_ms(500)));
    let what = "one sender: p50 above one commit, in ms".to_owned();
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
fn posts(bench: &Bench, senders: usize, rooms: usize) -> Result<Vec<Closed>> {
    let dir = bench.fresh_dir()?;
    let mut generator = Generator::new()?;
    let peer = start(bench, &dir, senders, rooms)?;
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
fn alone(bench: &Bench) -> Result<(Vec<Closed>, f64)> {
    let dir = bench.fresh_dir()?;
    let mut generator = Generator::new()?;
    let peer = start(bench, &dir, 1, 1)?;
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

fn start(bench: &Bench, dir: &Path, people: usize, rooms: usize) -> Result<Peer> {
    let size = Size { people, rooms, history: 0 };
    let team = bench.wait_for(team::seed(dir, super::peers::free_address()?, size))?;
    Peer::product(&bench.programs, dir, &team, rooms, &NO_LIMITS)
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
