use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Quantiles, latencies::Latencies};

/// Durations with three significant digits: how many fell into each bucket. It can be merged with others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Vec<[u64; 2]>)]
pub struct Histogram(
    /// The upper bound of a bucket in microseconds and its count, ascending, none of them zero.
    Vec<(u64, u64)>,
);

impl Histogram {
    /// How many durations, and the quantiles of them.
    pub fn quantiles(&self) -> Quantiles {
        Quantiles::of(&self.latencies())
    }

    /// The durations of all of them.
    #[must_use]
    pub fn merged(histograms: &[&Self]) -> Self {
        let buckets = histograms.iter().flat_map(|histogram| &histogram.0);
        let mut buckets: Vec<_> = buckets.copied().collect();
        // Each of them is in order already, which this sort makes use of.
        buckets.sort_by_key(|(value, _)| *value);
        buckets.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        Self(buckets)
    }

    /// About what it takes in memory, in bytes.
    pub fn size(&self) -> usize {
        self.0.len() * size_of::<(u64, u64)>()
    }

    /// Each bucket: its upper bound, and how many are in it.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let buckets = self.0.iter();
        buckets.map(|(micros, count)| (Duration::from_micros(*micros), *count))
    }

    fn latencies(&self) -> Latencies {
        let mut latencies = Latencies::default();
        for (duration, count) in self.buckets() {
            latencies.record_many(duration, count);
        }
        latencies
    }
}

/// Upper bounds of buckets and their counts, in any order.
impl FromIterator<(Duration, u64)> for Histogram {
    fn from_iter<T: IntoIterator<Item = (Duration, u64)>>(buckets: T) -> Self {
        let mut counts = BTreeMap::<u64, u64>::new();
        for (bound, count) in buckets.into_iter().filter(|(_, count)| *count > 0) {
            let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
            *counts.entry(micros).or_default() += count;
        }
        Self(counts.into_iter().collect())
    }
}

impl From<&Latencies> for Histogram {
    fn from(latencies: &Latencies) -> Self {
        Self(latencies.buckets().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn histogram(millis: &[u64]) -> (Latencies, Histogram) {
        let mut latencies = Latencies::default();
        for millis in millis {
            latencies.record(Duration::from_millis(*millis));
        }
        let histogram = Histogram::from(&latencies);
        (latencies, histogram)
    }

    proptest! {
        #[test]
        fn merging_is_the_same_as_having_seen_all(
            one in prop::collection::vec(0_u64..10_000_000, 0..50),
            two in prop::collection::vec(0_u64..10_000_000, 0..50),
        ) {
            let merged = Histogram::merged(&[&histogram(&one).1, &histogram(&two).1]);
            let (latencies, all) = histogram(&[one, two].concat());
            prop_assert_eq!(&merged, &all);
            let (kept, seen) = (merged.quantiles(), Quantiles::of(&latencies));
            prop_assert_eq!(kept.count, seen.count);
            for (kept, seen) in [(kept.p50, seen.p50), (kept.p99, seen.p99), (kept.max, seen.max)] {
                // Three significant digits.
                let (kept, seen) = (kept.unwrap_or_default(), seen.unwrap_or_default());
                prop_assert!((kept - seen).abs() <= seen * 0.001 + 2e-6, "{} {}", kept, seen);
            }
            let text = serde_json::to_string(&merged).unwrap();
            prop_assert_eq!(serde_json::from_str::<Histogram>(&text).unwrap(), merged);
        }
    }
}
