//! The page itself: what it weighs, when it is painted, whether it scrolls and can be typed in while much
//! comes in. `tests/browser/measure.js` drives Chromium and reads its trace; here the room is filled,
//! and the figures are held against their targets.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::json;
use switchback_core::limits::HISTORY_PAGE_MESSAGES;
use uuid::Uuid;

use super::generator::{Generator, Reads};
use super::peers::{self, Peer};
use super::report::{Section, Verdict, cell};
use super::stats::median;
use super::{Bench, closed, go_on, wire};
use crate::report::tell;
use crate::team::{self, Size, Team};

/// Messages in the room.
const MESSAGES: u64 = 50_000;
const QUICK_MESSAGES: u64 = 2_000;
/// Of them, so many are scrolled past.
const SCROLLED: u64 = 4_000;
const QUICK_SCROLLED: u64 = 800;
/// Who talks there.
const PEOPLE: usize = 20;
/// Who posts at once while the room is filled.
const FILLING: usize = 64;
/// How long it is filled before it is looked at how full it is.
const STRETCH: Duration = Duration::from_millis(500);
/// Messages that come in while somebody types, and for how long.
const PER_S: u32 = 100;
const TYPED: Duration = Duration::from_secs(15);
const QUICK_TYPED: Duration = Duration::from_secs(3);
/// Between two looks at whether the browser is done.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_mins(10);
/// What they say, in turn: short and long, Markdown of every kind that is drawn differently.
const TEXTS: [&str; 6] = [
    "The quick brown fox jumps over the lazy dog.",
    "Two things before Monday:\n\n1. print the boards\n2. tell the *upper station*, see [the notes](https://example.org/notes)",
    "```rust\nfn waits(train: &Train, bus: &Bus) -> bool {\n    bus.delay_min() <= 3 && train.is_last_before(bus)\n}\n```",
    "> slow this morning\n\nOil. It was the oil, and `boards.toml` says so.",
    "ok",
    "A longer one: snow on the upper loop is 20 cm, the plough comes at nine, trains wait. Whoever goes down before that \
     takes the bus at the lower station, which leaves at ten past and twenty to, and is told to wait for the 7:14 if \
     it is late by no more than three minutes. After nine everything is as it was, but for the points, which are slow.",
];

const PASSWORD: &str = "correct horse battery";
const HANDLE: &str = "reader";

// Targets.
const SHELL_KB: f64 = 150.0;
const PAINT_MS: f64 = 300.0;
const TASK_MS: f64 = 100.0;
const HEAP_GROWTH: f64 = 1.25;
const ELEMENTS: f64 = 10_000.0;

#[derive(Debug, Deserialize)]
struct Figures {
    browser: String,
    shell: Shell,
    reloads: Vec<Reload>,
    typed: Typed,
    scrolled: Scrolled,
}

#[derive(Debug, Deserialize)]
struct Shell {
    kinds: Vec<ShellPart>,
    bytes: f64,
    head_bytes: f64,
    not_kept_for_ever: f64,
}

#[derive(Debug, Deserialize)]
struct ShellPart {
    #[serde(rename = "type")]
    kind: String,
    count: u32,
    bytes: f64,
}

#[expect(clippy::struct_field_names, reason = "the names of the script's figures, with their units")]
#[derive(Debug, Deserialize)]
struct Reload {
    paint_ms: f64,
    messages_ms: f64,
    longest_task_ms: f64,
}

#[derive(Debug, Deserialize)]
struct Typed {
    posted: u32,
    keys: u32,
    key_ms_p50: f64,
    key_ms_p99: f64,
    longest_task_ms: f64,
    longest_task_cpu_ms: f64,
    tasks_over_50_ms: u32,
    busy_share: f64,
    shown: u32,
    dropped: u32,
}

#[derive(Debug, Deserialize)]
struct Scrolled {
    samples: Vec<Sample>,
    stretches: Vec<Stretch>,
}

#[derive(Debug, Deserialize)]
struct Sample {
    messages: u32,
    heap_mib: f64,
    elements: f64,
    rows: u32,
}

#[derive(Debug, Deserialize)]
struct Stretch {
    shown: u32,
    dropped: u32,
    longest_task_ms: f64,
    longest_task_cpu_ms: f64,
}

