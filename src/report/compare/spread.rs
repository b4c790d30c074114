//! How much the figures of one run vary by themselves, by its batches.
//!
//! Overlapping blocks of batches tell the variance of a mean (Meketon and Schmeiser, Overlapping Batch Means: Something
//! for Nothing?, 1984). It is what infinitely many draws of a circular block bootstrap (Politis and Romano, 1992) have,
//! so nothing of it is due to draws. The variance of a quantile is that of the share below it, seen through the
//! distribution (Woodruff, Confidence Intervals for Medians and Other Position Measures, 1952).

#[cfg(test)]
mod tests;

use super::{
    fisher::FailureCounts,
    uncertainty::{Deviation, number, whole},
};
use crate::runner::BatchFigures;

/// A block is this part of the run: what happens in one second bears upon the next ones, and upon the
/// next block as little as can be had.
const BLOCKS: usize = 8;
/// A block lasts at least so many seconds, and has at most so many batches for that.
const SHORTEST: usize = 3;
/// Fewer batches say nothing about how a run varies.
const LEAST: usize = 4 * SHORTEST;
/// Nor do fewer blocks of a part of a long run, of which each is a batch.
pub(super) const LEAST_OF_PART: usize = 4;
/// So many standard errors to both sides the distribution is looked at, as for an interval of 95 %: with one, tails
/// seem to vary less than they do.
const ERRORS: f64 = 2.0;
/// Latencies have three digits: of their logarithm less is not known.
pub(super) const RESOLUTION: f64 = 0.001;

/// The deviations of the figures of a step; of the logarithm of latencies, and of the share that
/// failed. `None` where there was nothing to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) mean: Option<Deviation>,
    pub(super) p50: Option<Deviation>,
    pub(super) p95: Option<Deviation>,
    pub(super) p99: Option<Deviation>,
    pub(super) failed: Option<Deviation>,
}

/// The batches of a run.
struct Batches {
    /// By latency, ascending.
    latencies: Vec<Latency>,
    totals: Vec<Totals>,
    all: Totals,
    blocks: Blocks,
}

/// How batches are put together.
#[derive(Debug, Clone, Copy)]
struct Blocks {
    /// Batches of a block.
    length: usize,
    /// Fewer say nothing about a share.
    least_of_shares: usize,
}

/// Those of one batch that took as long.
struct Latency {
    micros: f64,
    batch: usize,
    count: f64,
}

/// What ended in a batch, or in all of them.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    passed: f64,
    failed: f64,
    micros: f64,
}

impl Spread {
    /// Of batches of so many seconds each; `None` if there are too few.
    pub(super) fn of(batches: &[&BatchFigures], seconds: f64) -> Option<Self> {
        if batches.len() < LEAST {
            return None;
        }
        Some(Self::by(&Batches::of(
            batches,
            Blocks::of_run(batches.len(), seconds),
        )))
    }

    /// Of a part of a long run, whose batches are so long that what happens in one hardly bears upon the next; `None` if
    /// there are too few.
    pub(super) fn of_part(batches: &[&BatchFigures]) -> Option<Self> {
        let blocks = Blocks {
            length: 1,
            least_of_shares: LEAST_OF_PART,
        };
        let is_enough = batches.len() >= LEAST_OF_PART;
        is_enough.then(|| Self::by(&Batches::of(batches, blocks)))
    }

    /// Of a share alone, by what there was of it in batches of so many seconds each.
    pub(super) fn of_share(batches: &[FailureCounts], seconds: f64) -> Option<Deviation> {
        if batches.len() < LEAST {
            return None;
        }
        let mut all = Totals::default();
        let totals = batches.iter().map(|counts| {
            let failed = number(counts.failed);
            let passed = number(counts.of) - failed;
            all.passed += passed;
            all.failed += failed;
            Totals {
                passed,
                failed,
                micros: 0.0,
            }
        });
        let totals = totals.collect();
        let batches = Batches {
            latencies: Vec::new(),
            totals,
            all,
            blocks: Blocks::of_run(batches.len(), seconds),
        };
        batches.of_failed()
    }

    fn by(batches: &Batches) -> Self {
        Self {
            mean: batches.of_mean(),
            p50: batches.of_quantile(0.5),
            p95: batches.of_quantile(0.95),
            p99: batches.of_quantile(0.99),
            failed: batches.of_failed(),
        }
    }
}

impl Blocks {
    /// Of so many batches of so many seconds each.
    fn of_run(batches: usize, seconds: f64) -> Self {
        let mut fewer = 1..SHORTEST;
        let shortest = fewer.find(|count| whole(*count) * seconds >= whole(SHORTEST));
        let shortest = shortest.unwrap_or(SHORTEST);
        Self {
            length: (batches / BLOCKS).max(shortest),
            least_of_shares: BLOCKS,
        }
    }
}

