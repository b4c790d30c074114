//! Quantities that people write in configuration: durations, rates, shares of a whole, sizes.

mod distribution;
pub mod duration;
mod rate;
pub mod seed;
mod share;
mod size;

pub use distribution::{BoundsSwapped, Distribution};
pub use rate::Rate;
pub use share::Share;
pub use size::Size;

/// A quantity that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a duration.
    #[error("`{0}` is not a duration; write for instance `250ms`, `5s` or `1m30s`")]
    Duration(String),
    /// A duration that no clock could wait for.
    #[error("`{0}` is longer than a hundred years")]
    EndlessDuration(String),
    /// A duration below zero.
    #[error("`{0}` is negative; a duration is zero or more")]
    NegativeDuration(String),
    /// Not an arrival rate.
    #[error("`{0}` is not a rate; write for instance `500/s`, `30/m` or `10/h`")]
    Rate(String),
    /// Not a share of a whole.
    #[error("`{0}` is not a share; write for instance `1%` or `0.5%`")]
    Share(String),
    /// Not a number of bytes.
    #[error("`{0}` is not a size; write for instance `500kB` or `4MiB`")]
    Size(String),
}

/// Reads a quantity that is written as text; what is no text is told what was `wanted`.
fn from_text<'de, T, D: serde::Deserializer<'de>>(
    deserializer: D,
    wanted: &'static str,
    parse: fn(&str) -> Result<T, UnitError>,
) -> Result<T, D::Error> {
    struct Text<T> {
        wanted: &'static str,
        parse: fn(&str) -> Result<T, UnitError>,
    }

    impl<T> serde::de::Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            to.write_str(self.wanted)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            (self.parse)(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Text { wanted, parse })
}
