//! What a connection takes that does nothing: the growth of the server's proportional set size.

use std::time::Duration;

use anyhow::Result;

use super::generator::Generator;
use super::peers::{Kind, Way};
use super::report::{Section, Verdict, cell};
use super::stats::float;
use super::{Bench, fanout, plot, usage};
use crate::report::tell;

const SEATS: usize = 10_000;
const QUICK_SEATS: usize = 500;
/// People of one room.
const ROOM: usize = 100;
/// Nothing must come for this long.
const QUIET: Duration = Duration::from_secs(2);
const SETTLED: Duration = Duration::from_mins(2);
/// The most that a connection may take, in bytes.
const MOST: [f64; 2] = [4_096.0, 8_192.0];

pub(super) fn run(bench: &Bench) -> Result<Section> {
    let seats = if bench.quick { QUICK_SEATS } else { SEATS };
    let mut section = Section::new(format!("Memory of an idle connection, {seats} connections"));
    section.head = ["server", "way", "before, MiB", "with all, MiB", "KiB each"].map(str::to_owned).to_vec();
    let mut bars = Vec::new();
    for way in [Way::Websocket, Way::Sse] {
        for kind in bench.kinds() {
            tell(&format!("idle, {}, {}", way.name(), kind.name()));
            let (before, after) = measure(bench, kind, way, seats)?;
            let each = (float(after) - float(before)) / float(seats as u64);
            section.rows.push(vec![
                kind.name().to_owned(),
                way.name().to_owned(),
                cell(float(before) / 1_048_576.0, 1),
                cell(float(after) / 1_048_576.0, 1),
                cell(each / 1_024.0, 2),
            ]);
            bars.push((format!("{}, {}", kind.name(), way.name()), each / 1_024.0));
            if kind == Kind::Product {
                let what = format!("idle connection at {seats}, {}: bytes of PSS", way.name());
                section.verdicts.push(Verdict::at_most(what, each, MOST[usize::from(way == Way::Sse)]));
            }
        }
    }
    section.plots.push(("idle".to_owned(), plot::bars("Memory of an idle connection, KiB", &bars)));
    Ok(section)
}

fn measure(bench: &Bench, kind: Kind, way: Way, seats: usize) -> Result<(u64, u64)> {
    let dir = bench.fresh_dir()?;
    let rooms = seats.div_ceil(ROOM);
    let peer = fanout::start(bench, kind, &dir, seats, rooms)?;
    let mut generator = Generator::new()?;
    // The first ones bring what is there for all.
    generator.open(peer.address, (0..ROOM).map(|seat| peer.listen(way, seat)))?;
    generator.settle(QUIET, SETTLED)?;
    let before = usage::pss_bytes(peer.pid());
    generator.open(peer.address, (ROOM..seats).map(|seat| peer.listen(way, seat)))?;
    generator.settle(QUIET, SETTLED)?;
    Ok((before, usage::pss_bytes(peer.pid())))
}
