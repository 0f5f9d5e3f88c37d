//! Pages of history: what everybody asks for who opens a room or scrolls back.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::closed::{self, Closed};
use super::generator::{Generator, Reads};
use super::peers::Peer;
use super::report::{Section, Verdict, cell};
use super::stats::median;
use super::{Bench, wire};
use crate::report::tell;
use crate::team::{self, Size};

const CLIENTS: usize = 16;
const MESSAGES: usize = 20_000;
const QUICK_MESSAGES: usize = 2_000;
const PAGE: usize = 50;
const LEAST_PER_S: f64 = 10_000.0;

pub(super) fn run(bench: &Bench) -> Result<Section> {
    tell("history");
    let messages = if bench.quick { QUICK_MESSAGES } else { MESSAGES };
    let dir = bench.fresh_dir()?;
    let size = Size { people: CLIENTS, rooms: 1, history: messages };
    let team = bench.wait_for(team::seed(&dir, super::peers::free_address()?, size))?;
    let peer = Peer::product(&bench.programs, &dir, &team, 1, &[])?;
    let mut generator = Generator::new()?;
    let mut lines = Vec::new();
    for _ in 0..CLIENTS {
        lines.push(generator.plain(peer.address, Reads::Answers)?);
    }
    let room = team.people.first().context("nobody")?.room;
    let mut section =
        Section::new(format!("History: pages of {PAGE} messages, {CLIENTS} clients, {messages} messages"));
    section.head = ["which", "pages/s", "each round", "p50 ms", "p99 ms", "µs of server each", "generator %"]
        .map(str::to_owned)
        .to_vec();
    for (which, is_newest) in [("the newest", true), ("any", false)] {
        let mut runs: Vec<Closed> = Vec::new();
        for _ in 0..bench.rounds {
            let mut drawn = 1_u64;
            let ask = |asker: usize, _| {
                // Which page is of no matter, if it is not always the same.
                drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let before = team.head - (drawn >> 33) % (messages as u64 - PAGE as u64);
                let query = if is_newest { String::new() } else { format!("&before={before}") };
                let path = format!("/api/v1/rooms/{room}/messages?limit={PAGE}{query}");
                wire::request("GET", &path, &team.people[asker].target.authorization(), "")
            };
            runs.push(closed::run(
                &mut generator,
                peer.pid(),
                &lines,
                bench.window.max(Duration::from_secs(1)),
                ask,
            )?);
        }
        anyhow::ensure!(generator.refused == 0, "{} pages were refused", generator.refused);
        let of = |value: fn(&Closed) -> f64| median(runs.iter().map(value));
        section.rows.push(vec![
            which.to_owned(),
            cell(of(Closed::per_s), 0),
            runs.iter().map(|run| cell(run.per_s(), 0)).collect::<Vec<_>>().join(" "),
            cell(of(|run| run.latencies.permille_ms(500)), 2),
            cell(of(|run| run.latencies.permille_ms(990)), 2),
            cell(of(Closed::us_each), 1),
            cell(of(|run| run.generator_share) * 100.0, 0),
        ]);
        let what = format!("history pages/s, {which}, {CLIENTS} clients");
        section.verdicts.push(Verdict::at_least(what, of(Closed::per_s), LEAST_PER_S));
    }
    Ok(section)
}
