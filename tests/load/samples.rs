//! Memory and processor time of the server over a run, and what follows from them.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::limits;
use crate::server::{Pid, Usage};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    pub(crate) usage: Usage,
}

/// Samples until it is dropped.
pub(crate) struct Sampler {
    samples: Arc<Mutex<Vec<Sample>>>,
    task: JoinHandle<()>,
}

impl Sampler {
    pub(crate) fn start(pid: Pid) -> Self {
        let samples = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&samples);
        let task = tokio::spawn(async move {
            let mut every = tokio::time::interval(limits::SAMPLE_EVERY);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let at = every.tick().await;
                if let Some(usage) = pid.usage() {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(Sample { at, usage });
                }
            }
        });
        Self { samples, task }
    }

    pub(crate) fn since(&self, from: Instant) -> Vec<Sample> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.iter().filter(|sample| sample.at >= from).copied().collect()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The most of the processors it took between two samples, in percent of one.
pub(crate) fn busiest_percent(samples: &[Sample]) -> f64 {
    let share = |pair: &[Sample]| {
        let cpu = pair[1].usage.cpu_s - pair[0].usage.cpu_s;
        let wall = (pair[1].at - pair[0].at).as_secs_f64();
        // Less than before: another process, after a restart.
        if wall > 0.0 { (cpu / wall * 100.0).max(0.0) } else { 0.0 }
    };
    samples.windows(2).map(share).fold(0.0, f64::max)
}

/// The largest resident size sampled, in MiB.
pub(crate) fn largest_mib(samples: &[Sample]) -> f64 {
    samples.iter().map(|sample| sample.usage.rss_mib).fold(0.0, f64::max)
}

/// How fast memory grows, in MiB per minute: the slope of the straight line that fits best.
pub(crate) fn slope_mib_per_min(samples: &[Sample]) -> f64 {
    let Some(first) = samples.first() else { return 0.0 };
    let points: Vec<(f64, f64)> = samples
        .iter()
        .map(|sample| ((sample.at - first.at).as_secs_f64() / 60.0, sample.usage.rss_mib))
        .collect();
    slope(&points)
}

fn slope(points: &[(f64, f64)]) -> f64 {
    let count = f64::from(u32::try_from(points.len()).unwrap_or(u32::MAX));
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let along: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let across: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if across > 0.0 { along / across } else { 0.0 }
}

/// Resident memory over time as a picture.
pub(crate) fn svg(samples: &[Sample], warm: Duration) -> String {
    const WIDTH: f64 = 720.0;
    const HEIGHT: f64 = 240.0;
    const LEFT: f64 = 52.0;
    const BELOW: f64 = 28.0;
    let Some((first, last)) = samples.first().zip(samples.last()) else { return String::new() };
    let minutes = ((last.at - first.at).as_secs_f64() / 60.0).max(f64::EPSILON);
    let top = (largest_mib(samples) * 1.2 / 10.0).ceil() * 10.0;
    let x = |minute: f64| LEFT + minute / minutes * (WIDTH - LEFT - 8.0);
    let y = |mib: f64| 8.0 + (1.0 - mib / top) * (HEIGHT - BELOW - 8.0);
    let mut line = String::new();
    for sample in samples.iter().step_by((samples.len() / 600).max(1)) {
        let minute = (sample.at - first.at).as_secs_f64() / 60.0;
        let _ = write!(line, "{:.1},{:.1} ", x(minute), y(sample.usage.rss_mib));
    }
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<title>Resident memory of the server over time</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    for part in 0..=4 {
        let part = f64::from(part) / 4.0;
        let (minute, mib) = (minutes * part, top * part);
        let (below, right) = (HEIGHT - BELOW, WIDTH - 8.0);
        let _ = writeln!(svg, "<path d=\"M{LEFT} {0:.1}H{right}\" stroke=\"#ddd\"/>", y(mib));
        let _ = writeln!(svg, "<text x=\"4\" y=\"{:.1}\">{mib:.0} MiB</text>", y(mib) + 4.0);
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{minute:.0} min</text>",
            x(minute).min(right - 14.0),
            below + 18.0
        );
    }
    let warm = x(warm.as_secs_f64() / 60.0);
    let _ =
        writeln!(svg, "<path d=\"M{warm:.1} 8V{}\" stroke=\"#999\" stroke-dasharray=\"4\"/>", HEIGHT - BELOW);
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1a6\" stroke-width=\"1.5\"/>\n</svg>",
        line.trim_end()
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_the_growth_per_minute() {
        assert!((slope(&[(0.0, 10.0), (1.0, 12.0), (2.0, 14.0)]) - 2.0).abs() < 1e-9);
        assert!(slope(&[(0.0, 10.0), (1.0, 11.0), (2.0, 10.0)]).abs() < 1e-9);
        assert!(slope(&[(0.0, 10.0)]).abs() < 1e-9);
    }
}
