//! How much the figures of one run vary by themselves: a circular block bootstrap over its batches.

use crate::runner::BatchFigures;

/// Draws. For a standard deviation 200 are enough (Efron and Tibshirani, An Introduction to the
/// Bootstrap, 1993, chapter 6).
const DRAWS: usize = 200;
/// A block is this part of the run: what happens in one second bears upon the next ones, and upon the
/// next block as little as can be had.
const BLOCKS: usize = 8;
/// A block has at least so many batches, of a second or more each.
const SHORTEST: usize = 3;
/// Fewer batches say nothing about how a run varies.
const LEAST: usize = 4 * SHORTEST;
/// The same run gives the same words.
const SEED: u64 = 0x6261_7463_6865_7300;
/// Latencies have three digits: of their logarithm less is not known.
const RESOLUTION: f64 = 0.001;

/// How far a figure of a run lies from what it would be over many such runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Deviation {
    pub(super) variance: f64,
    /// Degrees of freedom: blocks less one.
    pub(super) freedom: f64,
}

/// The deviations of the figures of a step; of the logarithm of latencies, and of the share that
/// failed. `None` where a draw had nothing to measure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    pub(super) mean: Option<Deviation>,
    pub(super) p50: Option<Deviation>,
    pub(super) p95: Option<Deviation>,
    pub(super) p99: Option<Deviation>,
    pub(super) failed: Option<Deviation>,
}

/// What all batches hold, by latency.
struct Sorted {
    /// Microseconds, the batch, how many.
    latencies: Vec<(f64, usize, f64)>,
    batches: Vec<Totals>,
}

/// The totals of a batch or a draw.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    passed: f64,
    failed: f64,
    micros: f64,
}

/// The figures of one draw.
#[derive(Debug, Clone, Copy, Default)]
struct Drawn {
    /// Logarithms of mean, p50, p95 and p99; not finite if nothing passed.
    latencies: [f64; 4],
    failed: f64,
}

impl Spread {
    /// `None` if there are too few batches.
    pub(super) fn of(batches: &[&BatchFigures]) -> Option<Self> {
        let count = batches.len();
        if count < LEAST {
            return None;
        }
        let sorted = Sorted::of(batches);
        let length = count.div_ceil(BLOCKS).max(SHORTEST);
        let mut random = fastrand::Rng::with_seed(SEED);
        let draws: Vec<_> = (0..DRAWS)
            .map(|_| sorted.figures(&times_drawn(count, length, &mut random)))
            .collect();
        let blocks = whole(count) / whole(length);
        let deviation = |of: &dyn Fn(&Drawn) -> f64, least: f64| {
            // Blocks vary about the mean of the same run, which lies between them.
            let variance = variance(draws.iter().map(of)) * blocks / (blocks - 1.0);
            variance.is_finite().then(|| Deviation {
                variance: variance.max(least),
                freedom: blocks - 1.0,
            })
        };
        let latency = |at: usize| deviation(&|drawn| drawn.latencies[at], RESOLUTION * RESOLUTION);
        Some(Self {
            mean: latency(0),
            p50: latency(1),
            p95: latency(2),
            p99: latency(3),
            failed: deviation(&|drawn| drawn.failed, sorted.least_variance_of_failed()),
        })
    }
}

impl Sorted {
    fn of(batches: &[&BatchFigures]) -> Self {
        let mut latencies = Vec::new();
        let mut totals = Vec::new();
        for (at, batch) in batches.iter().enumerate() {
            let mut total = Totals {
                failed: number(batch.failed),
                ..Totals::default()
            };
            for (latency, count) in batch.latency.buckets() {
                let (micros, count) = (latency.as_secs_f64() * 1e6, number(count));
                total.passed += count;
                total.micros += micros * count;
                latencies.push((micros, at, count));
            }
            totals.push(total);
        }
        latencies.sort_by(|one, other| one.0.total_cmp(&other.0));
        Self {
            latencies,
            batches: totals,
        }
    }

    /// Of a run that had each batch so many times.
    fn figures(&self, times: &[f64]) -> Drawn {
        let mut all = Totals::default();
        for (batch, times) in self.batches.iter().zip(times) {
            all.passed += batch.passed * times;
            all.failed += batch.failed * times;
            all.micros += batch.micros * times;
        }
        let mut latencies = [all.micros / all.passed, f64::NAN, f64::NAN, f64::NAN];
        let ranks = [0.5, 0.95, 0.99].map(|share| (share * all.passed).ceil());
        let (mut below, mut at) = (0.0, 0);
        for (micros, batch, count) in &self.latencies {
            below += count * times[*batch];
            while at < ranks.len() && below >= ranks[at] && all.passed > 0.0 {
                latencies[at + 1] = *micros;
                at += 1;
            }
            if at == ranks.len() {
                break;
            }
        }
        Drawn {
            latencies: latencies.map(f64::ln),
            failed: all.failed / (all.passed + all.failed),
        }
    }

    /// Where nothing or all failed, the draws are alike; one failure more would not have been strange.
    fn least_variance_of_failed(&self) -> f64 {
        let failed: f64 = self.batches.iter().map(|batch| batch.failed).sum();
        let passed: f64 = self.batches.iter().map(|batch| batch.passed).sum();
        let (share, of) = ((failed + 1.0) / (passed + failed + 2.0), passed + failed);
        share * (1.0 - share) / of.max(1.0)
    }
}

/// How often each batch is in a run that is put together of blocks, as long as the real one. A block
/// that reaches the end goes on at the beginning.
fn times_drawn(count: usize, length: usize, random: &mut fastrand::Rng) -> Vec<f64> {
    let mut times = vec![0.0; count];
    let mut missing = count;
    while missing > 0 {
        let begin = random.usize(..count);
        let length = length.min(missing);
        for at in begin..begin + length {
            times[at % count] += 1.0;
        }
        missing -= length;
    }
    times
}

/// Not finite if one of the values is not.
fn variance(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = whole(values.clone().count());
    let mean = values.clone().sum::<f64>() / count;
    values.map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)
}

#[expect(clippy::cast_precision_loss, reason = "batches and draws are few")]
fn whole(count: usize) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a variance needs no more digits"
)]
fn number(count: u64) -> f64 {
    count as f64
}
