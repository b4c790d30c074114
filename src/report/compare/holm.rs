//! Many tests at once: Holm's method (A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian
//! Journal of Statistics 6, 1979), which finds all that Bonferroni's does, and more.

use super::uncertainty::whole;

/// The tests of a comparison.
#[derive(Debug, Clone)]
pub(super) struct Holm {
    /// The probabilities of all tests, ascending.
    sorted: Vec<f64>,
    /// The same adjusted: those that are not above the error are found.
    adjusted: Vec<f64>,
    error: f64,
    part: f64,
}

impl Holm {
    /// All tests together find anything where there is nothing with a probability of at most this part of `error`,
    /// above 0 and up to 1; the rest is left to other tests. What is adjusted is held against all of `error`.
    pub(super) fn new(tests: impl Iterator<Item = f64>, error: f64, part: f64) -> Self {
        let mut sorted: Vec<_> = tests.collect();
        sorted.sort_by(f64::total_cmp);
        let left = (1..=sorted.len()).rev().map(whole);
        let adjusted = sorted.iter().zip(left).scan(0.0, |most, (p, left)| {
            *most = f64::max(*most, (p * left / part).min(1.0));
            Some(*most)
        });
        Self {
            adjusted: adjusted.collect(),
            sorted,
            error,
            part,
        }
    }

    /// What the probability of one of the tests is in view of all the others.
    pub(super) fn adjusted(&self, p: f64) -> f64 {
        self.adjusted.get(self.rank(p)).copied().unwrap_or(1.0)
    }

    /// Whether the test with this probability is one that finds something.
    pub(super) fn finds(&self, p: f64) -> bool {
        self.adjusted(p) <= self.error
    }

    /// What a probability was held against.
    pub(super) fn level(&self, p: f64) -> f64 {
        let found = self
            .adjusted
            .partition_point(|adjusted| *adjusted <= self.error);
        let before = self.rank(p).min(found);
        self.error * self.part / whole((self.sorted.len() - before).max(1))
    }

    /// How many are smaller.
    fn rank(&self, p: f64) -> usize {
        self.sorted.partition_point(|other| *other < p)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn probabilities_are_adjusted_as_in_r() {
        // p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
        let given = [0.01, 0.04, 0.03, 0.005];
        let tests = Holm::new(given.into_iter(), 0.05, 1.0);
        for (p, adjusted, level) in [
            (0.005, 0.02, 0.05 / 4.0),
            (0.01, 0.03, 0.05 / 3.0),
            (0.03, 0.06, 0.05 / 2.0),
            (0.04, 0.06, 0.05 / 2.0),
        ] {
            assert!((tests.adjusted(p) - adjusted).abs() < 1e-12, "{p}");
            assert!((tests.level(p) - level).abs() < 1e-12, "{p}");
            assert_eq!(tests.finds(p), adjusted <= 0.05, "{p}");
        }
        assert!((Holm::new(std::iter::empty(), 0.05, 1.0).level(1.0) - 0.05).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn what_is_found_is_below_its_level_and_what_is_not_is_above_it(
            given in prop::collection::vec(0.0_f64..0.2, 1..30),
            part in 0.1_f64..1.0,
        ) {
            let tests = Holm::new(given.iter().copied(), 0.05, part);
            for p in given.iter().copied() {
                prop_assert_eq!(tests.finds(p), p <= tests.level(p) * (1.0 + 1e-12));
                prop_assert!((p..=1.0).contains(&tests.adjusted(p)));
                // Bonferroni finds no more.
                prop_assert!(tests.finds(p) || p * whole(given.len()) > 0.05 * part);
            }
        }
    }
}
