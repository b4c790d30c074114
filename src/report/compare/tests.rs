mod counts;
mod drift;
mod evidence;
mod power;
mod rooms;
mod several;
mod simulated;
mod told;

use super::*;
use crate::report::{
    BaselineCheck,
    testing::{Second, record},
};

/// A target whose latencies are log-normal, and whose level drifts from one second to the next.
#[derive(Debug, Clone, Copy)]
struct Target {
    seconds: usize,
    rate: usize,
    median: f64,
    /// What the drift does to the logarithm of latencies.
    drift: f64,
    /// The correlation of the drift of a second and of the one before, 0 to 1.
    correlation: f64,
    /// The part that fails.
    failing: f64,
    /// What the drift does to the logarithm of that part.
    failing_drift: f64,
    /// How much the logarithm of latencies differs from one run to the next.
    between_runs: f64,
    /// How much that of the part that fails does. A slower run fails more.
    failing_between_runs: f64,
    /// What is added to the logarithm of latencies from the first second of a run to the last.
    trend: f64,
    /// What is added to that of the part that fails.
    failing_trend: f64,
}

const STEADY: Target = Target {
    seconds: 96,
    rate: 10,
    median: 0.5,
    drift: 0.0,
    correlation: 0.0,
    failing: 0.05,
    failing_drift: 0.0,
    between_runs: 0.0,
    failing_between_runs: 0.0,
    trend: 0.0,
    failing_trend: 0.0,
};
const ORDINARY: Target = Target {
    drift: 0.1,
    correlation: 0.6,
    ..STEADY
};
/// One second is told by the one before more than by chance.
const DRIFTING: Target = Target {
    drift: 0.3,
    correlation: 0.7,
    failing_drift: 0.5,
    ..STEADY
};

/// Whether there is time for many more draws, as in `ci/long`.
fn is_long() -> bool {
    std::env::var_os("CHATPROBE_LONG_TESTS").is_some()
}

fn normal(random: &mut fastrand::Rng) -> f64 {
    let (one, other) = (1.0 - random.f64(), random.f64());
    (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos()
}

impl Target {
    fn run(self, random: &mut fastrand::Rng) -> RunRecord {
        let mut drift = normal(random);
        let level = normal(random);
        let median = self.median * (self.between_runs * level).exp();
        let failing_of_run = self.failing * (self.failing_between_runs * level).exp();
        let seconds: Vec<_> = (0..self.seconds)
            .map(|second| {
                let gone = uncertainty::whole(second) / uncertainty::whole(self.seconds);
                let fresh = (1.0 - self.correlation * self.correlation).sqrt();
                drift = drift * self.correlation + normal(random) * fresh;
                // The mean does not depend on the drift.
                let exponent = self.failing_drift * drift - self.failing_drift.powi(2) / 2.0;
                let failing = failing_of_run * (exponent + self.failing_trend * gone).exp();
                let mut second = Second::default();
                for _ in 0..self.rate {
                    if random.f64() < failing {
                        second.failed += 1;
                    } else {
                        let exponent =
                            self.drift * drift + self.trend * gone + 0.4 * normal(random);
                        second.passed.push(median * exponent.exp());
                    }
                }
                second
            })
            .collect();
        record(&seconds)
    }

    /// Many runs, each with as many others before it.
    fn series(
        self,
        other: Self,
        baselines: usize,
        count: u64,
    ) -> impl Iterator<Item = (Vec<RunRecord>, RunRecord)> {
        (0..count).map(move |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let before = (0..baselines).map(|_| self.run(&mut random)).collect();
            (before, other.run(&mut random))
        })
    }

    /// Many pairs of runs, from this to another.
    fn pairs(self, other: Self, count: u64) -> impl Iterator<Item = (RunRecord, RunRecord)> {
        let series = self.series(other, 1, count);
        series.map(|(mut before, after)| (before.remove(0), after))
    }
}

fn share(hits: usize, of: u64) -> f64 {
    uncertainty::whole(hits) / uncertainty::number(of)
}

fn compare(before: &RunRecord, after: &RunRecord) -> Comparison {
    Comparison::of(&[before], after)
}

fn held_against(before: &[RunRecord], after: &RunRecord) -> Comparison {
    Comparison::of(&before.iter().collect::<Vec<_>>(), after)
}

fn all(comparison: &Comparison) -> impl Iterator<Item = &Change> {
    let subjects = comparison.subjects.iter();
    subjects.flat_map(|subject| &subject.changes)
}

/// Whether anything is called different.
fn differs(comparison: &Comparison) -> bool {
    all(comparison).any(|change| matches!(change.word, Word::Worse | Word::Better))
}

/// A run of so many chats within so many seconds, of which some fail, with its verdict.
fn run(seconds: usize, passed: usize, failed: u64) -> RunRecord {
    let mut all = vec![Second::default(); seconds];
    for chat in 0..passed {
        all[chat % seconds].passed.push(0.5);
    }
    for chat in 0..failed {
        all[usize::try_from(chat).unwrap() % seconds].failed += 1;
    }
    let mut record = record(&all);
    if failed > 0 {
        record.report.verdict = Some(Verdict::Failed);
    }
    record
}
