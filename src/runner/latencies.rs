use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::load::{Measured, Statistic};

/// Many durations, to the microsecond and three significant digits. It takes no memory for durations before the first,
/// and grows with the longest. Merged with others it is as if it had recorded those as well. Written, it is the
/// buckets that are not empty.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Packed", into = "Packed")]
pub(super) struct Latencies {
    histogram: Option<Histogram<u64>>,
    /// In microseconds. Exact, where the histogram knows the upper bound of a bucket only.
    longest: u64,
}

/// [`Latencies`] as they are written.
#[derive(Serialize, Deserialize)]
struct Packed {
    longest: u64,
    /// The upper bound of a bucket in microseconds and its count, ascending, none of them zero.
    buckets: Vec<(u64, u64)>,
}

impl Latencies {
    pub(super) fn record(&mut self, duration: Duration) {
        self.record_many(duration, 1);
    }

    /// The same duration so many times.
    pub(super) fn record_many(&mut self, duration: Duration, count: u64) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.longest = self.longest.max(micros);
        self.add(micros, count);
    }

    fn add(&mut self, micros: u64, count: u64) {
        let histogram = self.histogram.get_or_insert_with(empty);
        // It grows as far as it can; only beyond does a value count as the largest that fits.
        if histogram.record_n(micros, count).is_err() {
            histogram.saturating_record_n(micros, count);
        }
    }

    /// Adds those of others.
    pub(super) fn merge(&mut self, others: &Self) {
        let Some(histogram) = others.histogram.as_ref().filter(|all| !all.is_empty()) else {
            return;
        };
        self.longest = self.longest.max(others.longest);
        if self
            .histogram
            .get_or_insert_with(empty)
            .add(histogram)
            .is_err()
        {
            // It cannot grow so far.
            others
                .buckets()
                .for_each(|(micros, count)| self.add(micros, count));
        }
    }

    /// Forgets all of them and keeps the memory for the next.
    pub(super) fn clear(&mut self) {
        self.longest = 0;
        if let Some(histogram) = self.histogram.as_mut().filter(|all| !all.is_empty()) {
            histogram.reset();
        }
    }

    /// The upper bound of each bucket in microseconds and its count.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let buckets = self.histogram.iter().flat_map(Histogram::iter_recorded);
        buckets.map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
    }

    pub(super) fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// The duration that this share of them does not exceed; never longer than the longest.
    pub(super) fn at(&self, share: f64) -> Duration {
        let at = |histogram: &Histogram<u64>| histogram.value_at_quantile(share);
        let micros = self.histogram.as_ref().map_or(0, at);
        Duration::from_micros(micros.min(self.longest))
    }

    /// What a threshold about them is held against.
    pub(super) fn measured(&self, statistic: Statistic) -> Measured {
        let of = self.count();
        if of == 0 {
            return Measured::Nothing;
        }
        let value = match statistic {
            Statistic::P50 => self.at(0.5),
            Statistic::P90 => self.at(0.9),
            Statistic::P95 => self.at(0.95),
            Statistic::P99 => self.at(0.99),
            Statistic::Max => self.longest(),
            Statistic::Mean => self.mean(),
        };
        Measured::Latency { value, of }
    }

    pub(super) fn longest(&self) -> Duration {
        Duration::from_micros(self.longest)
    }

    pub(super) fn mean(&self) -> Duration {
        let mean = self.histogram.as_ref().map_or(0.0, Histogram::mean);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the mean of latencies is neither negative nor above their maximum"
        )]
        let micros = mean as u64;
        Duration::from_micros(micros.min(self.longest))
    }
}

#[expect(
    clippy::expect_used,
    reason = "3 is within the 0 to 5 digits that are allowed"
)]
fn empty() -> Histogram<u64> {
    Histogram::new(3).expect("3 significant digits are allowed")
}

impl From<Packed> for Latencies {
    fn from(packed: Packed) -> Self {
        let mut latencies = Self::default();
        for (micros, count) in packed.buckets {
            latencies.add(micros, count);
        }
        latencies.longest = packed.longest;
        latencies
    }
}

impl From<Latencies> for Packed {
    fn from(latencies: Latencies) -> Self {
        Self {
            longest: latencies.longest,
            buckets: latencies.buckets().collect(),
        }
    }
}
