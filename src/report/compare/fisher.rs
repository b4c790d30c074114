//! Whether two shares differ, from their counts alone: Fisher's exact test.

use std::cmp::Ordering;

use statrs::function::factorial::ln_binomial;

use super::uncertainty::number;

/// Probabilities that differ by less are equal, as in R's `fisher.test`.
const TOLERANCE: f64 = 1e-7;
/// Terms of a tail that are summed one by one; what lies beyond is bounded from above. They reach for eight
/// standard deviations in tables of some 10^10 chats.
const MOST_TERMS: u32 = 1 << 18;
/// Terms that are as small a part of their sum are left out.
const NEGLIGIBLE: f64 = 1e-17;
/// In larger tables logarithms of factorials have not enough digits.
const MOST_CHATS: u64 = 1 << 40;

/// How many of a number of chats failed; never more than there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FailureCounts {
    pub(super) failed: u64,
    pub(super) of: u64,
}

impl FailureCounts {
    /// The share that failed, 0 to 1; none of nothing.
    pub(super) fn share(self) -> Option<f64> {
        (self.of > 0).then(|| number(self.failed) / number(self.of))
    }
}

/// The tables that have the same totals as the one that was seen, by how many of the first row failed.
struct Tables {
    /// Chats of the first row, of the second, and those that failed of both.
    first: u64,
    second: u64,
    failed: u64,
    seen: u64,
}

/// How probable a table as improbable as this one or more is where both shares are equal (two-sided, the sum
/// of small probabilities, as in R and `SciPy`). Between 0 and 1; 1 in tables of more than 10^12 chats.
pub(super) fn p(one: FailureCounts, other: FailureCounts) -> f64 {
    let Some(tables) = Tables::new(one, other) else {
        return 1.0;
    };
    tables.p().clamp(0.0, 1.0)
}

impl Tables {
    /// `None` if there are too many chats.
    fn new(one: FailureCounts, other: FailureCounts) -> Option<Self> {
        let all = one.of.checked_add(other.of)?;
        (all <= MOST_CHATS).then(|| Self {
            first: one.of,
            second: other.of,
            failed: one.failed + other.failed,
            seen: one.failed,
        })
    }

    fn least(&self) -> u64 {
        self.failed.saturating_sub(self.second)
    }

    fn most(&self) -> u64 {
        self.first.min(self.failed)
    }

    /// The most probable one.
    fn mode(&self) -> u64 {
        let (first, failed) = (u128::from(self.first), u128::from(self.failed));
        let all = first + u128::from(self.second);
        let mode = (first + 1) * (failed + 1) / (all + 2);
        // It is within the range, up to rounding of what is no number of chats.
        u64::try_from(mode)
            .unwrap_or(u64::MAX)
            .clamp(self.least(), self.most())
    }

    /// The logarithm of the probability of a table, up to a constant.
    fn log(&self, at: u64) -> f64 {
        ln_binomial(self.first, at) + ln_binomial(self.second, self.failed - at)
    }

    /// The same as a part of the probability of the table that was seen.
    fn relative_log(&self, at: u64) -> f64 {
        self.log(at) - self.log(self.seen)
    }

    fn p(&self) -> f64 {
        let mode = self.mode();
        let side = self.seen.cmp(&mode);
        if side.is_eq() || self.relative_log(mode) <= TOLERANCE {
            return 1.0;
        }
        let own = self.tail(self.seen, side);
        let other = self
            .mirrored(mode, side)
            .map_or(0.0, |at| self.tail(at, side.reverse()));
        let all = ln_binomial(self.first + self.second, self.failed);
        (self.log(self.seen) - all).exp() * (own + other)
    }

    /// On the other side of the mode, the first that is as improbable as the one that was seen.
    fn mirrored(&self, mode: u64, side: Ordering) -> Option<u64> {
        let (mut near, mut far) = match side {
            Ordering::Less => (mode, self.most()),
            _ => (mode, self.least()),
        };
        if self.relative_log(far) > TOLERANCE {
            return None;
        }
        // Probabilities fall from the mode on.
        while near.abs_diff(far) > 1 {
            let middle = near.midpoint(far);
            if self.relative_log(middle) > TOLERANCE {
                near = middle;
            } else {
                far = middle;
            }
        }
        Some(far)
    }

    /// The sum of the probabilities from here to the end, away from the mode, as parts of the one that was
    /// seen.
    fn tail(&self, from: u64, side: Ordering) -> f64 {
        let mut term = self.relative_log(from).exp();
        let (mut sum, mut at) = (term, from);
        for _ in 0..MOST_TERMS {
            let ratio = self.ratio(at, side);
            // The ratios fall as well, so that a geometric series bounds all that follows.
            let rest = term * ratio / (1.0 - ratio);
            if ratio <= 0.0 || rest <= sum * NEGLIGIBLE {
                return sum;
            }
            term *= ratio;
            sum += term;
            at = match side {
                Ordering::Less => at - 1,
                _ => at + 1,
            };
        }
        let ratio = self.ratio(at, side);
        sum + term * ratio / (1.0 - ratio)
    }