impl Batches {
    fn of(batches: &[&BatchFigures], blocks: Blocks) -> Self {
        let mut latencies = Vec::new();
        let mut totals = Vec::new();
        let mut all = Totals::default();
        for (at, batch) in batches.iter().enumerate() {
            let mut total = Totals {
                failed: number(batch.failed),
                ..Totals::default()
            };
            for (latency, count) in batch.latency.buckets() {
                let (micros, count) = (latency.as_secs_f64() * 1e6, number(count));
                total.passed += count;
                total.micros += micros * count;
                latencies.push(Latency {
                    // Less than a microsecond has no logarithm.
                    micros: micros.max(1.0),
                    batch: at,
                    count,
                });
            }
            all.passed += total.passed;
            all.failed += total.failed;
            all.micros += total.micros;
            totals.push(total);
        }
        latencies.sort_by(|one, other| one.micros.total_cmp(&other.micros));
        Self {
            latencies,
            totals,
            all,
            blocks,
        }
    }

    fn of_mean(&self) -> Option<Deviation> {
        let mean = self.all.micros / self.all.passed;
        let parts = self.totals.iter().map(|batch| (batch.micros, batch.passed));
        let variance = self.variance_of_ratio(parts)? / (mean * mean);
        self.deviation(variance, RESOLUTION * RESOLUTION)
    }

    /// Fewer blocks know the variance of a share so badly that a large rise of failures would be lost in it.
    fn of_failed(&self) -> Option<Deviation> {
        if self.blocks() < whole(self.blocks.least_of_shares) {
            return None;
        }
        let ended = |totals: &Totals| totals.passed + totals.failed;
        let parts = self.totals.iter().map(|batch| (batch.failed, ended(batch)));
        let independent = Deviation::of_independent(self.all.failed, ended(&self.all));
        self.deviation(self.variance_of_ratio(parts)?, independent.variance)
    }

    /// Of the logarithm of the latency that this share does not exceed.
    fn of_quantile(&self, share: f64) -> Option<Deviation> {
        let quantile = self.quantile(share)?;
        let mut below = vec![0.0; self.totals.len()];
        for latency in &self.latencies {
            if latency.micros <= quantile {
                below[latency.batch] += latency.count;
            }
        }
        let parts = below.into_iter().zip(&self.totals);
        let parts = parts.map(|(below, batch)| (below, batch.passed));
        let error = self.variance_of_ratio(parts)?.sqrt();
        let reach = ERRORS * error;
        let shares = [share - reach, share + reach].map(|share| share.clamp(0.0, 1.0));
        let [low, high] = shares.map(|share| self.quantile(share).map(f64::ln));
        let deviation = if error > 0.0 {
            // At an end of the distribution there is less of it than that.
            (high? - low?) * error / (shares[1] - shares[0])
        } else {
            0.0
        };
        self.deviation(deviation * deviation, RESOLUTION * RESOLUTION)
    }

    /// The latency in microseconds that this share does not exceed; `None` if nothing passed.
    fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (share * self.all.passed).ceil();
        let mut below = 0.0;
        let found = self.latencies.iter().find(|latency| {
            below += latency.count;
            below >= rank
        });
        found
            .or(self.latencies.last())
            .map(|latency| latency.micros)
    }

    /// The variance of the sum of the first over the sum of the second, each by batch.
    fn variance_of_ratio(&self, parts: impl Iterator<Item = (f64, f64)> + Clone) -> Option<f64> {
        let (of, all) = parts
            .clone()
            .fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        let away: Vec<_> = parts
            .map(|(of_batch, batch)| of_batch - batch * of / all)
            .collect();
        let count = away.len();
        // Behind the last batch a block goes on at the first one.
        let mut block: f64 = away.iter().take(self.blocks.length).sum();
        let mut squares = 0.0;
        for first in 0..count {
            squares += block * block;
            block += away[(first + self.blocks.length) % count] - away[first];
        }
        let of_block = squares / whole(count) / (all * all);
        let variance = of_block * self.blocks();
        variance.is_finite().then_some(variance)
    }

    fn blocks(&self) -> f64 {
        whole(self.totals.len()) / whole(self.blocks.length)
    }

    fn deviation(&self, variance: f64, least: f64) -> Option<Deviation> {
        let blocks = self.blocks();
        // Blocks vary about the mean of the same run, which lies between them.
        let variance = (variance * blocks / (blocks - 1.0)).max(least);
        variance.is_finite().then_some(Deviation {
            variance,
            freedom: blocks - 1.0,
        })
    }
}
