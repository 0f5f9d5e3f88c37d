//! What one delivery costs the server: the same posts to the same rooms, each server in turn, window
//! after window, so that a machine that is busy for a while is so for all.

use std::time::Duration;

use anyhow::Result;

use super::generator::Generator;
use super::peers::{Kind, Peer, Way};
use super::report::{Section, Verdict, cell};
use super::stats::{Latencies, float, median};
use super::window::{Audience, Pace, SATURATED, Window};
use super::{Bench, plot};
use crate::report::tell;
use crate::team::{self, Size};

/// A post, in bytes of text.
pub(super) const TEXT_BYTES: usize = 200;
/// Nothing must come for this long before a window begins.
const QUIET: Duration = Duration::from_millis(700);
/// Connections that have just come are told of each other; the longest that is waited for.
const SETTLED: Duration = Duration::from_mins(1);
/// Descriptors for everything but listeners.
const DESCRIPTORS_KEPT: usize = 512;

/// One of the table's fan-outs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fan {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) seats: usize,
    pub(super) rooms: usize,
    posts_per_s: f64,
    /// The most that a delivery may cost, as parts of the yardstick's: WebSocket, SSE.
    most: [f64; 2],
    /// The largest p99, as parts of the yardstick's.
    most_p99: Option<f64>,
    /// The most of that cost that may be the post's own, which its deliveries share.
    most_post: Option<f64>,
}

pub(super) const FANS: [Fan; 3] = [
    Fan {
        name: "one-room",
        about: "1,000 connections in one room, 50 posts/s",
        seats: 1_000,
        rooms: 1,
        posts_per_s: 50.0,
        most: [1.15, 1.2],
        most_p99: Some(1.5),
        most_post: None,
    },
    Fan {
        name: "many-rooms",
        about: "5,000 connections in 100 rooms, 500 posts/s",
        seats: 5_000,
        rooms: 100,
        posts_per_s: 500.0,
        most: [1.4, 1.5],
        most_p99: None,
        most_post: Some(0.2),
    },
    Fan {
        name: "small-team",
        about: "200 connections in 10 rooms, 200 posts/s",
        seats: 200,
        rooms: 10,
        posts_per_s: 200.0,
        most: [2.5, 2.6],
        most_p99: None,
        most_post: None,
    },
];

/// A server and everything that was measured of it.
struct Measured {
    peer: Peer,
    audience: Audience,
    windows: Vec<Window>,
    /// Of the product: with nobody there but one person in each room.
    post: Option<Window>,
}

pub(super) fn run(bench: &Bench, fan: Fan, way: Way) -> Result<Section> {
    tell(&format!("{}, {}", fan.about, way.name()));
    let mut sets = Vec::new();
    for kinds in sets_that_fit(&bench.kinds(), fan.seats, bench.descriptors) {
        sets.push(measure(bench, fan, way, &kinds)?);
    }
    Ok(section(fan, way, &sets))
}

/// The yardstick with as many others as there are descriptors for.
fn sets_that_fit(kinds: &[Kind], seats: usize, descriptors: usize) -> Vec<Vec<Kind>> {
    let at_once = (descriptors.saturating_sub(DESCRIPTORS_KEPT) / seats).clamp(2, 1 + kinds.len());
    let others: Vec<Kind> = kinds.iter().copied().filter(|kind| *kind != Kind::Yardstick).collect();
    others.chunks(at_once - 1).map(|others| [&[Kind::Yardstick], others].concat()).collect()
}

/// These servers in turn.
fn measure(bench: &Bench, fan: Fan, way: Way, kinds: &[Kind]) -> Result<Vec<Measured>> {
    let mut generator = Generator::new()?;
    let mut measured = gather(bench, &mut generator, fan, way, kinds)?;
    let pace = Pace { posts_per_s: fan.posts_per_s, lasting: bench.window, text_bytes: TEXT_BYTES };
    let warm = Pace { lasting: bench.window / 4, ..pace };
    for one in &mut measured {
        one.audience.window(&mut generator, &one.peer, warm)?;
    }
    for round in 0..bench.rounds {
        // Who goes first changes: what follows somebody else's window is never always the same.
        let count = measured.len();
        for turn in 0..count {
            let one = &mut measured[(round + turn) % count];
            generator.settle(QUIET / 4, QUIET)?;
            let window = one.audience.window(&mut generator, &one.peer, pace)?;
            one.windows.push(window);
        }
    }
    for one in measured.iter_mut().filter(|one| one.peer.kind == Kind::Product) {
        one.audience.leave(&mut generator);
        let mut few = Audience::gather(&mut generator, &one.peer, way, fan.rooms, fan.rooms)?;
        generator.settle(QUIET, SETTLED)?;
        one.post = Some(few.window(&mut generator, &one.peer, pace)?);
    }
    Ok(measured)
}

fn gather(
    bench: &Bench,
    generator: &mut Generator,
    fan: Fan,
    way: Way,
    kinds: &[Kind],
) -> Result<Vec<Measured>> {
    let mut all = Vec::new();
    for &kind in kinds {
        let dir = bench.fresh_dir()?;
        let peer = start(bench, kind, &dir, fan.seats, fan.rooms)?;
        let audience = Audience::gather(generator, &peer, way, fan.seats, fan.rooms)?;
        generator.settle(QUIET, SETTLED)?;
        all.push(Measured { peer, audience, windows: Vec::new(), post: None });
    }
    Ok(all)
}

