//! What a process takes of processor and memory, as Linux tells it, in nanoseconds and bytes: ticks of
//! 10 ms are too coarse for a window of a few seconds.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use super::stats::float;

/// Time on a processor of each thread that lives, in nanoseconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Cpu(HashMap<(u32, u32), u64>);

impl Cpu {
    /// Of a process and its children's, user and system.
    pub(super) fn of(pid: u32) -> Self {
        let mut times = HashMap::new();
        for pid in std::iter::once(pid).chain(children(pid)) {
            for thread in numbers(&format!("/proc/{pid}/task")) {
                if let Some(ns) = on_cpu(&format!("/proc/{pid}/task/{thread}/schedstat")) {
                    times.insert((pid, thread), ns);
                }
            }
        }
        Self(times)
    }

    /// What was taken since. Of a thread that has ended meanwhile, nothing is known.
    pub(super) fn since(&self, earlier: &Self) -> u64 {
        let of = |(thread, now): (&(u32, u32), &u64)| {
            now.saturating_sub(earlier.0.get(thread).copied().unwrap_or_default())
        };
        self.0.iter().map(of).sum()
    }
}

/// Of this thread, in nanoseconds.
pub(super) fn own_cpu_ns() -> u64 {
    on_cpu("/proc/thread-self/schedstat").unwrap_or_default()
}

/// Proportional set size of a process and its children, in bytes.
pub(super) fn pss_bytes(pid: u32) -> u64 {
    std::iter::once(pid).chain(children(pid)).filter_map(|pid| memory(pid, "smaps_rollup", "Pss:")).sum()
}

/// Resident set size, in bytes.
pub(super) fn rss_bytes(pid: u32) -> u64 {
    std::iter::once(pid).chain(children(pid)).filter_map(|pid| memory(pid, "status", "VmRSS:")).sum()
}

/// What of all processors is taken while we wait: others' work, which disturbs a measurement.
pub(super) fn machine_share(during: Duration) -> f64 {
    let (busy, begun) = (machine_busy_ns(), Instant::now());
    std::thread::sleep(during);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let taken_s = float(machine_busy_ns().saturating_sub(busy)) / 1e9;
    taken_s / begun.elapsed().as_secs_f64() / float(cores as u64)
}

/// What all processors have done for whomever, in nanoseconds.
pub(super) fn machine_busy_ns() -> u64 {
    const NS_PER_TICK: u64 = 10_000_000;
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    // user, nice, system, (idle, iowait,) irq, softirq, steal
    [0, 1, 2, 5, 6, 7].iter().filter_map(|&at| ticks.get(at)).sum::<u64>() * NS_PER_TICK
}

fn memory(pid: u32, file: &str, field: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix(field))?;
    Some(kib.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1_024)
}

fn on_cpu(schedstat: &str) -> Option<u64> {
    fs::read_to_string(schedstat).ok()?.split(' ').next()?.parse().ok()
}

fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn numbers(dir: &str) -> Vec<u32> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
