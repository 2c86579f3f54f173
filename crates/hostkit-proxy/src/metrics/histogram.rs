//! Durations in buckets.

use std::time::Duration;

use super::Counter;

/// The upper ends of the buckets in milliseconds, with the text that names each in seconds.
pub(super) const BOUNDS: [(u64, &str); 14] = [
    (1, "0.001"),
    (2, "0.002"),
    (5, "0.005"),
    (10, "0.01"),
    (25, "0.025"),
    (50, "0.05"),
    (100, "0.1"),
    (250, "0.25"),
    (500, "0.5"),
    (1_000, "1"),
    (2_500, "2.5"),
    (5_000, "5"),
    (10_000, "10"),
    (30_000, "30"),
];

/// How many buckets there are: one for each bound, and one for what is above all.
const BUCKETS: usize = BOUNDS.len() + 1;

/// One thread's durations.
#[derive(Default)]
pub(super) struct Histogram {
    /// How many fell into each, not into those below.
    buckets: [Counter; BUCKETS],
    micros: Counter,
}

impl Histogram {
    pub(super) fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        // Most requests are short: the first bounds are looked at first.
        let bucket = BOUNDS
            .iter()
            .position(|(millis, _)| micros <= millis * 1000)
            .unwrap_or(BOUNDS.len());
        self.buckets[bucket].add(1);
        self.micros.add(micros);
    }
}

/// The durations of several threads together.
#[derive(Default)]
pub(super) struct Sum {
    /// How many are at most as long as each bound, and how many there are.
    pub(super) up_to: [u64; BUCKETS],
    pub(super) micros: u64,
}

impl Sum {
    pub(super) fn of<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Sum {
        let mut sum = Sum::default();
        for histogram in histograms {
            for (total, bucket) in sum.up_to.iter_mut().zip(&histogram.buckets) {
                *total += bucket.get();
            }
            sum.micros += histogram.micros.get();
        }
        for at in 1..BUCKETS {
            sum.up_to[at] += sum.up_to[at - 1];
        }
        sum
    }

    pub(super) fn count(&self) -> u64 {
        self.up_to[BUCKETS - 1]
    }
}
