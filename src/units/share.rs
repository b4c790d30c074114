use std::{fmt, str::FromStr};

use super::UnitError;

/// A part of a whole, from 0 to 1; written as a percentage.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    /// The share as a number from 0 to 1.
    pub fn as_ratio(self) -> f64 {
        self.0
    }
}

impl FromStr for Share {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || UnitError::Share(text.to_owned());
        let percent: f64 = text
            .trim()
            .strip_suffix('%')
            .and_then(|number| number.trim().parse().ok())
            .ok_or_else(refused)?;
        if (0.0..=100.0).contains(&percent) {
            Ok(Self(percent / 100.0))
        } else {
            Err(refused())
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0 * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_of_the_whole() {
        assert_eq!("1%".parse(), Ok(Share(0.01)));
        assert_eq!("0.5 %".parse(), Ok(Share(0.005)));
        for text in ["1", "101%", "-1%", "%"] {
            assert_eq!(
                text.parse::<Share>(),
                Err(UnitError::Share(text.to_owned()))
            );
        }
    }
}
