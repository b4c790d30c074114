use std::{fmt, str::FromStr};

use super::UnitError;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// The longest first: `MiB` ends with `B` too.
const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Size {
    /// A size of so many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = UnitError;

    /// `10MiB`, `500 kB`, or bytes without a unit.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || UnitError::Size(text.to_owned());
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, bytes)| Some((text.strip_suffix(name)?, *bytes)))
            .unwrap_or((text, 1));
        let number = number.trim_end();
        // A size has no sign.
        if !number.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(refused());
        }
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(unit).map(Self).ok_or_else(refused);
        }
        let part: f64 = number.parse().map_err(|_| refused())?;
        #[expect(clippy::cast_precision_loss, reason = "units are far below 2^52")]
        let bytes = part * unit as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at least zero, and below 2^53"
        )]
        (bytes.fract() == 0.0 && bytes < 9e15)
            .then_some(Self(bytes as u64))
            .ok_or_else(refused)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, bytes): &&(&str, u64)| self.0 >= *bytes && self.0.is_multiple_of(*bytes);
        let (name, bytes) = UNITS.iter().find(whole).unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit_or_is_in_bytes() {
        for (text, bytes) in [
            ("300", 300),
            ("300B", 300),
            ("500 kB", 500_000),
            ("1MiB", 1 << 20),
            ("1.5MiB", 3 << 19),
            ("2GB", 2_000_000_000),
            ("1GiB", 1 << 30),
            ("0", 0),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in [
            "",
            "MiB",
            "-1",
            "+1",
            "1mib",
            "1M",
            "0.3B",
            "1 TB",
            "x",
            "99999999999999GiB",
            "1e400",
            "inf",
        ] {
            assert_eq!(text.parse::<Size>(), Err(UnitError::Size(text.to_owned())));
        }
    }

    #[test]
    fn a_size_is_shown_in_its_largest_whole_unit() {
        for text in ["1MiB", "1025B", "1GiB", "3MB", "1500kB", "0B"] {
            let size: Size = text.parse().unwrap();
            assert_eq!(size.to_string(), text);
        }
    }
}