/// `script`: `tests/browser/measure.js`, its packages installed.
pub(super) fn run(bench: &Bench, script: Option<&Path>) -> Result<Section> {
    let script = script.context("no --browser: what drives the browser")?;
    tell("browser");
    let dir = bench.fresh_dir()?;
    let size = Size { people: PEOPLE, rooms: 1, history: 0 };
    let team = bench.wait_for(team::seed(&dir, peers::ELSEWHERE, size))?;
    account(&bench.programs.product, &dir)?;
    let peer = Peer::product(&bench.programs, &dir, &team, 1, &[])?;
    let messages = if bench.quick { QUICK_MESSAGES } else { MESSAGES };
    fill(&peer, &team, messages)?;
    let task = json!({
        "url": format!("http://{}", peer.address),
        "room": team.general,
        "handle": HANDLE,
        "password": PASSWORD,
        "tokens": team.people.iter().map(|person| person.target.token.as_str()).collect::<Vec<_>>(),
        "reloads": bench.rounds,
        "scrolled": if bench.quick { QUICK_SCROLLED } else { SCROLLED },
        "page": HISTORY_PAGE_MESSAGES,
        "per_s": PER_S,
        "typed_ms": (if bench.quick { QUICK_TYPED } else { TYPED }).as_millis(),
    });
    let printed = measure(script, &task.to_string(), &dir)?;
    let line = printed.lines().last().context("the browser's script printed nothing")?;
    let figures: Figures = serde_json::from_str(line).with_context(|| format!("not figures: {line:.200}"))?;
    section(&figures, messages, line)
}