    /// The probability of the next one as a part of that of this one; nothing at the end of the range.
    fn ratio(&self, at: u64, side: Ordering) -> f64 {
        // Of the four cells, in the first row and in the second: failed, and passed.
        let failed = [at, self.failed - at].map(number);
        let passed = [self.first - at, self.second - (self.failed - at)].map(number);
        match side {
            Ordering::Less => (failed[0] * passed[1]) / ((passed[0] + 1.0) * (failed[1] + 1.0)),
            _ => (failed[1] * passed[0]) / ((passed[1] + 1.0) * (failed[0] + 1.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(failed: u64, of: u64) -> FailureCounts {
        FailureCounts { failed, of }
    }

    /// By the definition, for tables whose binomial coefficients a number can hold.
    fn defined(one: FailureCounts, other: FailureCounts) -> f64 {
        let choose = |from: u64, few: u64| {
            (0..few).fold(1.0, |all, at| all * number(from - at) / number(at + 1))
        };
        let failed = one.failed + other.failed;
        let probability = |at: u64| choose(one.of, at) * choose(other.of, failed - at);
        let range = failed.saturating_sub(other.of)..=one.of.min(failed);
        let seen = probability(one.failed) * (1.0 + TOLERANCE);
        let all: f64 = range.clone().map(probability).sum();
        let small = range.map(probability).filter(|chance| *chance <= seen);
        small.sum::<f64>() / all
    }

    #[test]
    fn the_values_are_those_of_r_and_scipy() {
        for (one, other, expected) in [
            // R, `?fisher.test`: the lady tasting tea, and the convictions of twins.
            (of(3, 4), of(1, 4), 0.485_714_285_714_286),
            (of(2, 12), of(15, 18), 0.000_536_724_119_143_2),
            // SciPy, `fisher_exact`: whales and sharks, and others computed with 1.17.
            (of(8, 10), of(1, 6), 0.034_965_034_965_035),
            (of(156, 200), of(0, 20), 1.648_301_477_445_87e-12),
            (of(44, 200), of(0, 20), 0.016_126_580_035_817),
            (of(0, 20), of(0, 20), 1.0),
            (of(5, 200), of(0, 200), 0.060_939_502_408_414),
            (of(50, 1_000), of(100, 1_000), 2.747_498_052_166_88e-5),
            (
                of(10_000, 1_000_000),
                of(10_300, 1_000_000),
                0.034_916_118_948_184,
            ),
            (
                of(400_000, 1_000_000),
                of(401_500, 1_000_000),
                0.030_545_237_934_905,
            ),
            (of(3, 5_000_000), of(20, 5_000_000), 0.000_488_274_494_306_8),
        ] {
            let found = p(one, other);
            assert!(
                (found / expected - 1.0).abs() < 1e-6,
                "{one:?} {other:?}: {found}, not {expected}"
            );
        }
    }

    #[test]
    fn the_table_at_the_other_end_counts_if_it_is_as_improbable() {
        for all in 1..40 {
            for failed in 1..=all {
                let (one, other) = (of(0, all), of(failed, all));
                let (found, defined) = (p(one, other), defined(one, other));
                let ratio = found / defined;
                assert!((ratio - 1.0).abs() < 1e-9, "{failed} of {all}: {ratio}");
            }
        }
    }

    #[test]
    fn tables_of_any_size_take_no_time() {
        let begun = tokio::time::Instant::now();
        let huge = MOST_CHATS / 2;
        for (one, other) in [
            (of(huge / 3, huge), of(huge / 3 + 1_000_000, huge)),
            (of(0, huge), of(huge, huge)),
            (of(0, u64::MAX), of(u64::MAX, u64::MAX)),
            (of(1, 10), of(huge / 2, huge)),
            (
                of(500_000_000, 1_000_000_000),
                of(500_050_000, 1_000_000_000),
            ),
        ] {
            let found = p(one, other);
            assert!((0.0..=1.0).contains(&found), "{one:?} {other:?}: {found}");
        }
        // Next to the most probable one nearly all are as improbable, and rounding is larger than what is missing to 1.
        for (one, other) in [
            (of(huge / 3, huge), of(huge / 3 + 3, huge)),
            (of(huge / 2, huge), of(huge / 2 + 5, huge)),
            (of(1_000_000, huge / 7), of(7_000_010, huge)),
        ] {
            let found = p(one, other);
            assert!((0.999..=1.0).contains(&found), "{one:?} {other:?}: {found}");
        }
        let more = huge + 1;
        assert!(p(of(0, more), of(more, more)) >= 1.0, "too many to tell");
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    }

    prop_compose! {
        fn counts(most: u64)(of in 0..most)(failed in 0..=of, of in Just(of)) -> FailureCounts {
            FailureCounts { failed, of }
        }
    }

    proptest! {
        #[test]
        fn it_is_the_sum_of_small_probabilities_whichever_comes_first(
            one in counts(40),
            other in counts(40),
        ) {
            let (found, swapped) = (p(one, other), p(other, one));
            prop_assert!((found - defined(one, other)).abs() < 1e-9, "{}", found);
            prop_assert!(found.total_cmp(&swapped).is_eq());
        }

        #[test]
        fn it_is_a_probability_and_what_fails_or_passes_is_the_same(
            one in counts(3_000_000),
            other in counts(3_000_000),
        ) {
            let found = p(one, other);
            prop_assert!((0.0..=1.0).contains(&found), "{}", found);
            let passed = |counts: FailureCounts| of(counts.of - counts.failed, counts.of);
            let swapped = p(other, one);
            prop_assert!(found.total_cmp(&swapped).is_eq(), "{} {}", found, swapped);
            let mirrored = p(passed(one), passed(other));
            prop_assert!((found - mirrored).abs() <= 1e-5 * found, "{} {}", found, mirrored);
        }
    }
}
