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

/// Writes a measured duration for people to read, with at most three digits: `35 ms`, `1.24 s`. One of a
/// thousand seconds or more is written as [`span`] writes it.
pub fn rounded(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    // Each limit is where the digits of the line before would become one more.
    match seconds {
        ..0.000_000_5 => "0 ms".to_owned(),
        ..0.000_999_5 => format!("{:.0} µs", seconds * 1e6),
        ..0.009_95 => format!("{:.1} ms", seconds * 1e3),
        ..0.999_5 => format!("{:.0} ms", seconds * 1e3),
        ..9.995 => format!("{seconds:.2} s"),
        ..99.95 => format!("{seconds:.1} s"),
        ..999.5 => format!("{seconds:.0} s"),
        _ => span(duration),
    }
}

/// Writes for people how long something took as a whole: `12.3 s`, `3 min 20 s`, `2 h 3 min`.
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60) {
        (0, 0) => rounded(duration),
        (0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (hours, minutes) => format!("{hours} h {} min", minutes % 60),
    }
}

/// Writes for people a duration that somebody set, exactly: `500 ms`, `1 min 30 s`.
pub fn exact(duration: Duration) -> String {
    let (seconds, nanos) = (duration.as_secs(), u64::from(duration.subsec_nanos()));
    let parts = [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
        (nanos / 1_000_000, "ms"),
        (nanos / 1_000 % 1_000, "µs"),
        (nanos % 1_000, "ns"),
    ];
    let told = parts.iter().filter(|(count, _)| *count > 0);
    let told: Vec<_> = told
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    if told.is_empty() {
        return "0 s".to_owned();
    }
    told.join(" ")
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

    #[test]
    fn measured_durations_have_three_digits_and_none_above_zero_reads_as_zero() {
        for (nanos, told) in [
            (0, "0 ms"),
            (1_000, "1 µs"),
            (40_000, "40 µs"),
            (999_499, "999 µs"),
            (999_500, "1.0 ms"),
            (1_620_000, "1.6 ms"),
            (9_960_000, "10 ms"),
            (542_200_000, "542 ms"),
            (999_600_000, "1.00 s"),
            (1_234_567_891, "1.23 s"),
            (9_996_000_000, "10.0 s"),
            (99_960_000_000, "100 s"),
            (734_200_000_000, "734 s"),
            (999_600_000_000, "16 min 39 s"),
        ] {
            assert_eq!(rounded(Duration::from_nanos(nanos)), told);
        }
    }

    #[test]
    fn spans_are_told_in_two_units() {
        for (seconds, told) in [
            (12.04, "12.0 s"),
            (60.0, "1 min 0 s"),
            (200.4, "3 min 20 s"),
            (3_600.0, "1 h 0 min"),
            (7_380.0, "2 h 3 min"),
            (360_000.0, "100 h 0 min"),
        ] {
            assert_eq!(span(Duration::from_secs_f64(seconds)), told);
        }
    }

    #[test]
    fn set_durations_are_told_exactly() {
        for (nanos, told) in [
            (0, "0 s"),
            (500_000_000, "500 ms"),
            (1_500_000_000, "1 s 500 ms"),
            (90_000_000_000, "1 min 30 s"),
            (7_200_000_000_000, "2 h"),
            (90_061_000_002_003, "25 h 1 min 1 s 2 µs 3 ns"),
        ] {
            assert_eq!(exact(Duration::from_nanos(nanos)), told);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(millis in 0_u64..100_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }
    }
}
