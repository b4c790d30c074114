//! Durations as people write them: `250ms`, `5s`, `1m30s`, `2h`. Use the module itself with
//! `#[serde(with = "crate::units::duration")]`.

use std::time::Duration;

use jiff::fmt::friendly::{Designator, Spacing, SpanParser, SpanPrinter};
use serde::{Deserializer, Serializer};

use super::UnitError;

/// Beyond this, sums of points in time and durations could overflow.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

static PARSER: SpanParser = SpanParser::new();
static PRINTER: SpanPrinter = SpanPrinter::new()
    .designator(Designator::Compact)
    .spacing(Spacing::None);

/// Reads a duration in jiff's "friendly" format, of which ours is the part without a sign.
pub fn parse(text: &str) -> Result<Duration, UnitError> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err(UnitError::NegativeDuration(text.to_owned()));
    }
    let duration = PARSER.parse_unsigned_duration(text).map_err(|_| {
        if is_endless(text) {
            UnitError::EndlessDuration(text.to_owned())
        } else {
            UnitError::Duration(text.to_owned())
        }
    })?;
    if duration > LONGEST {
        return Err(UnitError::EndlessDuration(text.to_owned()));
    }
    Ok(duration)
}

/// Whether this would be a duration if its numbers had fewer digits.
fn is_endless(text: &str) -> bool {
    let mut digits = 0;
    let mut shortened = text.to_owned();
    shortened.retain(|c| {
        digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
        digits < 9
    });
    shortened != text && PARSER.parse_unsigned_duration(&shortened).is_ok()
}

/// Writes a duration so that [`parse`] reads it back, in the units people use: `1m30s`.
pub fn format(duration: Duration) -> String {
    PRINTER.unsigned_duration_to_string(&duration)
}

/// Writes the duration as text.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

/// Reads the duration from text.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    super::from_text(deserializer, "a duration such as `5s`", parse)
}

/// The same for a duration that may be absent.
pub mod option {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    struct Text(#[serde(with = "super")] Duration);

    /// Writes the duration as text, or nothing.
    pub fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads the duration from text, or nothing.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Text>::deserialize(deserializer)?.map(|Text(duration)| duration))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(parse("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in ["", "5", "fast", "5 parsecs", "5s ago"] {
            assert_eq!(parse(text), Err(UnitError::Duration(text.to_owned())));
        }
        let long = [
            "9999999h",
            "99999999999999999999h",
            "1m99999999999999999999s",
        ];
        for text in long {
            let error = UnitError::EndlessDuration(text.to_owned());
            assert_eq!(parse(text), Err(error));
        }
        assert_eq!(
            parse("-5s"),
            Err(UnitError::NegativeDuration("-5s".to_owned()))
        );
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(millis in 0_u64..100_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }
    }
}
