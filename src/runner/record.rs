use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Batch, Quantiles, RunReport, Sample, StepSample, latencies::Latencies};

/// Everything that is kept of a run: what a report shows and a comparison needs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunRecord {
    /// What it did, felt and came to.
    pub report: RunReport,
    /// The same second by second.
    #[schema(value_type = Vec<Sample>)]
    pub samples: Vec<Arc<Sample>>,
    /// How long passed chats took.
    pub chat_duration: Histogram,
    /// How long each step took when it passed.
    #[schema(value_type = BTreeMap<String, Histogram>)]
    pub steps: BTreeMap<String, Histogram>,
    /// The run in at most 32 pieces of about equal length: how much its figures vary by themselves.
    #[serde(default)]
    pub batches: Vec<Batch>,
}

impl RunRecord {
    /// About what it takes in memory, in bytes.
    pub fn size(&self) -> usize {
        let report = 4096 + self.report.steps.len() * 512;
        let sample = size_of::<Sample>() + self.report.steps.len() * size_of::<StepSample>();
        let batches = self.batches.iter().flat_map(|batch| {
            let steps = batch.steps.iter();
            steps.chain([&batch.chats]).map(|figures| &figures.latency)
        });
        let histograms = self.steps.values().chain([&self.chat_duration]);
        let buckets = histograms.chain(batches).map(|histogram| histogram.0.len());
        report + self.samples.len() * sample + buckets.sum::<usize>() * size_of::<(u64, u64)>()
    }
}

/// Of a run of which nothing else is known any more.
impl From<RunReport> for RunRecord {
    fn from(report: RunReport) -> Self {
        Self {
            report,
            samples: Vec::new(),
            chat_duration: Histogram::default(),
            steps: BTreeMap::new(),
            batches: Vec::new(),
        }
    }
}

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
        let mut counts = BTreeMap::new();
        for (value, count) in histograms.iter().flat_map(|histogram| &histogram.0) {
            *counts.entry(*value).or_default() += count;
        }
        Self(counts.into_iter().collect())
    }

    /// Each bucket: its upper bound, and how many are in it.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let buckets = self.0.iter();
        buckets.map(|(micros, count)| (Duration::from_micros(*micros), *count))
    }

    fn latencies(&self) -> Latencies {
        let mut latencies = Latencies::new();
        for (duration, count) in self.buckets() {
            latencies.record_many(duration, count);
        }
        latencies
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
        let mut latencies = Latencies::new();
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
