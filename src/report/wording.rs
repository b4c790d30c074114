//! Figures as people read them.

use std::fmt::Display;

use super::{Change, Figure};

/// A time in seconds with three digits, for columns that are narrow.
pub fn seconds(seconds: f64) -> String {
    let millis = seconds * 1000.0;
    match seconds {
        ..0.01 => format!("{millis:.1} ms"),
        ..1.0 => format!("{millis:.0} ms"),
        ..10.0 => format!("{seconds:.2} s"),
        ..100.0 => format!("{seconds:.1} s"),
        _ => format!("{seconds:.0} s"),
    }
}

/// What there is, or a dash.
pub(super) fn or_dash<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

/// A share from 0 to 1.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent.abs() {
        ..0.000_001 => "0%".to_owned(),
        ..10.0 => format!("{percent:.2}%"),
        _ => format!("{percent:.1}%"),
    }
}

/// A change with its sign.
pub(super) fn signed_percent(change: f64) -> String {
    let sign = if change < 0.0 { "−" } else { "+" };
    format!("{sign}{}", percent(change.abs()))
}

/// A probability, with more digits where it decides something.
pub(super) fn probability(p: f64) -> String {
    match p {
        ..0.001 => "< 0.001".to_owned(),
        ..0.1 => format!("{p:.4}"),
        _ => format!("{p:.2}"),
    }
}

/// A change with what it was before and is now.
pub fn change(change: &Change) -> String {
    let figure = |value: Option<f64>, count: u64| {
        or_dash(value.map(|value| match change.figure {
            Figure::Failed => format!("{} of {count}", percent(value)),
            _ => seconds(value),
        }))
    };
    let by = match change.relative() {
        Some(part) if part.is_finite() => signed_percent(part),
        _ => "from nothing".to_owned(),
    };
    format!(
        "{}: {} before, {} now: {by}",
        change.figure.as_str(),
        figure(change.before, change.before_count),
        figure(change.after, change.after_count)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_three_digits_and_fit_their_column() {
        for (length, text) in [
            (0.000_04, "0.0 ms"),
            (0.001_62, "1.6 ms"),
            (0.542_2, "542 ms"),
            (0.999_9, "1000 ms"),
            (1.234_5, "1.23 s"),
            (18.366, "18.4 s"),
            (3_600.4, "3600 s"),
        ] {
            assert_eq!(seconds(length), text);
            assert!(text.len() <= 7);
        }
    }

    #[test]
    fn a_probability_is_never_said_to_be_nothing() {
        for (p, text) in [
            (1.0, "1.00"),
            (0.050_4, "0.0504"),
            (0.001, "0.0010"),
            (1e-12, "< 0.001"),
        ] {
            assert_eq!(probability(p), text);
        }
    }

    #[test]
    fn changes_show_their_direction() {
        for (change, text) in [
            (0.2, "+20.0%"),
            (-0.031, "−3.10%"),
            (0.0, "+0%"),
            (12.5, "+1250.0%"),
        ] {
            assert_eq!(signed_percent(change), text);
        }
    }
}
