//! Intervals of shares and of their difference that stay where shares are.

/// A share and of how many independent chats it would be as certain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SampledShare {
    /// From 0 to 1.
    pub(super) share: f64,
    /// Fewer than there are if they depend on each other (Korn and Graubard, 1998).
    pub(super) size: f64,
}

impl SampledShare {
    /// Wilson's score interval, `quantile` deviations wide to both sides.
    fn interval(self, quantile: f64) -> [f64; 2] {
        let square = quantile * quantile;
        let Self { share, size } = self;
        if size <= 0.0 || !square.is_finite() {
            return [0.0, 1.0];
        }
        let width = quantile * (share * (1.0 - share) / size + square / (4.0 * size * size)).sqrt();
        let middle = share + square / (2.0 * size);
        let scale = 1.0 + square / size;
        let ends = [(middle - width) / scale, (middle + width) / scale];
        // Rounding must not exclude the share itself.
        [ends[0].clamp(0.0, share), ends[1].clamp(share, 1.0)]
    }
}

/// The interval of `after` less `before`, from -1 to 1: Newcombe's hybrid score interval (Interval Estimation for
/// the Difference Between Independent Proportions, Statistics in Medicine 17, 1998, method 10).
pub(super) fn difference(before: SampledShare, after: SampledShare, quantile: f64) -> [f64; 2] {
    let ([before_low, before_high], [after_low, after_high]) =
        (before.interval(quantile), after.interval(quantile));
    let difference = after.share - before.share;
    let down = (after.share - after_low).hypot(before_high - before.share);
    let up = (after_high - after.share).hypot(before.share - before_low);
    [(difference - down).max(-1.0), (difference + up).min(1.0)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn share(failed: f64, of: f64) -> SampledShare {
        SampledShare {
            share: failed / of,
            size: of,
        }
    }

    #[test]
    fn the_intervals_are_those_that_newcombe_published() {
        // Table II, method 10, a to h.
        for (one, other, [from, to]) in [
            (share(56.0, 70.0), share(48.0, 80.0), [0.0524, 0.3339]),
            (share(9.0, 10.0), share(3.0, 10.0), [0.1705, 0.8090]),
            (share(6.0, 7.0), share(2.0, 7.0), [0.0582, 0.8062]),
            (share(5.0, 56.0), share(0.0, 29.0), [-0.0381, 0.1926]),
            (share(0.0, 10.0), share(0.0, 20.0), [-0.1611, 0.2775]),
            (share(0.0, 10.0), share(0.0, 10.0), [-0.2775, 0.2775]),
            (share(10.0, 10.0), share(0.0, 20.0), [0.6791, 1.0]),
            (share(10.0, 10.0), share(0.0, 10.0), [0.6075, 1.0]),
        ] {
            let found = difference(other, one, 1.959_964);
            assert!(
                (found[0] - from).abs() < 6e-5 && (found[1] - to).abs() < 6e-5,
                "{one:?} {other:?}: {found:?}"
            );
        }
    }

    #[test]
    fn of_nothing_that_is_known_a_share_may_be_any() {
        let half = |size: f64| SampledShare { share: 0.5, size };
        for interval in [half(0.0).interval(2.0), half(9.0).interval(f64::INFINITY)] {
            assert!(interval[0] <= 0.0 && interval[1] >= 1.0, "{interval:?}");
        }
    }

    proptest! {
        #[test]
        fn an_interval_holds_the_share_whatever_is_rounded(
            part in 0_u32..=20,
            size in 0.5_f64..1000.0,
            quantile in 0.5_f64..50.0,
        ) {
            let share = f64::from(part) / 20.0;
            let [from, to] = SampledShare { share, size }.interval(quantile);
            prop_assert!((0.0..=share).contains(&from), "{}", from);
            prop_assert!((share..=1.0).contains(&to), "{}", to);
        }

        #[test]
        fn an_interval_holds_the_difference_stays_within_bounds_and_follows_a_swap(
            one in (0_u32..500, 1_u32..500),
            other in (0_u32..500, 1_u32..500),
            quantile in 0.5_f64..1000.0,
        ) {
            let [one, other] = [one, other].map(|(failed, passed)| {
                share(f64::from(failed), f64::from(failed + passed))
            });
            let [from, to] = difference(one, other, quantile);
            prop_assert!((-1.0..=1.0).contains(&from) && (-1.0..=1.0).contains(&to));
            let between = other.share - one.share;
            prop_assert!(from <= between && between <= to, "{} {} {}", from, between, to);
            let swapped = difference(other, one, quantile);
            prop_assert!((swapped[0] + to).abs() < 1e-9 && (swapped[1] + from).abs() < 1e-9);
        }
    }
}
