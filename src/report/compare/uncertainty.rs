//! How far a difference of two figures may be due to chance: Welch's test, and that of one run against
//! several others.

use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

/// With so many degrees of freedom Student's distribution is the normal one to three digits.
const NORMAL: f64 = 1000.0;

/// How far a figure lies from what it would be over many such runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Deviation {
    pub(super) variance: f64,
    /// Degrees of freedom of the variance; infinite if it is known.
    pub(super) freedom: f64,
}

/// The variances of both sides of a difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Uncertainty {
    pub(super) before: f64,
    pub(super) after: f64,
    /// Degrees of freedom of their sum.
    freedom: f64,
}

/// How much several runs differ from each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BetweenRuns {
    /// The variance of their mean, or of the share over all of them.
    pub(super) of_mean: f64,
    pub(super) runs: f64,
    /// How many times as much is measured in one of them as in the run that is held against them.
    pub(super) size_ratio: f64,
}

impl BetweenRuns {
    /// The variance of the run that is held against them.
    fn of_one(self) -> f64 {
        self.of_mean * self.runs * self.size_ratio.max(1.0)
    }
}

impl Deviation {
    /// Of a share of independent chats, with a failure and a success more: else nothing failed would be
    /// certain.
    pub(super) fn of_independent(failed: f64, of: f64) -> Self {
        let share = smoothed(failed, of);
        Self {
            variance: share * (1.0 - share) / of.max(1.0),
            freedom: f64::INFINITY,
        }
    }
}

/// A share that is neither nothing nor everything.
pub(super) fn smoothed(failed: f64, of: f64) -> f64 {
    (failed + 1.0) / (of + 2.0)
}

impl Uncertainty {
    /// What varies within the runs: those before with their weights, and the one after. Degrees of freedom
    /// are Welch's, by Satterthwaite.
    pub(super) fn within(before: &[(f64, Deviation)], after: Deviation) -> Self {
        let weighted = before.iter().map(|(weight, deviation)| Deviation {
            variance: weight * weight * deviation.variance,
            ..*deviation
        });
        let variance: f64 = weighted.clone().map(|part| part.variance).sum();
        let parts = weighted.chain([after]);
        let known: f64 = parts
            .map(|part| part.variance * part.variance / part.freedom)
            .sum();
        Self {
            before: variance,
            after: after.variance,
            freedom: (variance + after.variance).powi(2) / known,
        }
    }

    /// What varies from run to run besides. The run after is one more of those before if nothing changed
    /// (Crawford and Howell, 1998); if less was measured in it, it may vary more. `within` is a lower bound. Degrees of
    /// freedom are those of the runs even where it is the larger one: few runs may happen to agree.
    pub(super) fn between(runs: BetweenRuns, within: Option<&Self>) -> Self {
        let least = |of: fn(&Self) -> f64| within.map_or(0.0, of);
        Self {
            before: runs.of_mean.max(least(|within| within.before)),
            after: runs.of_one().max(least(|within| within.after)),
            freedom: runs.runs - 1.0,
        }
    }

    /// The same of shares: chats that fail by chance alone vary by `within` and no less, and many a target fails none.
    /// Degrees of freedom are those of the larger variance of each side, put together as Satterthwaite does.
    pub(super) fn between_shares(runs: BetweenRuns, within: &Self) -> Self {
        let larger = Self::between(runs, Some(within));
        let parts = [(runs.of_mean, larger.before), (runs.of_one(), larger.after)];
        let from_runs = parts.iter().filter(|(between, larger)| between >= larger);
        let from_runs: f64 = from_runs.map(|(_, larger)| larger).sum();
        let all = larger.before + larger.after;
        let known = from_runs.powi(2) / larger.freedom + (all - from_runs).powi(2) / within.freedom;
        Self {
            freedom: all.powi(2) / known,
            ..larger
        }
    }

    /// How probable as large a difference is by chance, in either direction.
    pub(super) fn p(&self, difference: f64) -> f64 {
        p(difference.abs() / self.deviation(), self.freedom)
    }

    /// How large a difference is by chance with this probability.
    pub(super) fn reach(&self, error: f64) -> f64 {
        self.quantile(error) * self.deviation()
    }

    /// The same in standard deviations.
    pub(super) fn quantile(&self, error: f64) -> f64 {
        quantile(error, self.freedom)
    }

    fn deviation(&self) -> f64 {
        (self.before + self.after).sqrt()
    }
}

/// How probable it is to be so many deviations away from the mean, in either direction.
fn p(deviations: f64, freedom: f64) -> f64 {
    // What is not a number proves nothing.
    if deviations.is_nan() || freedom.is_nan() {
        return 1.0;
    }
    let student = (freedom < NORMAL).then(|| StudentsT::new(0.0, 1.0, freedom));
    let one_sided = match student {
        Some(Ok(student)) => student.sf(deviations),
        Some(Err(_)) => 0.5,
        None => Normal::standard().sf(deviations),
    };
    (2.0 * one_sided).clamp(0.0, 1.0)
}

/// So many deviations away it is as probable to be.
fn quantile(error: f64, freedom: f64) -> f64 {
    if freedom.is_nan() {
        return f64::INFINITY;
    }
    let student = (freedom < NORMAL).then(|| StudentsT::new(0.0, 1.0, freedom));
    let below = match student {
        Some(Ok(student)) => student.inverse_cdf(error / 2.0),
        Some(Err(_)) => f64::NEG_INFINITY,
        None => Normal::standard().inverse_cdf(error / 2.0),
    };
    -below
}

