//! How much the figures of one run vary by themselves, by its batches.
//!
//! Overlapping blocks of batches tell the variance of a mean (Meketon and Schmeiser, Overlapping Batch Means: Something
//! for Nothing?, 1984). It is what infinitely many draws of a circular block bootstrap (Politis and Romano, 1992) have,
//! so nothing of it is due to draws. The variance of a quantile is that of the share below it, seen through the
//! distribution (Woodruff, Confidence Intervals for Medians and Other Position Measures, 1952).

use super::uncertainty::{Deviation, number, whole};
use crate::runner::BatchFigures;

/// A block is this part of the run: what happens in one second bears upon the next ones, and upon the
/// next block as little as can be had.
const BLOCKS: usize = 8;
/// A block lasts at least so many seconds, and has at most so many batches for that.
const SHORTEST: usize = 3;
/// Fewer batches say nothing about how a run varies.
const LEAST: usize = 4 * SHORTEST;
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
    /// Batches of a block.
    length: usize,
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
        let batches = Batches::of(batches, seconds);
        Some(Self {
            mean: batches.of_mean(),
            p50: batches.of_quantile(0.5),
            p95: batches.of_quantile(0.95),
            p99: batches.of_quantile(0.99),
            failed: batches.of_failed(),
        })
    }
}

