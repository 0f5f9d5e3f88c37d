//! How costs grow: of a delivery with the connections of one room and with the rooms of a team, where the
//! rate is chosen so that every point has as many deliveries a second; and of reading with the length of
//! the [`history`].

mod history;

use std::time::Duration;

use anyhow::Result;

use super::fanout::TEXT_BYTES;
use super::generator::Generator;
use super::peers::{Kind, Way};
use super::report::{Section, cell};
use super::stats::{float, median};
use super::window::{Audience, Pace, Window};
use super::{Bench, fanout, plot};
use crate::report::tell;

/// Deliveries a second at every point.
const DELIVERIES_PER_S: f64 = 20_000.0;
/// Connections in one room.
const SEATS: [usize; 3] = [100, 1_000, 10_000];
/// Rooms of a team that has so many connections.
const ROOMS: [usize; 4] = [1, 10, 100, 1_000];
const TEAM: usize = 2_000;
const ROOMS_ACROSS: &str = "rooms of 2,000 connections";
const QUIET: Duration = Duration::from_millis(700);
const SETTLED: Duration = Duration::from_mins(1);

/// Name, and points.
type Curve = (String, Vec<(f64, f64)>);

pub(super) fn run(bench: &Bench) -> Result<Section> {
    let mut section = Section::new("Growth: cost of a delivery, WebSocket".to_owned());
    section.head = ["server", "connections", "rooms", "posts/s", "µs/delivery", "p99 ms", "whole"]
        .map(str::to_owned)
        .to_vec();
    let kinds = [Kind::Yardstick, Kind::Product];
    let sets = [
        ("growth-connections", "connections of one room", SEATS.map(|seats| (seats, 1)).to_vec()),
        ("growth-rooms", ROOMS_ACROSS, ROOMS.map(|rooms| (TEAM, rooms)).to_vec()),
    ];
    for (name, across, places) in sets {
        let mut curves = Vec::new();
        for kind in kinds {
            let mut points = Vec::new();
            for &(seats, rooms) in &places {
                tell(&format!("growth: {}, {seats} connections, {rooms} rooms", kind.name()));
                let windows = measure(bench, kind, seats, rooms)?;
                let us = median(windows.iter().map(Window::us_per_delivery));
                let at = if rooms == 1 && name == "growth-connections" { seats } else { rooms };
                points.push((float(at as u64), us));
                section.rows.push(vec![
                    kind.name().to_owned(),
                    seats.to_string(),
                    rooms.to_string(),
                    cell(posts_per_s(seats, rooms), 1),
                    cell(us, 2),
                    cell(median(windows.iter().map(|window| window.tally.latencies.permille_ms(990))), 1),
                    format!(
                        "{}/{}",
                        windows.iter().filter(|window| window.is_whole()).count(),
                        windows.len()
                    ),
                ]);
            }
            curves.push((kind.name().to_owned(), points));
        }
        section.notes.extend(why(across, &curves));
        let title = format!("Server processor time per delivery, µs, by {across}");
        section.plots.push((name.to_owned(), plot::curves(&title, across, &curves)));
    }
    Ok(section)
}

/// Why the product's curve is not flat.
fn why(across: &str, curves: &[Curve]) -> Option<String> {
    let points = |kind: Kind| curves.iter().find(|(name, _)| name == kind.name()).map(|(_, points)| points);
    let (product, yardstick) = (points(Kind::Product)?, points(Kind::Yardstick)?);
    if across == ROOMS_ACROSS {
        let ((_, one), (rooms, many)) = (product.first()?, product.last()?);
        let listeners = float(TEAM as u64) / rooms;
        return Some(format!(
            "By {across}: every point has as many deliveries, so that in {rooms:.0} rooms there are {rooms:.0} times as many posts as in one. What a \
             post costs until it is in the log and framed is then shared by {listeners:.0} deliveries: the difference of {:.1} µs for each \
             is {:.0} µs for each post. The yardstick's posts cost next to nothing.",
            many - one,
            (many - one) * listeners,
        ));
    }
    let [(few, dear), (_, cheap), (many, _)] = product[..] else { return None };
    let rise = |points: &[(f64, f64)]| Some((points.last()?.1 / points.get(1)?.1 - 1.0) * 100.0);
    Some(format!(
        "By {across}: with {few:.0} a post's own cost is shared by few ({:+.1} µs for each delivery, {:.0} µs for each post, against 1,000). From 1,000 to \
         {many:.0} the product changes by {:+.0} %, the yardstick, which does nothing but write, by {:+.0} %: what they have in common there is the \
         kernel's part, which walks over so many sockets that they no longer lie in the processor's caches (inferred, not measured).",
        dear - cheap,
        (dear - cheap) * few,
        rise(product)?,
        rise(yardstick)?,
    ))
}

/// The other half.
pub(super) fn run_history(bench: &Bench) -> Result<Section> {
    history::run(bench)
}

fn posts_per_s(seats: usize, rooms: usize) -> f64 {
    DELIVERIES_PER_S / float((seats / rooms).max(1) as u64)
}

fn measure(bench: &Bench, kind: Kind, seats: usize, rooms: usize) -> Result<Vec<Window>> {
    let dir = bench.fresh_dir()?;
    let mut generator = Generator::new()?;
    let peer = fanout::start(bench, kind, &dir, seats, rooms)?;
    let mut audience = Audience::gather(&mut generator, &peer, Way::Websocket, seats, rooms)?;
    generator.settle(QUIET, SETTLED)?;
    let pace = Pace { posts_per_s: posts_per_s(seats, rooms), lasting: bench.window, text_bytes: TEXT_BYTES };
    audience.window(&mut generator, &peer, Pace { lasting: bench.window / 4, ..pace })?;
    let mut windows = Vec::new();
    for _ in 0..bench.rounds.min(3) {
        windows.push(audience.window(&mut generator, &peer, pace)?);
    }
    Ok(windows)
}
