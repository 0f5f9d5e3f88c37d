//! Pages of history: what everybody asks for who opens a room or scrolls back.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::closed::{self, Closed};
use super::generator::{Generator, LineId, Reads};
use super::peers::Peer;
use super::report::{Section, Verdict, cell};
use super::stats::median;
use super::{Bench, wire};
use crate::report::tell;
use crate::team::{self, Size, Team};

const CLIENTS: usize = 16;
const PAGE: usize = 50;
const PASTS: [Past; 2] = [Past { rooms: 1, messages: 20_000 }, Past { rooms: 10, messages: 200_000 }];
const QUICK_PASTS: [Past; 1] = [Past { rooms: 1, messages: 2_000 }];
const LEAST_PER_S: f64 = 10_000.0;
/// A server's default where there are 8 GiB of memory or more.
const ENOUGH_MIB: &str = "256";

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
    let team = bench.wait_for(team::seed(&dir, super::peers::ELSEWHERE, size))?;
    let serve = |more: &[&str]| -> Result<Asking<'_>> {
        Asking::of(bench, past, &team, Peer::product(&bench.programs, &dir, &team, rooms, more)?)
    };
    let mut keeping = serve(&["--history-cache-mib", ENOUGH_MIB])?;
    let newest = |_: &mut u64| None;
    section.rows.push(keeping.measure("the newest", newest, &mut section.verdicts)?);
    keeping.read_all()?;
    let any = |drawn: &mut u64| {
        *drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some(team.head - (*drawn >> 33) % (messages - PAGE * rooms) as u64)
    };
    section.rows.push(keeping.measure("any, read before", any, &mut section.verdicts)?);
    drop(keeping);
    let mut without = serve(&["--history-cache-mib", "0"])?;
    section.rows.push(without.measure("any, from the database", any, &mut section.verdicts)?);
    Ok(())
}

/// Those who ask a server.
struct Asking<'b> {
    bench: &'b Bench,
    past: Past,
    team: &'b Team,
    peer: Peer,
    generator: Generator,
    lines: Vec<LineId>,
}

impl<'b> Asking<'b> {
    fn of(bench: &'b Bench, past: Past, team: &'b Team, peer: Peer) -> Result<Self> {
        let mut generator = Generator::new()?;
        let open = |_| generator.plain(peer.address, Reads::Answers);
        let lines = (0..CLIENTS).map(open).collect::<Result<Vec<_>>>()?;
        Ok(Self { bench, past, team, peer, generator, lines })
    }

    /// Asks for pages before these positions, each in their own room.
    fn ask(&mut self, lasting: Duration, mut before: impl FnMut(usize) -> Option<u64>) -> Result<Closed> {
        let ask = |asker: usize, _| {
            let before = before(asker).map(|before| format!("&before={before}")).unwrap_or_default();
            let person = &self.team.people[asker];
            let path = format!("/api/v1/rooms/{}/messages?limit={PAGE}{before}", person.room);
            wire::request("GET", &path, &person.target.authorization(), "")
        };
        let closed = closed::run(&mut self.generator, self.peer.pid(), &self.lines, lasting, ask)?;
        ensure!(self.generator.refused == 0, "{} pages were refused", self.generator.refused);
        Ok(closed)
    }

    /// Has everybody scroll back to the beginning.
    fn read_all(&mut self) -> Result<()> {
        let Past { rooms, messages } = self.past;
        // A little less than a page, so that nothing is left out.
        let step = ((PAGE - 1) * rooms) as u64;
        let pages = messages as u64 / step + 1;
        let (head, mut asked) = (self.team.head, [0; CLIENTS]);
        while asked.iter().any(|asked| *asked < pages) {
            self.ask(Duration::from_secs(1), |asker| {
                asked[asker] += 1;
                Some(head.saturating_sub((asked[asker] - 1) % pages * step) + 1)
            })?;
        }
        Ok(())
    }

    fn measure(
        &mut self,
        which: &str,
        before: impl Fn(&mut u64) -> Option<u64>,
        verdicts: &mut Vec<Verdict>,
    ) -> Result<Vec<String>> {
        let (lasting, messages) = (self.bench.window.max(Duration::from_secs(1)), self.past.messages);
        // Which pages is of no matter, if they are not always the same.
        let mut drawn = 1;
        let rounds = (0..self.bench.rounds).map(|_| self.ask(lasting, |_| before(&mut drawn)));
        let runs = rounds.collect::<Result<Vec<_>>>()?;
        let of = |value: fn(&Closed) -> f64| median(runs.iter().map(value));
        let what = format!("history pages/s, {which}, of {messages} messages, {CLIENTS} clients");
        verdicts.push(Verdict::at_least(what, of(Closed::per_s), LEAST_PER_S));
        Ok(vec![
            messages.to_string(),
            self.past.rooms.to_string(),
            which.to_owned(),
            cell(of(Closed::per_s), 0),
            runs.iter().map(|run| cell(run.per_s(), 0)).collect::<Vec<_>>().join(" "),
            cell(of(|run| run.latencies.permille_ms(500)), 2),
            cell(of(|run| run.latencies.permille_ms(990)), 2),
            cell(of(Closed::us_each), 1),
            cell(of(|run| run.generator_share) * 100.0, 0),
        ])
    }
}
