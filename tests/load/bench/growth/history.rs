//! How reading grows with the number of messages: a page of history, a snapshot, which counts what is
//! unread, and searches. One database, asked when it has a thousand messages, ten thousand, and so on.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::super::closed::{self, Closed};
use super::super::generator::{Generator, LineId, Reads};
use super::super::peers::{self, Peer};
use super::super::report::{Section, cell};
use super::super::stats::{float, median};
use super::super::{Bench, plot, wire};
use crate::http::Http;
use crate::report::tell;
use crate::team::{self, Person, Size, Team};

/// Messages of the whole workspace.
const MESSAGES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const QUICK: usize = 2;
const PEOPLE: usize = 20;
const ROOMS: usize = 10;
const PAGE: u64 = 50;
/// Who asks at once: enough that nobody waits for the generator, too few to wait for each other.
const CLIENTS: usize = 2;
/// Between two looks at whether everything is indexed.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const LEAST_WINDOW: Duration = Duration::from_secs(1);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    NewestPage,
    AnyPage,
    /// By somebody who has read everything.
    SnapshotRead,
    /// By somebody who has read nothing: counted up to the bound in each room.
    SnapshotUnread,
    /// A word of every message: a page of the newest.
    SearchCommon,
    /// The same by its first letters.
    SearchBeginning,
    /// A word of one message.
    SearchRare,
}

const QUESTIONS: [Question; 7] = [
    Question::NewestPage,
    Question::AnyPage,
    Question::SnapshotRead,
    Question::SnapshotUnread,
    Question::SearchCommon,
    Question::SearchBeginning,
    Question::SearchRare,
];

impl Question {
    const fn name(self) -> &'static str {
        match self {
            Self::NewestPage => "newest page",
            Self::AnyPage => "any page",
            Self::SnapshotRead => "snapshot, all read",
            Self::SnapshotUnread => "snapshot, all unread",
            Self::SearchCommon => "search, a common word",
            Self::SearchBeginning => "search, its beginning",
            Self::SearchRare => "search, a rare word",
        }
    }

    const fn is_search(self) -> bool {
        matches!(self, Self::SearchCommon | Self::SearchBeginning | Self::SearchRare)
    }
}

pub(super) fn run(bench: &Bench) -> Result<Section> {
    let mut section = Section::new(format!("Growth: reading, by messages in {ROOMS} rooms"));
    section.head = ["what", "messages", "µs of server each", "p50 ms", "p99 ms"].map(str::to_owned).to_vec();
    let dir = bench.fresh_dir()?;
    let size = Size { people: PEOPLE, rooms: ROOMS, history: 0 };
    let mut team = bench.wait_for(team::seed(&dir, peers::ELSEWHERE, size))?;
    let (mut there, mut curves) = (0, QUESTIONS.map(|question| (question.name().to_owned(), Vec::new())));
    let points = if bench.quick { &MESSAGES[..QUICK] } else { &MESSAGES };
    for &messages in points {
        tell(&format!("growth: {messages} messages"));
        team.head = bench.wait_for(team::talk(&dir, &team, there, messages - there))?;
        section.notes.push(index(bench, &dir, &team, messages - there)?);
        there = messages;
        for (question, (_, curve)) in QUESTIONS.into_iter().zip(&mut curves) {
            let runs = measure(bench, &dir, &team, question, messages as u64)?;
            let of = |value: fn(&Closed) -> f64| median(runs.iter().map(value));
            curve.push((float(messages as u64), of(Closed::us_each)));
            section.rows.push(vec![
                question.name().to_owned(),
                messages.to_string(),
                cell(of(Closed::us_each), 0),
                cell(of(|run| run.latencies.permille_ms(500)), 2),
                cell(of(|run| run.latencies.permille_ms(990)), 2),
            ]);
        }
    }
    let title = "Server processor time for reading, µs, by messages in the log";
    section.plots.push(("growth-history".to_owned(), plot::curves(title, "messages", &curves)));
    Ok(section)
}

fn measure(bench: &Bench, dir: &Path, team: &Team, question: Question, messages: u64) -> Result<Vec<Closed>> {
    // Each round with a server of its own: nobody may search so often for so long.
    (0..bench.rounds.min(3)).map(|_| round(bench, dir, team, question, messages)).collect()
}