impl Batches {
    fn of(batches: &[&BatchFigures], seconds: f64) -> Self {
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
        let mut fewer = 1..SHORTEST;
        let shortest = fewer.find(|count| whole(*count) * seconds >= whole(SHORTEST));
        let shortest = shortest.unwrap_or(SHORTEST);
        latencies.sort_by(|one, other| one.micros.total_cmp(&other.micros));
        Self {
            latencies,
            length: (batches.len() / BLOCKS).max(shortest),
            totals,
            all,
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
        if self.blocks() < whole(BLOCKS) {
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
        let mut block: f64 = away.iter().take(self.length).sum();
        let mut squares = 0.0;
        for first in 0..count {
            squares += block * block;
            block += away[(first + self.length) % count] - away[first];
        }
        let of_block = squares / whole(count) / (all * all);
        let variance = of_block * self.blocks();
        variance.is_finite().then_some(variance)
    }

    fn blocks(&self) -> f64 {
        whole(self.totals.len()) / whole(self.length)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::runner::Histogram;

    /// Batches of a hundred latencies or so each, and of some failures.
    fn batches(count: u64, random: &mut fastrand::Rng) -> Vec<BatchFigures> {
        let mut batch = |_| {
            let level = random.u64(..100_000);
            let latencies = (0..80 + random.u64(..40)).map(|_| {
                let micros = 200_000 + level + random.u64(..300_000);
                (Duration::from_micros(micros), 1)
            });
            BatchFigures {
                latency: Histogram::from_iter(latencies.collect::<Vec<_>>()),
                failed: random.u64(..20),
            }
        };
        (0..count).map(&mut batch).collect()
    }

    /// The figures of a run: logarithms of mean, p50, p95 and p99, and the share that failed.
    fn figures(batches: &[&BatchFigures]) -> [f64; 5] {
        let histograms: Vec<_> = batches.iter().map(|batch| &batch.latency).collect();
        let latency = Histogram::merged(&histograms).quantiles();
        let failed: u64 = batches.iter().map(|batch| batch.failed).sum();
        let log = |seconds: Option<f64>| seconds.unwrap().ln();
        [
            log(latency.mean),
            log(latency.p50),
            log(latency.p95),
            log(latency.p99),
            number(failed) / number(failed + latency.count),
        ]
    }

    #[test]
    fn a_deviation_is_that_of_runs_which_are_put_together_of_blocks() {
        let mut random = fastrand::Rng::with_seed(7);
        let (length, draws) = (4, 400);
        let batches = batches(32, &mut random);
        let batches: Vec<_> = batches.iter().collect();
        let spread = Spread::of(&batches, 1.0).unwrap();
        let mut sums = [[0.0; 2]; 5];
        for _ in 0..draws {
            let run = (0..batches.len() / length).flat_map(|_| {
                let first = random.usize(..batches.len());
                (first..first + length).map(|at| at % batches.len())
            });
            let run: Vec<_> = run
                .collect::<Vec<_>>()
                .iter()
                .map(|at| batches[*at])
                .collect();
            for (sum, figure) in sums.iter_mut().zip(figures(&run)) {
                sum[0] += figure;
                sum[1] += figure * figure;
            }
        }
        let found = [
            spread.mean,
            spread.p50,
            spread.p95,
            spread.p99,
            spread.failed,
        ];
        for (at, (found, [sum, squares])) in found.into_iter().zip(sums).enumerate() {
            let mean = sum / whole(draws);
            let expected = (squares / whole(draws) - mean * mean) * 8.0 / 7.0;
            let found = found.unwrap();
            assert!((found.freedom - 7.0).abs() < 1e-9);
            let ratio = (found.variance / expected).sqrt();
            // Four hundred draws are right to 3.5 % or so, and a tail has steps.
            let allowed = if at == 2 || at == 3 { 0.3 } else { 0.12 };
            assert!((ratio - 1.0).abs() < allowed, "{at}: {ratio}");
        }
        assert_eq!(
            Spread::of(&batches, 1.0),
            Some(spread),
            "nothing of it is drawn"
        );
    }

    /// Batches of which so many each took 200 ms, and the rest of a hundred as long as the last.
    fn of_two_values(quick: &[u64], slow: Duration) -> Vec<BatchFigures> {
        let batch = |quick: &u64| {
            let latencies = [(Duration::from_millis(200), *quick), (slow, 100 - quick)];
            BatchFigures {
                latency: Histogram::from_iter(latencies),
                failed: 0,
            }
        };
        quick.iter().map(batch).collect()
    }

    #[test]
    fn a_quantile_varies_as_the_share_below_it_within_two_standard_errors() {
        let p50 = |quick: &[u64]| {
            let batches = of_two_values(quick, Duration::from_millis(300));
            let spread = Spread::of(&batches.iter().collect::<Vec<_>>(), 1.0).unwrap();
            spread.p50.unwrap()
        };
        // Of overlapping blocks of four of them the share of 52 % has a standard error of 1.3 %, so that it may fall
        // below one half by two of them, and not by one.
        let quick = [[56; 16], [48; 16]].concat();
        let found = p50(&quick);
        let expected = (1.5_f64.ln() / 4.0).powi(2) * 8.0 / 7.0;
        assert!((found.variance - expected).abs() < 1e-12, "{found:?}");
        assert!((found.freedom - 7.0).abs() < 1e-9);
        let quick = [[70; 16], [60; 16]].concat();
        let resolution = RESOLUTION * RESOLUTION;
        assert!((p50(&quick).variance - resolution).abs() < 1e-12);
    }

    #[test]
    fn above_a_tail_there_is_no_more_of_the_distribution() {
        // All slow ones are in one batch.
        let mut quick = [100; 32];
        quick[9] = 68;
        let batches = of_two_values(&quick, Duration::from_millis(400));
        let spread = Spread::of(&batches.iter().collect::<Vec<_>>(), 1.0).unwrap();
        let found = spread.p99.unwrap().variance;
        // Four blocks of 32 have it.
        let error = (8.0 * (4.0 * 28.0_f64.powi(2) + 28.0 * 16.0) / 32.0).sqrt() / 3200.0;
        let expected = (2.0_f64.ln() * error / (0.01 + 2.0 * error)).powi(2) * 8.0 / 7.0;
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }

    #[test]
    fn it_does_not_matter_in_which_batch_a_run_begins() {
        let batches = batches(32, &mut fastrand::Rng::with_seed(3));
        let mut batches: Vec<_> = batches.iter().collect();
        let figures = |batches: &[&BatchFigures]| {
            let found = Spread::of(batches, 1.0).unwrap();
            let all = [found.mean, found.p50, found.p95, found.p99, found.failed];
            all.map(|deviation| deviation.unwrap().variance)
        };
        let expected = figures(&batches);
        for _ in 1..batches.len() {
            batches.rotate_left(1);
            for (found, expected) in figures(&batches).into_iter().zip(expected) {
                assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
            }
        }
    }

    #[test]
    fn what_never_varies_is_known_to_three_digits_and_no_better() {
        let batch = BatchFigures {
            latency: Histogram::from_iter([(Duration::from_millis(500), 10)]),
            failed: 0,
        };
        let spread = Spread::of(&[&batch; 24], 1.0).unwrap();
        for latency in [spread.mean, spread.p50, spread.p95, spread.p99] {
            let deviation = latency.unwrap().variance.sqrt();
            assert!((deviation - RESOLUTION).abs() < 1e-9, "{deviation}");
        }
        let failed = Deviation::of_independent(0.0, 240.0);
        assert!((spread.failed.unwrap().variance - failed.variance).abs() < 1e-12);
    }

    #[test]
    fn what_took_no_time_is_known_as_well() {
        let batch = BatchFigures {
            latency: Histogram::from_iter([(Duration::ZERO, 5), (Duration::from_millis(1), 5)]),
            failed: 0,
        };
        let spread = Spread::of(&[&batch; 24], 1.0).unwrap();
        assert!(spread.p50.is_some() && spread.p95.is_some());
    }

    #[test]
    fn of_few_batches_and_of_nothing_that_passed_nothing_is_known() {
        let batches = batches(11, &mut fastrand::Rng::with_seed(1));
        assert_eq!(Spread::of(&batches.iter().collect::<Vec<_>>(), 1.0), None);
        let failing = BatchFigures {
            failed: 5,
            ..BatchFigures::default()
        };
        let spread = Spread::of(&[&failing; 24], 1.0).unwrap();
        assert_eq!((spread.mean, spread.p50, spread.p99), (None, None, None));
        assert!(spread.failed.is_some());
        let nothing = Spread::of(&[&BatchFigures::default(); 24], 1.0).unwrap();
        assert_eq!(nothing.failed, None);
    }

    #[test]
    fn a_share_varies_by_batches_from_eight_blocks_of_three_seconds_on() {
        let batches = batches(32, &mut fastrand::Rng::with_seed(1));
        let batches: Vec<_> = batches.iter().collect();
        let spread = |count: usize, seconds: f64| Spread::of(&batches[..count], seconds).unwrap();
        for (count, seconds, blocks) in [
            (12, 1.0, None),
            (23, 1.0, None),
            (24, 1.0, Some(8.0)),
            (25, 1.0, Some(25.0 / 3.0)),
            (32, 1.0, Some(8.0)),
            (17, 2.0, Some(8.5)),
            (19, 16.0, Some(9.5)),
        ] {
            let spread = spread(count, seconds);
            let found = spread.failed.map(|deviation| deviation.freedom + 1.0);
            assert_eq!(found, blocks, "{count} of {seconds} s");
            assert!(spread.p50.is_some());
        }
    }
}