/// Somebody with a password, as an administrator makes accounts.
fn account(product: &Path, dir: &Path) -> Result<()> {
    let mut command = Command::new(product);
    command.args(["admin", "create-user", "--data-dir"]).arg(dir).args(["--handle", HANDLE]);
    command.args(["--name", "Somebody who reads", "--role", "member", "--password-stdin"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    child
        .stdin
        .take()
        .context("no way to say the password")?
        .write_all(format!("{PASSWORD}\n").as_bytes())?;
    ensure!(child.wait()?.success(), "the account could not be made");
    Ok(())
}

/// Has everybody talk until there are so many messages.
fn fill(peer: &Peer, team: &Team, messages: u64) -> Result<()> {
    let mut generator = Generator::new()?;
    let mut lines = Vec::new();
    for _ in 0..FILLING {
        lines.push(generator.plain(peer.address, Reads::Answers)?);
    }
    let (mut posted, mut number) = (0, 0_usize);
    while posted < messages {
        let next = |_, _| {
            number += 1;
            // A few in a row by one person: they are shown as a group.
            let person = &team.people[number / 3 % team.people.len()];
            let body = TEXTS[number % TEXTS.len()];
            let command = json!({
                "id": "1", "type": "message.post", "room": team.general, "nonce": Uuid::now_v7(), "body": body,
            });
            let headers = format!("Content-Type: application/json\r\n{}", person.target.authorization());
            wire::request("POST", "/chat", &headers, &command.to_string())
        };
        posted += closed::run(&mut generator, peer.pid(), &lines, STRETCH, next)?.count;
    }
    ensure!(generator.refused == 0, "{} posts were refused", generator.refused);
    Ok(())
}

/// Ended when dropped: it was told to stop, or takes too long. Its browser ends with it.
struct Script(Child);

impl Drop for Script {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        // Told and not killed: the browser is its child, and would stay.
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

fn measure(script: &Path, task: &str, dir: &Path) -> Result<String> {
    let printed = dir.join("browser.txt");
    let mut command = Command::new("node");
    command.arg(script).arg(task).stdin(Stdio::null()).stdout(File::create(&printed)?);
    let mut running = Script(command.spawn().context("cannot run node")?);
    let begun = std::time::Instant::now();
    loop {
        if let Some(status) = running.0.try_wait()? {
            ensure!(status.success(), "the browser's script ended with {status}");
            return Ok(std::fs::read_to_string(printed)?);
        }
        go_on()?;
        ensure!(begun.elapsed() < LONGEST, "the browser is not done after {LONGEST:?}");
        std::thread::sleep(LOOK_EVERY);
    }
}

fn section(figures: &Figures, messages: u64, raw: &str) -> Result<Section> {
    let title = format!("In the browser: Chromium {}, a room with {messages} messages", figures.browser);
    let mut section = Section::new(title);
    section.head = ["what", "measured"].map(str::to_owned).to_vec();
    section.shell(&figures.shell);
    section.reloads(&figures.reloads);
    section.typed(&figures.typed);
    section.scrolled(&figures.scrolled)?;
    section.notes.push(
        "By the browser's trace: tasks are those of the page's main thread, a frame is dropped if somebody would have seen it. A key's time \
         is from its press to the end of the painting of the frame with it, by the page's clock. Memory is the scripts' heap after a \
         collection. Without a graphics processor, and on the processors that the server has too. All figures: \
         [browser.json](browser.json)."
            .to_owned(),
    );
    section.files.push(("browser.json".to_owned(), format!("{raw}\n")));
    Ok(section)
}

impl Section {
    fn say(&mut self, what: &str, measured: String) {
        self.rows.push(vec![what.to_owned(), measured]);
    }

    fn shell(&mut self, shell: &Shell) {
        let kb = |bytes: f64| cell(bytes / 1_000.0, 1);
        let parts =
            shell.kinds.iter().map(|part| format!("{} {} of {} kB", part.count, part.kind, kb(part.bytes)));
        self.say("shell, compressed as sent: parts", parts.collect::<Vec<_>>().join(", "));
        let with_heads = kb(shell.bytes + shell.head_bytes);
        self.say(
            "the same in all; with the answers' heads",
            format!("{} kB; {with_heads} kB", kb(shell.bytes)),
        );
        let what = "browser: shell (HTML, JS, CSS), compressed, in kB".to_owned();
        self.verdicts.push(Verdict::at_most(what, shell.bytes / 1_000.0, SHELL_KB));
        let what = "browser: scripts and styles that may not be kept for ever".to_owned();
        self.verdicts.push(Verdict::at_most(what, shell.not_kept_for_ever, 0.0));
    }

    fn reloads(&mut self, reloads: &[Reload]) {
        let of = |value: fn(&Reload) -> f64| {
            let each = reloads.iter().map(|reload| cell(value(reload), 0)).collect::<Vec<_>>().join(" ");
            format!("{} (each: {each})", cell(median(reloads.iter().map(value)), 0))
        };
        self.say("reload, signed in: first paint, ms", of(|reload| reload.paint_ms));
        self.say("reload: messages in sight, ms", of(|reload| reload.messages_ms));
        self.say("reload: longest task, ms", of(|reload| reload.longest_task_ms));
        let paint = median(reloads.iter().map(|reload| reload.paint_ms));
        let what = "browser: first paint of a signed-in reload, in ms".to_owned();
        self.verdicts.push(Verdict::at_most(what, paint, PAINT_MS));
    }

    fn typed(&mut self, typed: &Typed) {
        let told = format!("{}; {}", typed.posted, typed.keys);
        self.say(&format!("{PER_S} messages/s come in while somebody types: messages; keys"), told);
        self.say(
            "key to the frame that shows it, drawn, ms: p50, p99",
            format!("{}, {}", cell(typed.key_ms_p50, 0), cell(typed.key_ms_p99, 0)),
        );
        let longest = format!(
            "{} ({}); {}",
            cell(typed.longest_task_ms, 0),
            cell(typed.longest_task_cpu_ms, 0),
            typed.tasks_over_50_ms
        );
        self.say("longest task meanwhile, ms (of it on a processor); tasks of more than 50 ms", longest);
        let frames = format!("{}; {}", typed.shown, typed.dropped);
        self.say("frames shown; dropped", frames);
        self.say("main thread busy, %", cell(typed.busy_share * 100.0, 0));
        let what = format!("browser: longest task with {PER_S} messages/s, in ms");
        self.verdicts.push(Verdict::at_most(what, typed.longest_task_ms, TASK_MS));
    }

    fn scrolled(&mut self, scrolled: &Scrolled) -> Result<()> {
        let samples = &scrolled.samples;
        let list = |value: fn(&Sample) -> String| samples.iter().map(value).collect::<Vec<_>>().join(", ");
        let (read, heap) =
            (list(|sample| sample.messages.to_string()), list(|sample| cell(sample.heap_mib, 1)));
        self.say(&format!("scrolled up, memory in MiB after {read} messages"), heap);
        self.say("elements in the document then", list(|sample| cell(sample.elements, 0)));
        self.say("rows of the timeline then", list(|sample| sample.rows.to_string()));
        let sum = |value: fn(&Stretch) -> u32| scrolled.stretches.iter().map(value).sum::<u32>();
        let (shown, dropped) = (sum(|stretch| stretch.shown), sum(|stretch| stretch.dropped));
        let share = 100.0 * f64::from(dropped) / f64::from((shown + dropped).max(1));
        self.say(
            "frames shown; dropped while scrolling",
            format!("{shown}; {dropped} ({} %)", cell(share, 1)),
        );
        let most = |value: fn(&Stretch) -> f64| scrolled.stretches.iter().map(value).fold(0.0, f64::max);
        let (longest, cpu) =
            (most(|stretch| stretch.longest_task_ms), most(|stretch| stretch.longest_task_cpu_ms));
        self.say(
            "longest task while scrolling, ms (of one, the most on a processor)",
            format!("{} ({})", cell(longest, 0), cell(cpu, 0)),
        );
        // The first is from before anything was scrolled, the second from a quarter of the way.
        let (early, late) = samples.get(1).zip(samples.last()).context("memory was looked at too seldom")?;
        let what = "browser: heap at the end of the scrolling / at a quarter of it".to_owned();
        self.verdicts.push(Verdict::at_most(what, late.heap_mib / early.heap_mib, HEAP_GROWTH));
        let elements = samples.iter().map(|sample| sample.elements).fold(0.0, f64::max);
        let what = "browser: elements in the document, at most".to_owned();
        self.verdicts.push(Verdict::at_most(what, elements, ELEMENTS));
        let what = "browser: longest task while scrolling, in ms".to_owned();
        self.verdicts.push(Verdict::at_most(what, longest, TASK_MS));
        Ok(())
    }
}