fn round(bench: &Bench, dir: &Path, team: &Team, question: Question, messages: u64) -> Result<Closed> {
    let peer = Peer::product(&bench.programs, dir, team, ROOMS, &[])?;
    let mut generator = Generator::new()?;
    let mut lines = Vec::new();
    for _ in 0..CLIENTS {
        lines.push(generator.plain(peer.address, Reads::Answers)?);
    }
    // The first half of the people read everything, the others never anything.
    let (readers, others) = team.people.split_at(PEOPLE / 2);
    let asking = if question == Question::SnapshotUnread { others } else { readers };
    if question == Question::SnapshotRead {
        for person in asking.iter().take(CLIENTS) {
            mark_all(&mut generator, lines[0], person, team)?;
        }
    }
    let (mut drawn, mut turn) = (1_u64, 0);
    let ask = |asker: usize, _| {
        drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        turn += 1;
        let person =
            if question.is_search() { &team.people[turn % PEOPLE] } else { &asking[asker % asking.len()] };
        let before = team.head - (drawn >> 33) % (messages - PAGE * 10);
        let path = match question {
            Question::NewestPage => format!("/api/v1/rooms/{}/messages?limit={PAGE}", person.room),
            Question::AnyPage => {
                format!("/api/v1/rooms/{}/messages?limit={PAGE}&before={before}", person.room)
            }
            Question::SnapshotRead | Question::SnapshotUnread => "/api/v1/snapshot".to_owned(),
            Question::SearchCommon => format!("/api/v1/search?q=%22{}%22", team::COMMON_WORD),
            Question::SearchBeginning => format!("/api/v1/search?q={}", team::COMMON_BEGINNING),
            Question::SearchRare => {
                format!("/api/v1/search?q=%22{}%22", team::rare_word((drawn >> 33) % messages))
            }
        };
        wire::request("GET", &path, &person.target.authorization(), "")
    };
    let run = closed::run(&mut generator, peer.pid(), &lines, bench.window.max(LEAST_WINDOW), ask)?;
    ensure!(generator.refused == 0, "{} answers were refusals", generator.refused);
    Ok(run)
}

/// Waits until what was said is indexed; how long that took, and how large the files are then.
fn index(bench: &Bench, dir: &Path, team: &Team, messages: usize) -> Result<String> {
    let peer = Peer::product(&bench.programs, dir, team, ROOMS, &[])?;
    let person = team.people.first().context("nobody")?;
    let (path, headers) = ("/api/v1/search?limit=1&q=quick", person.target.authorization());
    let begun = Instant::now();
    let indexed = async {
        let mut http = Http::dial(peer.address).await?;
        loop {
            let head = http.ask("GET", path, &headers, "").await?;
            ensure!(head.status == 200, "a search is answered with {}", head.status);
            if http.body(&head).await?.contains("\"complete\":true") {
                return anyhow::Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    bench.wait_for(indexed)?;
    let took = begun.elapsed();
    let bytes = |name: &str| std::fs::metadata(dir.join(name)).map_or(0, |file| file.len());
    let size = |name: &str| (bytes(name) + bytes(&format!("{name}-wal"))) / 1_024;
    drop(peer);
    Ok(format!(
        "{messages} messages more were indexed within {:.1} s of the server's start; then `search.db` had {} KiB and \
         `switchback.db` {} KiB, each with its WAL.",
        took.as_secs_f64(),
        size("search.db"),
        size("switchback.db"),
    ))
}

/// Has somebody read their room to its end.
fn mark_all(generator: &mut Generator, line: LineId, person: &Person, team: &Team) -> Result<()> {
    let command = json!({"id": "1", "type": "read.mark", "room": person.room, "seq": team.head});
    let headers = format!("Content-Type: application/json\r\n{}", person.target.authorization());
    generator.answered.clear();
    generator.send(line, &wire::request("POST", "/chat", &headers, &command.to_string()))?;
    while generator.answered.is_empty() {
        generator.turn(Duration::from_millis(20))?;
    }
    generator.answered.pop_front().context("no answer").map(|_| ())
}