#[expect(clippy::cast_precision_loss, reason = "statistics need no more digits")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "runs, batches, and draws are few"
)]
pub(super) fn whole(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_probabilities_are_those_of_scipy() {
        // `2 * scipy.stats.t.sf(deviations, freedom)`.
        for (deviations, freedom, expected) in [
            (1.0, 1.0, 5.000_000_00e-1),
            (12.706, 1.0, 5.000_080_24e-2),
            (1273.2, 1.0, 5.000_154_27e-4),
            (2.0, 4.0, 1.161_165_24e-1),
            (2.5, 7.0, 4.099_221_86e-2),
            (4.0, 14.3, 1.265_420_67e-3),
            (8.0, 7.0, 9.114_921_17e-5),
            (3.0, 999.0, 2.766_776_46e-3),
            (1.96, f64::INFINITY, 4.999_579_03e-2),
        ] {
            let found = p(deviations, freedom);
            assert!(
                (found / expected - 1.0).abs() < 1e-6,
                "{deviations} {freedom}: {found}"
            );
        }
    }

    #[test]
    fn what_is_no_number_proves_nothing() {
        for freedom in [4.0, f64::INFINITY] {
            assert!(p(f64::NAN, freedom) >= 1.0);
            assert!(p(f64::INFINITY, freedom) <= 0.0);
        }
        for freedom in [f64::NAN, 0.0] {
            assert!(p(1.0, freedom) >= 1.0);
            assert!(quantile(0.05, freedom).is_infinite());
        }
    }

    #[test]
    fn where_nothing_failed_a_share_varies_as_if_one_chat_had() {
        // 1 of 100.
        let found = Deviation::of_independent(0.0, 98.0).variance;
        assert!((found - 0.01 * 0.99 / 98.0).abs() < 1e-12, "{found}");
    }

    #[test]
    fn a_quantile_is_as_probable_as_was_asked_however_few_degrees_of_freedom_there_are() {
        for freedom in [
            1.0,
            1.5,
            2.0,
            4.0,
            7.0,
            14.3,
            100.0,
            999.0,
            1001.0,
            f64::INFINITY,
        ] {
            for error in [0.5, 0.05, 0.01, 0.001, 0.000_05, 0.000_001] {
                let found = p(quantile(error, freedom), freedom);
                assert!(
                    (found / error - 1.0).abs() < 1e-4,
                    "{freedom} {error}: {found}"
                );
            }
        }
    }

    #[test]
    fn welch_has_fewer_degrees_of_freedom_the_more_one_side_varies() {
        let of = |variance: f64| Deviation {
            variance,
            freedom: 7.0,
        };
        let freedom = |before, after| Uncertainty::within(&[(1.0, before)], after).freedom;
        assert!((freedom(of(1.0), of(1.0)) - 14.0).abs() < 1e-9);
        assert!((freedom(of(1.0), of(1e-9)) - 7.0).abs() < 1e-6);
        let known = Deviation::of_independent(10.0, 100.0);
        assert!(freedom(known, known).is_infinite());
        // Two runs together vary half as much as one.
        let two = Uncertainty::within(&[(0.5, of(1.0)), (0.5, of(1.0))], of(1.0));
        assert!((two.before - 0.5).abs() < 1e-9 && two.freedom > 14.0);
    }

    #[test]
    fn one_run_is_held_against_several_as_one_more_of_them() {
        // Crawford and Howell: t = (after - mean) / (s sqrt((n + 1) / n)) with n - 1 degrees of freedom.
        let runs = BetweenRuns {
            of_mean: 4.0 / 5.0,
            runs: 5.0,
            size_ratio: 1.0,
        };
        let found = Uncertainty::between(runs, None);
        let t = 6.0 / (2.0 * (6.0_f64 / 5.0).sqrt());
        assert!((found.p(6.0) - p(t, 4.0)).abs() < 1e-12);
        let shorter = BetweenRuns {
            size_ratio: 3.0,
            ..runs
        };
        assert!((Uncertainty::between(shorter, None).after - 12.0).abs() < 1e-9);
        let within = Uncertainty {
            before: 1.0,
            after: 20.0,
            freedom: 14.0,
        };
        let bounded = Uncertainty::between(runs, Some(&within));
        assert!((bounded.before - 1.0).abs() < 1e-9 && (bounded.after - 20.0).abs() < 1e-9);
        assert!((bounded.freedom - 4.0).abs() < 1e-9 && (found.freedom - 4.0).abs() < 1e-9);
    }

    #[test]
    fn shares_of_runs_that_agree_are_known_as_well_as_what_varies_within() {
        let runs = BetweenRuns {
            of_mean: 4.0 / 5.0,
            runs: 5.0,
            size_ratio: 1.0,
        };
        let freedom = |before: f64, after: f64| {
            let within = Uncertainty {
                before,
                after,
                freedom: 14.0,
            };
            let found = Uncertainty::between_shares(runs, &within);
            let latencies = Uncertainty::between(runs, Some(&within));
            assert!((found.before - latencies.before).abs() < 1e-12);
            assert!((found.after - latencies.after).abs() < 1e-12);
            found.freedom
        };
        assert!((freedom(1.0, 20.0) - 14.0).abs() < 1e-9);
        assert!((freedom(0.5, 2.0) - 4.0).abs() < 1e-9);
        let mixed = freedom(0.5, 20.0);
        let expected = 20.8_f64.powi(2) / (0.8_f64.powi(2) / 4.0 + 20.0_f64.powi(2) / 14.0);
        assert!((mixed - expected).abs() < 1e-9, "{mixed}");
    }
}
