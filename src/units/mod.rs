//! Quantities that people write in configuration: durations, rates, shares of a whole, sizes.

mod count;
mod distribution;
pub mod duration;
mod rate;
pub mod seed;
mod share;
mod size;

pub use count::counted;
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
    /// A rate below zero.
    #[error("`{0}` is negative; a rate is zero or more")]
    NegativeRate(String),
    /// More starts than any machine makes.
    #[error("`{0}` is too high a rate; the highest is {highest}/s", highest = rate::HIGHEST)]
    RateTooHigh(String),
    /// So few starts that they cannot be told from none.
    #[error("`{0}` is too low a rate to be told from none; write `0/s` for none")]
    RateTooLow(String),
    /// A share below nothing or above everything.
    #[error("`{0}` is not between 0% and 100%, as every share is")]
    ShareBeyond(String),
    /// Not a share of a whole.
    #[error("`{0}` is not a share; write for instance `1%` or `0.5%`")]
    Share(String),
    /// Not a number of bytes.
    #[error("`{0}` is not a size; write for instance `500kB` or `4MiB`")]
    Size(String),
}

/// A number in digits, infinite if it is too large: not the words that Rust takes besides.
fn decimal(text: &str) -> Option<f64> {
    let in_digits = text
        .chars()
        .all(|c| c.is_ascii_digit() || ".eE+-".contains(c));
    text.parse().ok().filter(|_| in_digits)
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
