//! What it costs to let somebody in: the request, the check of who it is, `hello`, and for the product
//! also what everybody is told of who has come.

use std::time::Duration;

use anyhow::Result;

use super::generator::Generator;
use super::peers::{Kind, Peer, Way};
use super::report::{Section, Verdict, cell};
use super::stats::{float, median};
use super::usage::Cpu;
use super::{Bench, fanout, plot};
use crate::report::tell;

const SEATS: usize = 400;
const ROOMS: usize = 10;
/// As long as the product takes to tell who has come.
const AFTER: Duration = Duration::from_millis(700);
const MOST: f64 = 2.5;

pub(super) fn run(bench: &Bench) -> Result<Section> {
    tell("handshake");
    let mut peers = Vec::new();
    for kind in bench.kinds() {
        let dir = bench.fresh_dir()?;
        peers.push((fanout::start(bench, kind, &dir, SEATS, ROOMS)?, Vec::new()));
    }
    // One round more than is counted: the first finds everything cold.
    for round in 0..=bench.rounds {
        for (peer, costs) in &mut peers {
            let us = measure(peer)?;
            if round > 0 {
                costs.push(us);
            }
        }
    }
    Ok(section(&peers))
}

/// Processor time of the server for each of them, in microseconds: until they are in, and with what
/// comes after.
fn measure(peer: &Peer) -> Result<[f64; 2]> {
    let mut generator = Generator::new()?;
    let cpu = Cpu::of(peer.pid());
    generator.open(peer.address, (0..SEATS).map(|seat| peer.listen(Way::Websocket, seat)))?;
    let open = Cpu::of(peer.pid()).since(&cpu);
    generator.settle(AFTER, AFTER * 4)?;
    let all = Cpu::of(peer.pid()).since(&cpu);
    drop(generator);
    // They go, which is not counted.
    std::thread::sleep(AFTER);
    Ok([open, all].map(|ns| float(ns) / 1_000.0 / float(SEATS as u64)))
}

fn section(peers: &[(Peer, Vec<[f64; 2]>)]) -> Section {
    let mut section = Section::new(format!("Handshake: {SEATS} connections come, 64 at once, WebSocket"));
    section.head =
        ["server", "µs each", "/ yardstick", "each round", "µs until open"].map(str::to_owned).to_vec();
    let mut bars = Vec::new();
    for (peer, costs) in peers {
        let base = &peers[0].1;
        let ratios: Vec<f64> = costs.iter().zip(base).map(|(mine, base)| mine[1] / base[1]).collect();
        let us = median(costs.iter().map(|cost| cost[1]));
        let name = peer.kind.name().to_owned();
        section.rows.push(vec![
            name.clone(),
            cell(us, 1),
            cell(median(ratios.iter().copied()), 2),
            ratios.iter().map(|ratio| cell(*ratio, 2)).collect::<Vec<_>>().join(" "),
            cell(median(costs.iter().map(|cost| cost[0])), 1),
        ]);
        bars.push((name, us));
        if peer.kind == Kind::Product {
            let what = "handshake with sign-in check: CPU / yardstick".to_owned();
            section.verdicts.push(Verdict::at_most(what, median(ratios), MOST));
        }
    }
    section
        .plots
        .push(("handshake".to_owned(), plot::bars("Server processor time per handshake, µs", &bars)));
    section
}
