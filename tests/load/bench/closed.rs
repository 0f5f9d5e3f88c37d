//! A closed loop: everybody asks, waits for the answer, asks again.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::generator::{Generator, LineId};
use super::stats::{Latencies, float};
use super::usage::{self, Cpu};

/// Nothing is answered for this long: it never will be.
const SILENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Default)]
pub(super) struct Closed {
    pub(super) count: u64,
    pub(super) elapsed: Duration,
    pub(super) latencies: Latencies,
    pub(super) server_ns: u64,
    pub(super) generator_share: f64,
}

impl Closed {
    pub(super) fn per_s(&self) -> f64 {
        float(self.count) / self.elapsed.as_secs_f64()
    }

    pub(super) fn us_each(&self) -> f64 {
        float(self.server_ns) / 1_000.0 / float(self.count)
    }
}

/// Runs it over lines that were opened one after the other. `next`: what the asker of this number
/// asks now.
pub(super) fn run(
    generator: &mut Generator,
    pid: u32,
    lines: &[LineId],
    lasting: Duration,
    mut next: impl FnMut(usize, u64) -> Vec<u8>,
) -> Result<Closed> {
    let mut closed = Closed::default();
    generator.answered.clear();
    let (cpu, own, begun) = (Cpu::of(pid), usage::own_cpu_ns(), Instant::now());
    let mut sent_ns = vec![0; lines.len()];
    for (asker, line) in lines.iter().enumerate() {
        sent_ns[asker] = generator.now_ns();
        let question = next(asker, sent_ns[asker]);
        generator.send(*line, &question)?;
    }
    let mut last = Instant::now();
    let mut waiting = lines.len();
    while waiting > 0 {
        generator.turn(Duration::from_millis(20))?;
        let is_over = begun.elapsed() >= lasting;
        while let Some(line) = generator.answered.pop_front() {
            last = Instant::now();
            let asker = line - lines[0];
            let now_ns = generator.now_ns();
            closed.latencies.note((now_ns - sent_ns[asker]) / 1_000);
            closed.count += 1;
            if is_over {
                waiting -= 1;
            } else {
                sent_ns[asker] = now_ns;
                let question = next(asker, now_ns);
                generator.send(line, &question)?;
            }
        }
        ensure!(last.elapsed() < SILENCE, "{waiting} of {} askers hear nothing", lines.len());
    }
    closed.elapsed = last - begun;
    closed.server_ns = Cpu::of(pid).since(&cpu);
    closed.generator_share = float(usage::own_cpu_ns() - own) / 1e9 / begun.elapsed().as_secs_f64();
    Ok(closed)
}
