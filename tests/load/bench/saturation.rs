//! How much comes through: the rate of posts is raised until the slowest hundredth is too late.

use std::time::Duration;

use anyhow::Result;

use super::fanout::{self, TEXT_BYTES};
use super::generator::Generator;
use super::peers::{Kind, Peer, Way};
use super::report::{Section, Verdict, cell};
use super::stats::{float, median};
use super::window::{Audience, Pace, SATURATED, Window};
use super::{Bench, plot};
use crate::report::tell;

const SEATS: usize = 1_000;
const ROOMS: usize = 10;
/// A delivery may be this late, but for one in a hundred.
const LATE_MS: f64 = 250.0;
/// Posts a second to begin with.
const FIRST_PER_S: f64 = 300.0;
/// Where a later round begins, as a part of what the one before it reached.
const AGAIN: f64 = 0.6;
const STEP: f64 = 1.35;
/// Halvings of the last step.
const HALVINGS: usize = 3;
/// The least and the most posts a second that are tried.
const LEAST_PER_S: f64 = 5.0;
const MOST_PER_S: f64 = 40_000.0;
/// Deliveries/s, as parts of the yardstick's.
const LEAST: f64 = 6.0;

/// One server and what it reached in each round.
struct Climber {
    peer: Peer,
    audience: Audience,
    reached: Vec<Reached>,
}

#[derive(Debug, Clone, Default)]
struct Reached {
    posts_per_s: f64,
    window: Window,
    /// Beyond, the generator was the limit.
    by_generator: bool,
}

pub(super) fn run(bench: &Bench, way: Way) -> Result<Section> {
    tell(&format!("saturation, {}", way.name()));
    let mut generator = Generator::new()?;
    let mut climbers = Vec::new();
    for kind in bench.kinds() {
        let dir = bench.fresh_dir()?;
        let peer = fanout::start(bench, kind, &dir, SEATS, ROOMS)?;
        let audience = Audience::gather(&mut generator, &peer, way, SEATS, ROOMS)?;
        generator.settle(Duration::from_millis(700), Duration::from_secs(30))?;
        climbers.push(Climber { peer, audience, reached: Vec::new() });
    }
    let lasting = bench.window / 2;
    for round in 0..bench.rounds {
        let count = climbers.len();
        for turn in 0..count {
            let climber = &mut climbers[(round + turn) % count];
            let reached = climber.climb(&mut generator, lasting)?;
            tell(&format!(
                "  {}: {:.0} deliveries/s with {:.0} posts/s, p99 {:.0} ms, {:.1} us each, generator {:.0} %",
                climber.peer.kind.name(),
                reached.window.per_s(),
                reached.posts_per_s,
                reached.window.tally.latencies.permille_ms(990),
                reached.window.us_per_delivery(),
                reached.window.generator_share * 100.0
            ));
            climber.reached.push(reached);
        }
    }
    Ok(section(way, &climbers))
}

impl Climber {
    /// The most that comes through in time, between a rate that does and one that does not.
    fn climb(&mut self, generator: &mut Generator, lasting: Duration) -> Result<Reached> {
        let mut best = Reached::default();
        let before = median(self.reached.iter().map(|reached| reached.posts_per_s));
        let mut rate = if before > 0.0 { before * AGAIN } else { FIRST_PER_S };
        let mut failed = None;
        while (LEAST_PER_S..MOST_PER_S).contains(&rate) {
            let in_time = self.attempt(generator, rate, lasting, &mut best)?;
            if !in_time {
                failed = Some(rate);
            }
            if failed.is_some() && best.posts_per_s > 0.0 {
                break;
            }
            rate = if in_time { rate * STEP } else { rate / 2.0 };
        }
        let mut high = failed.unwrap_or(rate);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(best.posts_per_s, high);
            if !self.attempt(generator, middle, lasting, &mut best)? {
                high = middle;
            }
        }
        Ok(best)
    }

    /// Whether this rate comes through in time.
    fn attempt(
        &mut self,
        generator: &mut Generator,
        rate: f64,
        lasting: Duration,
        best: &mut Reached,
    ) -> Result<bool> {
        generator.settle(Duration::from_millis(50), Duration::from_secs(10))?;
        let pace = Pace { posts_per_s: rate, lasting, text_bytes: TEXT_BYTES };
        let window = self.audience.window(generator, &self.peer, pace)?;
        // What could not be sent in time was late as well.
        let late_ms = window.tally.latencies.permille_ms(990) + window.latest.as_secs_f64() * 1_000.0;
        let in_time = window.is_whole() && late_ms <= LATE_MS;
        if !in_time {
            best.by_generator = window.generator_share > SATURATED;
        } else if rate > best.posts_per_s {
            (best.posts_per_s, best.window) = (rate, window);
        }
        Ok(in_time)
    }
}

fn section(way: Way, climbers: &[Climber]) -> Section {
    const HEAD: [&str; 9] = [
        "server",
        "deliveries/s",
        "/ yardstick",
        "each round",
        "posts/s",
        "µs/delivery",
        "p99 ms",
        "MB/s",
        "generator %",
    ];
    let about =
        format!("{SEATS} connections in {ROOMS} rooms, rate raised until p99 > {LATE_MS} ms, {}", way.name());
    let mut section = Section::new(format!("Saturation: {about}"));
    section.head = HEAD.map(str::to_owned).to_vec();
    let mut bars = Vec::new();
    let median_of = |climber: &Climber, of: fn(&Reached) -> f64| median(climber.reached.iter().map(of));
    for climber in climbers {
        let base = &climbers[0].reached;
        let pairs = climber.reached.iter().zip(base);
        let ratios: Vec<f64> = pairs.map(|(mine, base)| mine.window.per_s() / base.window.per_s()).collect();
        let per_s = median_of(climber, |reached| reached.window.per_s());
        let name = climber.peer.kind.name();
        section.rows.push(vec![
            name.to_owned(),
            cell(per_s, 0),
            cell(median(ratios.iter().copied()), 2),
            ratios.iter().map(|ratio| cell(*ratio, 2)).collect::<Vec<_>>().join(" "),
            cell(median_of(climber, |reached| reached.posts_per_s), 0),
            cell(median_of(climber, |reached| reached.window.us_per_delivery()), 2),
            cell(median_of(climber, |reached| reached.window.tally.latencies.permille_ms(990)), 1),
            cell(
                median_of(climber, |reached| {
                    float(reached.window.tally.bytes) / reached.window.elapsed.as_secs_f64() / 1e6
                }),
                0,
            ),
            cell(median_of(climber, |reached| reached.window.generator_share) * 100.0, 0),
        ]);
        bars.push((name.to_owned(), per_s));
        if climber.reached.iter().any(|reached| reached.by_generator) {
            section.notes.push(format!(
                "{name}: in some rounds the generator was the limit, so this is the least it does."
            ));
        }
        if climber.peer.kind == Kind::Product && way == Way::Websocket {
            let what = format!("saturation, {about}: deliveries/s / yardstick");
            section.verdicts.push(Verdict::at_least(what, median(ratios), LEAST));
        }
    }
    let name = format!("saturation-{}", way.name().to_lowercase());
    section.plots.push((name, plot::bars(&format!("Deliveries/s at saturation: {about}"), &bars)));
    section
}
