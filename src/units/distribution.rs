//! Durations that vary: how long people think, type and wait.

use std::time::Duration;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::duration;

/// A random duration, written as `5s`, `{ uniform: [3s, 8s] }`, `{ normal: [5s, 1s] }` or
/// `{ exponential: 5s }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// Always the same.
    Fixed(Duration),
    /// Anything from the first to the second, all equally likely. The first is not above the second.
    Uniform(Duration, Duration),
    /// The bell curve; what would fall below zero is zero.
    Normal {
        /// The middle of the curve.
        mean: Duration,
        /// The standard deviation.
        deviation: Duration,
    },
    /// Times between independent arrivals, with this mean.
    Exponential(Duration),
}

/// A distribution that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("uniform: the lower bound {low} is above the upper bound {high}; swap the two")]
pub struct BoundsSwapped {
    low: String,
    high: String,
}

impl Distribution {
    /// A uniform distribution from `low` to `high`.
    pub fn uniform(low: Duration, high: Duration) -> Result<Self, BoundsSwapped> {
        if low > high {
            return Err(BoundsSwapped {
                low: duration::format(low),
                high: duration::format(high),
            });
        }
        Ok(Self::Uniform(low, high))
    }

    /// Refuses what the public variants let through: a uniform range that runs backwards.
    pub fn validate(&self) -> Result<(), BoundsSwapped> {
        match *self {
            Self::Uniform(low, high) => Self::uniform(low, high).map(drop),
            Self::Fixed(_) | Self::Normal { .. } | Self::Exponential(_) => Ok(()),
        }
    }

    /// One draw; never negative. A fixed distribution leaves `rng` untouched.
    pub fn sample(&self, rng: &mut fastrand::Rng) -> Duration {
        match *self {
            Self::Fixed(duration) => duration,
            Self::Uniform(low, high) => {
                low.saturating_add(scaled(high.saturating_sub(low), rng.f64()))
            }
            Self::Normal { mean, deviation } => {
                // Box-Muller; 1 - f64() lies in (0, 1], so the logarithm is finite.
                let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
                let angle = std::f64::consts::TAU * rng.f64();
                let seconds = deviation
                    .as_secs_f64()
                    .mul_add(radius * angle.cos(), mean.as_secs_f64());
                Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
            }
            Self::Exponential(mean) => scaled(mean, -(1.0 - rng.f64()).ln()),
        }
    }
}

