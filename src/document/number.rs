use std::borrow::Cow;

/// More digits than any 128-bit integer has; longer numbers are not calculated with.
const MOST_DIGITS: usize = 39;

/// A number as it was written, with every digit.
///
/// The grammar is that of YAML 1.2's core schema without hexadecimal and octal numbers, infinity and
/// "not a number", which stay text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number(Box<str>);

/// The parts of a number's text.
struct Parts<'a> {
    sign: &'a str,
    whole: &'a str,
    fraction: &'a str,
    /// Behind the `e`, with its sign.
    exponent: &'a str,
}

impl Number {
    /// The number that a text is; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        parts(text).map(|_| Self(text.into()))
    }

    /// What was written, such as `1.10` or `007`.
    pub fn as_written(&self) -> &str {
        &self.0
    }

    /// The closest floating-point number; infinite if it is too large for one.
    pub fn approximate(&self) -> f64 {
        // Every text of the grammar is one that Rust reads.
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// The whole number that this is, be it written `3`, `3.0` or `3e0`; `None` if it has a fraction
    /// or is beyond 128 bits.
    pub fn whole(&self) -> Option<i128> {
        let (sign, digits) = self.whole_digits()?;
        let text = format!("{sign}{digits}");
        text.parse().ok()
    }

    /// Whether it has no fraction, however large it is.
    pub fn is_whole(&self) -> bool {
        let Some(parts) = parts(&self.0) else {
            return false;
        };
        let (digits, shift) = significant(&parts);
        digits.is_empty() || shift >= 0
    }

    /// The same number as JSON writes it; `None` for a text with a plus sign or leading zeros, such
    /// as a telephone number or an id, which is no number in JSON.
    pub fn json(&self) -> Option<Cow<'_, str>> {
        let Parts {
            sign,
            whole,
            fraction,
            exponent,
        } = parts(&self.0)?;
        if sign == "+" || (whole.len() > 1 && whole.starts_with('0')) {
            return None;
        }
        if !whole.is_empty() && (!fraction.is_empty() || !self.0.contains('.')) {
            return Some(Cow::Borrowed(&self.0));
        }
        let whole = if whole.is_empty() { "0" } else { whole };
        let mut text = format!("{sign}{whole}");
        if !fraction.is_empty() {
            text = format!("{text}.{fraction}");
        }
        if !exponent.is_empty() {
            text = format!("{text}e{exponent}");
        }
        Some(Cow::Owned(text))
    }

    /// Sign and digits of a whole number of at most [`MOST_DIGITS`].
    fn whole_digits(&self) -> Option<(&str, String)> {
        let parts = parts(&self.0)?;
        let (digits, shift) = significant(&parts);
        let zeros = usize::try_from(shift).unwrap_or(0);
        if digits.is_empty() {
            return Some(("", "0".to_owned()));
        }
        if shift < 0 || digits.len().saturating_add(zeros) > MOST_DIGITS {
            return None;
        }
        let sign = if parts.sign == "-" { "-" } else { "" };
        Some((sign, digits + &"0".repeat(zeros)))
    }
}

/// The digits from the first to the last that is not zero, and by how many places to move them to the
/// left to get the number.
fn significant(parts: &Parts<'_>) -> (String, i64) {
    // An exponent beyond 64 bits is as good as the largest.
    let exponent: i64 = match parts.exponent {
        "" => 0,
        text => text.parse().unwrap_or(if text.starts_with('-') {
            i64::MIN
        } else {
            i64::MAX
        }),
    };
    let all = format!("{}{}", parts.whole, parts.fraction);
    let digits = all.trim_end_matches('0');
    let places = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let shift = exponent
        .saturating_sub(places(parts.fraction))
        .saturating_add(places(&all) - places(digits));
    (digits.trim_start_matches('0').to_owned(), shift)
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let (sign, rest) = split_sign(text);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let (_, digits) = split_sign(exponent);
            if digits.is_empty() || !is_digits(digits) {
                return None;
            }
            (mantissa, exponent)
        }
        None => (rest, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let some = !whole.is_empty() || !fraction.is_empty();
    (some && is_digits(whole) && is_digits(fraction)).then_some(Parts {
        sign,
        whole,
        fraction,
        exponent,
    })
}

fn split_sign(text: &str) -> (&str, &str) {
    let signed = text.starts_with(['+', '-']);
    text.split_at(usize::from(signed))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|| panic!("{text} is no number"))
    }

    #[test]
    fn the_grammar_is_that_of_the_core_schema() {
        for text in [
            "0", "-3", "+5", "007", "1.10", ".5", "5.", "1e3", "1E+3", "-1.5e-3",
        ] {
            assert_eq!(number(text).as_written(), text);
        }
        for text in [
            "",
            "-",
            ".",
            "e3",
            "1e",
            "1e+",
            "1_000",
            "0x1F",
            "0o17",
            ".inf",
            ".nan",
            "1.2.3",
            "1 ",
            "--1",
            "1:30",
            "2024-01-01",
            "١",
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point_or_an_exponent() {
        for (text, whole) in [
            ("007", 7),
            ("+5", 5),
            ("5.0", 5),
            ("1e3", 1_000),
            ("1.50e1", 15),
            ("1200e-2", 12),
            ("-0.0", 0),
            ("0e99999999999999999999", 0),
            ("12345678901234567890", 12_345_678_901_234_567_890),
        ] {
            assert_eq!(number(text).whole(), Some(whole), "{text}");
            assert!(number(text).is_whole(), "{text}");
        }
        for text in ["1.5", "15e-1", "1e-99999999999999999999"] {
            assert_eq!(number(text).whole(), None, "{text}");
            assert!(!number(text).is_whole(), "{text}");
        }
        for text in ["1e40", "1e99999999999999999999", &"9".repeat(60)] {
            assert_eq!(number(text).whole(), None, "{text}");
            assert!(number(text).is_whole(), "{text}");
        }
    }

    #[test]
    fn json_has_the_same_number_or_none() {
        for text in [
            "1.10",
            "12e4",
            "1e400",
            "-0",
            "123456789012345678901234567890",
        ] {
            assert_eq!(number(text).json().as_deref(), Some(text));
        }
        for (text, json) in [
            (".5", "0.5"),
            ("5.", "5"),
            ("-.5e1", "-0.5e1"),
            ("5.e1", "5e1"),
        ] {
            assert_eq!(number(text).json().as_deref(), Some(json));
        }
        for text in ["007", "-01", "+491701234", "00.5"] {
            assert_eq!(number(text).json(), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_json_writes_is_json_and_the_same_number(
            text in "[-+]?([0-9]{1,25}(\\.[0-9]{0,6})?|\\.[0-9]{1,6})([eE][-+]?[0-9]{1,2})?",
        ) {
            let number = number(&text);
            if let Some(json) = number.json() {
                let read: f64 = serde_json::from_str(&json).unwrap();
                let close = (read - number.approximate()).abs() <= read.abs() * 1e-12;
                prop_assert!(close, "{json} is not {text}");
            }
            if let Some(whole) = number.whole() {
                #[expect(clippy::cast_precision_loss, reason = "about the same will do")]
                let whole = whole as f64;
                prop_assert!((whole - number.approximate()).abs() <= whole.abs() * 1e-12);
            }
        }
    }
}
