//! Arrivals that are drawn: a Poisson process whose rate is that of a schedule.

use std::time::Duration;

use super::{
    Arrivals,
    segment::{CHAT, Parts},
};

/// When the chats of a schedule start that are drawn, one after the other.
///
/// Chat `i` is due once the schedule asks for more than the sum of the first `i + 1` gaps, each drawn from the exponential
/// distribution with mean one: a Poisson process mapped by its expected count has rate one (time rescaling; Daley and
/// Vere-Jones, An Introduction to the Theory of Point Processes, 2nd edition, theorem 7.4.I). So a schedule that changes
/// from some moment on leaves what was due before as it was.
#[derive(Debug, Clone)]
pub struct PoissonStarts {
    random: fastrand::Rng,
    /// The number of a chat, counted from zero.
    number: u64,
    /// It is due once more than this is.
    parts: Parts,
}

impl PoissonStarts {
    /// The same seed draws the same starts.
    pub fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let parts = gap(&mut random);
        Self {
            random,
            number: 0,
            parts,
        }
    }

    /// Begins anew at the first chat of a schedule, with gaps that were not drawn yet.
    pub fn begin(&mut self) {
        self.number = 0;
        self.parts = gap(&mut self.random);
    }

    /// Forgets the chats before this one: nobody asks for them any more.
    pub fn forget_before(&mut self, number: u64) {
        while self.number < number {
            self.pass();
        }
    }

    /// How many chats should have started by then; at least those that were forgotten.
    pub fn due_by(&self, schedule: &Arrivals, elapsed: Duration) -> u64 {
        let due = schedule.parts_due_by(elapsed);
        let mut ahead = self.clone();
        while ahead.parts < due {
            ahead.pass();
        }
        ahead.number
    }

    /// When the chat of this number is due; `None` if the schedule is over by then.
    pub fn intended_start(&self, schedule: &Arrivals, number: u64) -> Option<Duration> {
        let mut ahead = self.clone();
        ahead.forget_before(number);
        schedule.first_above(ahead.parts)
    }

    fn pass(&mut self) {
        self.number += 1;
        self.parts = self.parts.saturating_add(gap(&mut self.random));
    }
}

/// A gap with a mean of one chat.
fn gap(random: &mut fastrand::Rng) -> Parts {
    // Below one, so that its logarithm is finite.
    let gap = -(1.0 - random.f64()).ln();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "not negative, below 37 chats, and no more exact than a random number is"
    )]
    let parts = (gap * CHAT as f64) as Parts;
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        load::{Shape, testing::profile},
        units::Rate,
    };

    fn arrivals(text: &str) -> Arrivals {
        match profile(text).shape() {
            Shape::Arrivals(arrivals) => arrivals.clone(),
            Shape::Customers(_) => panic!("{text} is about customers"),
        }
    }

    /// Every start of a schedule, in seconds.
    fn starts(schedule: &Arrivals, seed: u64) -> Vec<f64> {
        let mut drawn = PoissonStarts::new(seed);
        let mut starts = Vec::new();
        while let Some(start) = drawn.intended_start(schedule, starts.len() as u64) {
            starts.push(start.as_secs_f64());
            drawn.forget_before(starts.len() as u64);
        }
        starts
    }

    /// How many starts lie in each stretch of this length, in seconds.
    fn counts(starts: &[f64], length: f64, stretches: usize) -> Vec<f64> {
        let mut counts = vec![0.0; stretches];
        for start in starts {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a small number"
            )]
            let at = (start / length) as usize;
            counts[at] += 1.0;
        }
        counts
    }

    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    fn variance(values: &[f64]) -> f64 {
        let middle = mean(values);
        let squares: Vec<_> = values.iter().map(|it| (it - middle).powi(2)).collect();
        mean(&squares)
    }

    #[test]
    fn counts_vary_as_much_as_their_mean_and_do_not_depend_on_those_before() {
        let schedule = arrivals("{ rate: 100/s, for: 1000s, arrivals: poisson }");
        let starts = starts(&schedule, 7);
        for (length, stretches) in [(0.1, 10_000), (1.0, 1_000)] {
            let counts = counts(&starts, length, stretches);
            let dispersion = variance(&counts) / mean(&counts);
            assert!((mean(&counts) / (100.0 * length) - 1.0).abs() < 0.02);
            assert!((dispersion - 1.0).abs() < 0.15, "{length}: {dispersion}");
            let middle = mean(&counts);
            let products: Vec<_> = { counts.windows(2) }
                .map(|pair| (pair[0] - middle) * (pair[1] - middle))
                .collect();
            let correlation = mean(&products) / variance(&counts);
            assert!(correlation.abs() < 0.1, "{length}: {correlation}");
        }
    }

    #[test]
    fn the_rate_of_the_stages_is_followed() {
        let stages = "{ stages: [ { for: 100s, from: 0/s, rate: 200/s }, { for: 100s, rate: 50/s } ], arrivals: poisson }";
        let counts = counts(&starts(&arrivals(stages), 3), 50.0, 4);
        for (found, expected) in counts.iter().zip([2_500.0, 7_500.0, 2_500.0, 2_500.0_f64]) {
            // Five standard deviations.
            assert!(
                (found - expected).abs() < 5.0 * expected.sqrt(),
                "{counts:?}"
            );
        }
    }

    #[test]
    fn a_seed_draws_the_same_starts_and_another_one_others() {
        let schedule = arrivals("{ rate: 20/s, for: 10s, arrivals: poisson }");
        assert_eq!(starts(&schedule, 1), starts(&schedule, 1));
        assert_ne!(starts(&schedule, 1), starts(&schedule, 2));
    }

    proptest! {
        #[test]
        fn what_is_due_and_when_it_is_due_agree_whatever_changes(
            seed in any::<u64>(),
            rates in prop::collection::vec((0_u32..400, 1_u64..3_000), 1..6),
        ) {
            let mut schedule = arrivals("{ rate: 50/s, for: 10s, arrivals: poisson }");
            let mut drawn = PoissonStarts::new(seed);
            let (mut now, mut next) = (Duration::ZERO, 0);
            for (rate, millis) in rates {
                let before = drawn.due_by(&schedule, now);
                schedule = schedule.with_rate(now, Rate::per_second(f64::from(rate)).unwrap()).unwrap();
                prop_assert_eq!(drawn.due_by(&schedule, now), before);
                now += Duration::from_millis(millis);
                let due = drawn.due_by(&schedule, now);
                prop_assert!(due >= before);
                while next < due {
                    let start = drawn.intended_start(&schedule, next).unwrap();
                    prop_assert!(start <= now);
                    next += 1;
                    drawn.forget_before(next);
                }
                let after = drawn.intended_start(&schedule, next);
                prop_assert!(after.is_none_or(|after| after > now));
            }
        }
    }
}