/// A product that saturates where `Duration::mul_f64` would panic; `factor` is not negative.
fn scaled(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

impl From<Duration> for Distribution {
    fn from(duration: Duration) -> Self {
        Self::Fixed(duration)
    }
}

impl Serialize for Distribution {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let pair = |one, other| [duration::format(one), duration::format(other)];
        let mut map = match self {
            Self::Fixed(fixed) => return duration::serialize(fixed, to),
            _ => to.serialize_map(Some(1))?,
        };
        match *self {
            Self::Fixed(_) => {}
            Self::Uniform(low, high) => map.serialize_entry("uniform", &pair(low, high))?,
            Self::Normal { mean, deviation } => {
                map.serialize_entry("normal", &pair(mean, deviation))?;
            }
            Self::Exponential(mean) => {
                map.serialize_entry("exponential", &duration::format(mean))?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(DistributionVisitor)
    }
}

struct DistributionVisitor;

/// A duration inside a distribution.
#[derive(Deserialize)]
struct DurationPart(#[serde(with = "duration")] Duration);

const SHAPES: &[&str] = &["uniform", "normal", "exponential"];

impl<'de> Visitor<'de> for DistributionVisitor {
    type Value = Distribution;

    fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(
            "a duration such as `5s`, `{ uniform: [3s, 8s] }`, `{ normal: [5s, 1s] }` or `{ exponential: 5s }`",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Distribution, E> {
        duration::parse(text)
            .map(Distribution::Fixed)
            .map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Distribution, A::Error> {
        let Some(shape) = map.next_key::<String>()? else {
            return Err(de::Error::invalid_length(0, &self));
        };
        let distribution = match shape.as_str() {
            "uniform" => {
                let (DurationPart(low), DurationPart(high)) = map.next_value()?;
                Distribution::uniform(low, high).map_err(de::Error::custom)?
            }
            "normal" => {
                let (DurationPart(mean), DurationPart(deviation)) = map.next_value()?;
                Distribution::Normal { mean, deviation }
            }
            "exponential" => Distribution::Exponential(map.next_value::<DurationPart>()?.0),
            other => return Err(de::Error::unknown_field(other, SHAPES)),
        };
        if map.next_key::<de::IgnoredAny>()?.is_some() {
            return Err(de::Error::custom(
                "a distribution has one shape only; remove the others",
            ));
        }
        Ok(distribution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn read(yaml: &str) -> Result<Distribution, String> {
        serde_yaml::from_str(yaml).map_err(|error| error.to_string())
    }

    fn mean_seconds(distribution: Distribution) -> f64 {
        let mut rng = fastrand::Rng::with_seed(7);
        let draws = 50_000;
        let total: f64 = (0..draws)
            .map(|_| distribution.sample(&mut rng).as_secs_f64())
            .sum();
        total / f64::from(draws)
    }

    fn assert_near(actual: f64, expected: f64) {
        assert!(
            (actual - expected).abs() < 0.02 * expected,
            "{actual} is not near {expected}"
        );
    }

    #[test]
    fn each_shape_has_the_mean_it_names() {
        assert_near(mean_seconds(Distribution::Fixed(5 * SECOND)), 5.0);
        assert_near(
            mean_seconds(Distribution::Uniform(3 * SECOND, 8 * SECOND)),
            5.5,
        );
        assert_near(
            mean_seconds(Distribution::Normal {
                mean: 5 * SECOND,
                deviation: SECOND,
            }),
            5.0,
        );
        assert_near(mean_seconds(Distribution::Exponential(5 * SECOND)), 5.0);
    }

    #[test]
    fn uniform_stays_within_its_bounds() {
        let mut rng = fastrand::Rng::with_seed(1);
        let uniform = Distribution::Uniform(3 * SECOND, 8 * SECOND);
        for _ in 0..10_000 {
            let draw = uniform.sample(&mut rng);
            assert!((3 * SECOND..=8 * SECOND).contains(&draw), "{draw:?}");
        }
    }

    #[test]
    fn normal_is_cut_off_at_zero_and_has_its_deviation() {
        let mut rng = fastrand::Rng::with_seed(1);
        let wide = Distribution::Normal {
            mean: SECOND,
            deviation: 10 * SECOND,
        };
        let zeros = (0..10_000)
            .filter(|_| wide.sample(&mut rng).is_zero())
            .count();
        assert!(
            (4_300..4_900).contains(&zeros),
            "46% of the curve lies below zero, saw {zeros}"
        );

        let narrow = Distribution::Normal {
            mean: 5 * SECOND,
            deviation: SECOND,
        };
        let within = (0..10_000)
            .filter(|_| (4 * SECOND..=6 * SECOND).contains(&narrow.sample(&mut rng)))
            .count();
        assert!(
            (6_650..7_000).contains(&within),
            "68% lie within one deviation, saw {within}"
        );
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let draw = || Distribution::Exponential(SECOND).sample(&mut fastrand::Rng::with_seed(42));
        assert_eq!(draw(), draw());
    }

    #[test]
    fn every_shape_is_read_and_written_back() {
        for (yaml, expected) in [
            ("5s", Distribution::Fixed(5 * SECOND)),
            (
                "{ uniform: [3s, 8s] }",
                Distribution::Uniform(3 * SECOND, 8 * SECOND),
            ),
            (
                "{ normal: [5s, 250ms] }",
                Distribution::Normal {
                    mean: 5 * SECOND,
                    deviation: SECOND / 4,
                },
            ),
            (
                "{ exponential: 1m }",
                Distribution::Exponential(60 * SECOND),
            ),
        ] {
            assert_eq!(read(yaml), Ok(expected));
            let json = serde_json::to_string(&expected).unwrap();
            assert_eq!(
                serde_json::from_str::<Distribution>(&json).unwrap(),
                expected,
                "{json}"
            );
            let yaml = serde_yaml::to_string(&expected).unwrap();
            assert_eq!(read(&yaml), Ok(expected));
        }
    }

    #[test]
    fn nonsense_is_refused_with_what_to_do() {
        for (yaml, says) in [
            ("{ uniform: [8s, 3s] }", "swap the two"),
            ("{ uniform: [8s] }", "invalid length"),
            ("{ gamma: 5s }", "unknown field `gamma`"),
            ("{ exponential: 5s, normal: [1s, 1s] }", "one shape only"),
            ("{}", "a duration such as `5s`"),
            ("5", "a duration such as `5s`"),
            ("-5s", "negative"),
        ] {
            let error = read(yaml).expect_err(yaml);
            assert!(error.contains(says), "{yaml}: {error}");
        }
    }

    #[test]
    fn a_backwards_range_built_in_code_is_found_by_validation() {
        assert!(
            Distribution::Uniform(2 * SECOND, SECOND)
                .validate()
                .is_err()
        );
        assert!(Distribution::Uniform(SECOND, SECOND).validate().is_ok());
    }
}
