use std::time::Duration;

use hdrhistogram::Histogram;

/// Many durations, to the microsecond and three significant digits; grows with what it holds.
#[derive(Debug)]
pub(super) struct Latencies {
    histogram: Histogram<u64>,
    /// Exact, where the histogram knows the upper bound of a bucket only.
    longest: u64,
}

impl Latencies {
    pub(super) fn new() -> Self {
        #[expect(
            clippy::expect_used,
            reason = "3 is within the 0 to 5 digits that are allowed"
        )]
        let histogram = Histogram::new(3).expect("3 significant digits are allowed");
        Self {
            histogram,
            longest: 0,
        }
    }

    pub(super) fn record(&mut self, duration: Duration) {
        self.record_many(duration, 1);
    }

    /// The same duration so many times.
    pub(super) fn record_many(&mut self, duration: Duration, count: u64) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.longest = self.longest.max(micros);
        // It grows as far as it can; only beyond does a value count as the largest that fits.
        if self.histogram.record_n(micros, count).is_err() {
            self.histogram.saturating_record_n(micros, count);
        }
    }

    /// The upper bound of each bucket in microseconds and its count.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let buckets = self.histogram.iter_recorded();
        buckets.map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
    }

    pub(super) fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The duration that this share of them does not exceed; never longer than the longest.
    pub(super) fn at(&self, share: f64) -> Duration {
        let micros = self.histogram.value_at_quantile(share).min(self.longest);
        Duration::from_micros(micros)
    }

    pub(super) fn longest(&self) -> Duration {
        Duration::from_micros(self.longest)
    }

    pub(super) fn mean(&self) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the mean of latencies is neither negative nor above their maximum"
        )]
        let micros = self.histogram.mean() as u64;
        Duration::from_micros(micros.min(self.longest))
    }
}
