use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::UnitError;

/// A part of a whole, from 0 to 1; written as a percentage.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, PartialOrd)]
#[serde(try_from = "String")]
pub struct Share {
    /// As it was written, from 0 to 100: a ratio times 100 would show 7% as 7.000000000000001%.
    percent: f64,
}

impl Share {
    /// So many of a hundred, 100 at the most.
    pub fn percent(percent: u8) -> Self {
        Self {
            percent: f64::from(percent.min(100)),
        }
    }

    /// The share as a number from 0 to 1.
    pub fn as_ratio(self) -> f64 {
        self.percent / 100.0
    }
}

impl FromStr for Share {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || UnitError::Share(text.to_owned());
        let percent: f64 = text
            .trim()
            .strip_suffix('%')
            .and_then(|number| super::decimal(number.trim()))
            .ok_or_else(refused)?;
        if (0.0..=100.0).contains(&percent) {
            Ok(Self { percent })
        } else {
            Err(UnitError::ShareBeyond(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Share {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_of_the_whole() {
        assert_eq!("1%".parse(), Ok(Share { percent: 1.0 }));
        assert_eq!("0.5 %".parse(), Ok(Share { percent: 0.5 }));
        for text in ["1", "%", "inf%", "NaN%"] {
            assert_eq!(
                text.parse::<Share>(),
                Err(UnitError::Share(text.to_owned()))
            );
        }
        for text in ["101%", "-1%", "1e400%"] {
            assert_eq!(
                text.parse::<Share>(),
                Err(UnitError::ShareBeyond(text.to_owned()))
            );
        }
    }

    #[test]
    fn a_share_is_shown_as_it_was_written() {
        for text in ["0%", "0.7%", "7%", "57%", "99.9%", "100%"] {
            assert_eq!(
                text.parse::<Share>().map(|share| share.to_string()),
                Ok(text.to_owned())
            );
        }
    }
}
