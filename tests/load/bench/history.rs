//! Pages of history: what everybody asks for who opens a room or scrolls back.

use std::time::Duration;

use anyhow::Result;

use super::closed::{self, Closed};
use super::generator::{Generator, Reads};
use super::peers::Peer;
use super::report::{Section, Verdict, cell};
use super::stats::median;
use super::{Bench, wire};
use crate::report::tell;
use crate::team::{self, Size};

const CLIENTS: usize = 16;
const PAGE: usize = 50;
/// As much as a server keeps encoded once it was read; and more, so that most pages come from the database.
const PASTS: [Past; 2] = [Past { rooms: 1, messages: 20_000 }, Past { rooms: 10, messages: 200_000 }];
const QUICK_PASTS: [Past; 1] = [Past { rooms: 1, messages: 2_000 }];
const LEAST_PER_S: f64 = 10_000.0;

/// What was said before anybody asks.
#[derive(Debug, Clone, Copy)]
struct Past {
    rooms: usize,
    messages: usize,
}

pub(super) fn run(bench: &Bench) -> Result<Section> {
    let mut section = Section::new(format!("History: pages of {PAGE} messages, {CLIENTS} clients"));
    section.head = [
        "messages",
        "rooms",
        "which",
        "pages/s",
        "each round",
        "p50 ms",
        "p99 ms",
        "µs of server each",
        "generator %",
    ]
    .map(str::to_owned)
    .to_vec();
    let pasts = if bench.quick { &QUICK_PASTS[..] } else { &PASTS };
    for past in pasts {
        tell(&format!("history of {} messages", past.messages));
        ask_for(bench, *past, &mut section)?;
    }
    Ok(section)
}

fn ask_for(bench: &Bench, past: Past, section: &mut Section) -> Result<()> {
    let Past { rooms, messages } = past;
    let dir = bench.fresh_dir()?;
    let size = Size { people: CLIENTS.next_multiple_of(rooms), rooms, history: messages };
    let team = bench.wait_for(team::seed(&dir, super::peers::free_address()?, size))?;
    let peer = Peer::product(&bench.programs, &dir, &team, rooms, &[])?;
    let mut generator = Generator::new()?;
    let mut lines = Vec::new();
    for _ in 0..CLIENTS {
        lines.push(generator.plain(peer.address, Reads::Answers)?);
    }
    // Which pages is of no matter, if they are not always the same.
    let mut drawn = 1_u64;
    for (which, is_newest) in [("the newest", true), ("any", false)] {
        let mut runs: Vec<Closed> = Vec::new();
        for _ in 0..bench.rounds {
            let ask = |asker: usize, _| {
                drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let before = team.head - (drawn >> 33) % (messages - PAGE * rooms) as u64;
                let query = if is_newest { String::new() } else { format!("&before={before}") };
                let person = &team.people[asker];
                let path = format!("/api/v1/rooms/{}/messages?limit={PAGE}{query}", person.room);
                wire::request("GET", &path, &person.target.authorization(), "")
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
            messages.to_string(),
            rooms.to_string(),
            which.to_owned(),
            cell(of(Closed::per_s), 0),
            runs.iter().map(|run| cell(run.per_s(), 0)).collect::<Vec<_>>().join(" "),
            cell(of(|run| run.latencies.permille_ms(500)), 2),
            cell(of(|run| run.latencies.permille_ms(990)), 2),
            cell(of(Closed::us_each), 1),
            cell(of(|run| run.generator_share) * 100.0, 0),
        ]);
        let what = format!("history pages/s, {which} of {messages} messages, {CLIENTS} clients");
        section.verdicts.push(Verdict::at_least(what, of(Closed::per_s), LEAST_PER_S));
    }
    Ok(())
}
