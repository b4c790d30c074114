use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer};

use super::UnitError;

/// Starts per second; finite and above zero unless said otherwise at the place of use.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
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
        let count: f64 = count.trim().parse().map_err(|_| refused())?;
        Self::per_second(count / seconds).ok_or_else(refused)
    }
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
        for text in ["500", "500/d", "-1/s", "x/s", "inf/s", "NaN/s"] {
            assert_eq!(text.parse::<Rate>(), Err(UnitError::Rate(text.to_owned())));
        }
    }
}