/// Starts a server; the product with a team that has a seat for everybody.
pub(super) fn start(
    bench: &Bench,
    kind: Kind,
    dir: &std::path::Path,
    seats: usize,
    rooms: usize,
) -> Result<Peer> {
    if kind != Kind::Product {
        return Peer::start(kind, &bench.programs, dir, rooms);
    }
    let size = Size { people: seats, rooms, history: 0 };
    let address = super::peers::ELSEWHERE;
    let team = bench.wait_for(team::seed(dir, address, size))?;
    Peer::product(&bench.programs, dir, &team, rooms, &[])
}

/// A server's windows as parts of those of the yardstick beside it, round by round.
fn ratios(of: &Measured, base: &Measured, value: fn(&Window) -> f64) -> Vec<f64> {
    of.windows.iter().zip(&base.windows).map(|(window, base)| value(window) / value(base)).collect()
}

fn section(fan: Fan, way: Way, sets: &[Vec<Measured>]) -> Section {
    const HEAD: [&str; 11] = [
        "server",
        "µs/delivery",
        "/ yardstick",
        "each round",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "p99 / yardstick",
        "bytes",
        "generator, others %",
        "whole",
    ];
    let mut section = Section::new(format!("{}: {}", way.name(), fan.about));
    section.head = HEAD.map(str::to_owned).to_vec();
    let mut bars = Vec::new();
    for (number, set) in sets.iter().enumerate() {
        // The yardstick, in every set the first, is shown once.
        for one in set.iter().skip(usize::from(number > 0)) {
            let cost = ratios(one, &set[0], Window::us_per_delivery);
            let p99 = ratios(one, &set[0], |window| window.tally.latencies.permille_ms(990));
            let us = median(one.windows.iter().map(Window::us_per_delivery));
            section.rows.push(row(one, us, &cost, median(p99.iter().copied())));
            bars.push((one.peer.kind.name().to_owned(), us));
            section.notes.extend(void(one));
            if one.peer.kind == Kind::Product {
                section.verdicts = verdicts(fan, way, median(cost), median(p99));
                let base = median(set[0].windows.iter().map(Window::us_per_delivery));
                section.post(fan, way, one, base);
            }
        }
    }
    let name = format!("{}-{}", fan.name, way.name().to_lowercase());
    let title = format!("Server processor time per delivery, µs: {}, {}", fan.about, way.name());
    section.plots.push((name, plot::bars(&title, &bars)));
    section
}

impl Section {
    /// What a post costs before anybody hears it, as a part of what the yardstick's deliveries of it cost.
    fn post(&mut self, fan: Fan, way: Way, one: &Measured, yardstick_us: f64) {
        let Some(post) = &one.post else { return };
        let us = float(post.server_ns) / 1_000.0 / float(post.posts);
        let share = us / float((fan.seats / fan.rooms) as u64) / yardstick_us;
        self.notes.push(format!(
            "With one listener in each room, a post takes {us:.0} µs of the server: {share:.2} of the yardstick for each delivery."
        ));
        if let Some(most) = fan.most_post {
            let what = format!("{}, {}: the post itself / yardstick", fan.about, way.name());
            self.verdicts.push(Verdict::at_most(what, share, most));
        }
    }
}

fn row(one: &Measured, us: f64, cost: &[f64], p99: f64) -> Vec<String> {
    let mut latencies = Latencies::default();
    one.windows.iter().for_each(|window| latencies.add(&window.tally.latencies));
    let whole = one.windows.iter().filter(|window| window.is_whole()).count();
    let percent = |of: fn(&Window) -> f64| cell(median(one.windows.iter().map(of)) * 100.0, 0);
    let bytes = one.windows.iter().map(|window| float(window.tally.bytes) / float(window.tally.deliveries));
    vec![
        one.peer.kind.name().to_owned(),
        cell(us, 2),
        cell(median(cost.iter().copied()), 2),
        cost.iter().map(|ratio| cell(*ratio, 2)).collect::<Vec<_>>().join(" "),
        cell(latencies.permille_ms(500), 1),
        cell(latencies.permille_ms(990), 1),
        cell(latencies.permille_ms(999), 1),
        cell(p99, 2),
        cell(median(bytes), 0),
        format!("{}, {}", percent(|window| window.generator_share), percent(|window| window.others_share)),
        format!("{whole}/{}", one.windows.len()),
    ]
}

/// Windows in which the generator measured itself.
fn void(one: &Measured) -> Option<String> {
    let saturated = one.windows.iter().filter(|window| window.generator_share > SATURATED).count();
    let name = one.peer.kind.name();
    (saturated > 0)
        .then(|| format!("{saturated} windows of {name} are void: the generator had no processor left."))
}

fn verdicts(fan: Fan, way: Way, cost: f64, p99: f64) -> Vec<Verdict> {
    let most = fan.most[usize::from(way == Way::Sse)];
    let about = format!("{}, {}", fan.about, way.name());
    let mut verdicts = vec![Verdict::at_most(format!("{about}: CPU per delivery / yardstick"), cost, most)];
    if let (Some(most), Way::Websocket) = (fan.most_p99, way) {
        verdicts.push(Verdict::at_most(format!("{about}: p99 / yardstick"), p99, most));
    }
    verdicts
}
