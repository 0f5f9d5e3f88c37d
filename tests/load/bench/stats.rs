//! Figures out of many: latencies in a histogram, medians of rounds.

/// Parts that each doubling of a latency is divided into: 1.6 % of error.
const PARTS_BITS: u32 = 6;

/// Latencies in microseconds, logarithmic.
#[derive(Debug, Clone, Default)]
pub(super) struct Latencies {
    counts: Vec<u64>,
    total: u64,
}

impl Latencies {
    pub(super) fn note(&mut self, us: u64) {
        let index = index(us);
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += 1;
        self.total += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, others)| *mine += others);
        self.total += other.total;
    }

    /// What so many of a thousand stay below, in milliseconds.
    pub(super) fn permille_ms(&self, permille: u64) -> f64 {
        let wanted = (self.total * permille).div_ceil(1_000);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return float(least(index)) / 1_000.0;
            }
        }
        0.0
    }
}

fn index(us: u64) -> usize {
    let bits = u64::BITS - us.leading_zeros();
    let shift = bits.saturating_sub(PARTS_BITS + 1);
    let part = us >> shift;
    usize::try_from((u64::from(shift) << PARTS_BITS) + part).unwrap_or(usize::MAX)
}

fn least(index: usize) -> u64 {
    let index = index as u64;
    let parts = 1_u64 << PARTS_BITS;
    if index < 2 * parts {
        return index;
    }
    let shift = (index >> PARTS_BITS) - 1;
    (index - (shift << PARTS_BITS)) << shift
}

/// The one in the middle; of two, what lies between.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

/// Counts here are far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_found_within_two_percent() {
        let mut latencies = Latencies::default();
        (1..=100_000).for_each(|us| latencies.note(us));
        for (permille, us) in [(500, 50_000.0), (990, 99_000.0), (999, 99_900.0)] {
            let found = latencies.permille_ms(permille) * 1_000.0;
            assert!((found / us - 1.0_f64).abs() < 0.02, "{permille}: {found}");
        }
        for us in [0, 1, 63, 64, 127, 128, 129, 1_000_003] {
            assert!(least(index(us)) <= us && us < least(index(us) + 1), "{us}");
        }
    }

    #[test]
    fn a_median_lies_in_the_middle() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
    }
}
