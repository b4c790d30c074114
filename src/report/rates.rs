//! Rates of a run second by second.

use std::sync::Arc;

use crate::runner::Sample;

/// A second that is shorter than this, in seconds, has the rate of itself and its neighbour together: alone it would
/// spike with every chat. The last second of a run is nearly always short.
const LEAST: f64 = 0.5;

/// How often something happened per second, in each second of a run; `None` where its count is not known. The sum of
/// each of these times the length of its second is the sum of the known counts.
pub(super) fn rates(
    samples: &[Arc<Sample>],
    count: impl Fn(&Sample) -> Option<u64>,
) -> Vec<Option<f64>> {
    let mut rates = Vec::with_capacity(samples.len());
    for joined in joined(samples) {
        let seconds: f64 = joined.iter().map(|sample| sample.seconds).sum();
        let known = joined.iter().filter_map(|sample| count(sample));
        let is_known = known.clone().next().is_some() && seconds > 0.0;
        let rate = is_known.then(|| number(known.sum()) / seconds);
        rates.extend(joined.iter().map(|_| rate));
    }
    rates
}

/// The samples in pieces that are long enough for a rate, unless all of them together are not.
fn joined(samples: &[Arc<Sample>]) -> Vec<&[Arc<Sample>]> {
    let mut ends = Vec::new();
    let mut seconds = 0.0;
    for (at, sample) in samples.iter().enumerate() {
        seconds += sample.seconds;
        if seconds >= LEAST {
            ends.push(at + 1);
            seconds = 0.0;
        }
    }
    // What is left over belongs to the last piece.
    ends.pop();
    ends.push(samples.len());
    let begins = [0].into_iter().chain(ends.iter().copied());
    let pieces = begins.zip(&ends).map(|(begin, end)| &samples[begin..*end]);
    pieces.filter(|piece| !piece.is_empty()).collect()
}

/// The mean of a value over time, each second counting by its length; `None` where nothing is known.
pub(super) fn mean_over_time(
    samples: &[Arc<Sample>],
    values: impl Iterator<Item = Option<f64>>,
) -> Option<f64> {
    let known = samples
        .iter()
        .zip(values)
        .filter_map(|(sample, value)| Some((value?, sample.seconds)));
    let (sum, seconds) = known.fold((0.0, 0.0), |(sum, seconds), (value, length)| {
        (sum + value * length, seconds + length)
    });
    (seconds > 0.0).then(|| sum / seconds)
}

#[expect(clippy::cast_precision_loss, reason = "a drawing needs no more digits")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn samples(seconds: &[(f64, Option<u64>)]) -> Vec<Arc<Sample>> {
        let mut at = 0.0;
        let samples = seconds.iter().map(|(seconds, due)| {
            at += seconds;
            Arc::new(Sample {
                at,
                seconds: *seconds,
                due: *due,
                ..Sample::default()
            })
        });
        samples.collect()
    }

    fn of(seconds: &[(f64, Option<u64>)]) -> Vec<Option<f64>> {
        rates(&samples(seconds), |sample| sample.due)
    }

    #[test]
    fn the_rest_of_a_second_has_the_rate_of_the_second_before_it_too() {
        let run = [(1.0, Some(10)), (1.0, Some(10)), (0.001, Some(2))];
        let joined = 12.0 / 1.001;
        assert_eq!(of(&run), [Some(10.0), Some(joined), Some(joined)]);
        assert_eq!(of(&[(0.25, Some(1))]), [Some(4.0)]);
        assert_eq!(of(&[(0.25, Some(1)), (0.75, Some(2))]), [Some(3.0); 2]);
        assert_eq!(of(&[(1.0, None), (0.5, Some(3))]), [None, Some(6.0)]);
        assert_eq!(of(&[]), []);
    }

    proptest! {
        #[test]
        fn rates_times_their_seconds_are_what_there_was_and_none_spikes(
            seconds in prop::collection::vec((0.000_1_f64..1.5, prop::option::weighted(0.9, 0_u64..1_000)), 0..60),
        ) {
            let samples = samples(&seconds);
            let rates = rates(&samples, |sample| sample.due);
            prop_assert_eq!(rates.len(), samples.len());
            let pairs = samples.iter().zip(&rates);
            let sum: f64 = pairs.map(|(sample, rate)| rate.unwrap_or_default() * sample.seconds).sum();
            let counted: u64 = samples.iter().filter_map(|sample| sample.due).sum();
            prop_assert!((sum - number(counted)).abs() < 1e-6 * (1.0 + number(counted)), "{} {}", sum, counted);
            let whole: f64 = samples.iter().map(|sample| sample.seconds).sum();
            if whole >= LEAST {
                // No more than what happened around it, within half a second.
                for (sample, rate) in samples.iter().zip(&rates) {
                    let near = samples.iter().filter(|other| (other.at - sample.at).abs() <= 2.5);
                    let near: u64 = near.filter_map(|sample| sample.due).sum();
                    prop_assert!(rate.unwrap_or_default() <= number(near) / LEAST);
                }
            }
            let mean = mean_over_time(&samples, rates.iter().copied());
            if seconds.iter().all(|(_, due)| due.is_some()) && whole > 0.0 {
                prop_assert!((mean.unwrap() * whole - number(counted)).abs() < 1e-6 * (1.0 + number(counted)));
            }
        }
    }
}
