use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer};

use super::UnitError;

/// Starts per second, at most; there are not as many moments in a second that a clock tells.
pub(super) const HIGHEST: f64 = 1e12;
/// The lowest above zero: one start in 30,000 years. Schedules count in 10⁻¹⁸ starts per second.
const LOWEST: f64 = 1e-12;

/// Starts per second; finite and above zero unless said otherwise at the place of use.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
    /// No start at all.
    pub const ZERO: Self = Self(0.0);

    /// A rate of so many a second; negative and endless rates do not exist.
    pub fn per_second(value: f64) -> Option<Self> {
        (value.is_finite() && value >= 0.0).then_some(Self(value))
    }

    /// Starts per second.
    pub fn as_per_second(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || UnitError::Rate(text.to_owned());
        let (count, unit) = text.split_once('/').ok_or_else(refused)?;
        let seconds = match unit.trim() {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(refused()),
        };
        let number = super::decimal(count.trim()).ok_or_else(refused)?;
        let rate = number / seconds;
        if number < 0.0 {
            return Err(UnitError::NegativeRate(text.to_owned()));
        }
        if rate > HIGHEST {
            return Err(UnitError::RateTooHigh(text.to_owned()));
        }
        // Also where the number is so small that it became zero.
        let is_some = count
            .split(['e', 'E'])
            .next()
            .is_some_and(has_digit_above_zero);
        if rate < LOWEST && is_some {
            return Err(UnitError::RateTooLow(text.to_owned()));
        }
        Self::per_second(rate).ok_or_else(refused)
    }
}

fn has_digit_above_zero(text: &str) -> bool {
    text.contains(|c: char| ('1'..='9').contains(&c))
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::from_text(deserializer, "a rate such as `500/s`", str::parse)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit_as_a_rate_per_second() {
        assert_eq!("500/s".parse(), Ok(Rate(500.0)));
        assert_eq!("30/m".parse(), Ok(Rate(0.5)));
        assert_eq!("36 / h".parse(), Ok(Rate(0.01)));
        for text in ["500", "500/d", "x/s", "inf/s", "NaN/s", "/s"] {
            assert_eq!(text.parse::<Rate>(), Err(UnitError::Rate(text.to_owned())));
        }
    }

    #[test]
    fn a_rate_that_is_none_is_told_from_a_text_that_is_none() {
        for text in ["0/s", "0.0/h", "1e-12/s", "1e12/s", "0e5/s"] {
            assert!(text.parse::<Rate>().is_ok(), "{text}");
        }
        for (text, error) in [
            ("-1/s", UnitError::NegativeRate as fn(String) -> UnitError),
            ("-1e400/s", UnitError::NegativeRate),
            ("1.1e12/s", UnitError::RateTooHigh),
            ("1e400/m", UnitError::RateTooHigh),
            ("1e-13/s", UnitError::RateTooLow),
            ("1e-400/s", UnitError::RateTooLow),
        ] {
            assert_eq!(text.parse::<Rate>(), Err(error(text.to_owned())));
        }
    }
}
