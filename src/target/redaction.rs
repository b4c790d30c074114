//! Texts without what nobody may see.

#[cfg(test)]
mod tests;

use std::{cmp::Reverse, collections::HashSet, fmt};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::scenario::{Reading, TOKEN_BEGIN, readings};

/// What stands where a secret stood.
pub const MASK: &str = "***";

/// Of what is looked for, in bytes. Of a longer value it is the beginning, and nothing behind that is shown.
const LONGEST: usize = 4 * 1024;
/// Values from answers.
const MOST_VALUES: usize = 1_000;
/// What is looked for altogether, in bytes.
const MOST_BYTES: usize = 256 * 1024;
/// A text, in bytes, that is looked through for every value sooner than an automaton is built.
const SHORT_TEXT: usize = 1024;
/// Of a character in another form, in bytes.
const LONGEST_CHARACTER: usize = 20;
/// Of a secret, in bytes: what Base64 makes of less is part of many a word.
const SHORTEST_IN_BASE64: usize = 4;

/// What stays as it is in an address by RFC 3986.
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// What many libraries leave as it is in a path.
const OF_PATHS: AsciiSet = UNRESERVED.remove(b'/');

/// Takes secrets out of texts, in all forms in which they are usually written, and where the text has them in
/// HTML, JSON or an address. It does not print itself: it holds them.
#[derive(Clone)]
pub struct Redaction(Search);

#[derive(Clone)]
enum Search {
    Nothing,
    Forms {
        forms: Vec<String>,
        automaton: AhoCorasick,
    },
    /// There is too much to look for, so no text can be shown.
    Withheld,
}

impl Redaction {
    /// Of secrets and of values from answers. Base64 is looked for secrets and for tokens of callback addresses. Beyond a thousand values, or 256 KB of what they may be written
    /// as, no text is shown at all.
    pub fn new<'a>(secrets: impl Iterator<Item = &'a str>, values: &'a [String]) -> Self {
        let mut forms = HashSet::new();
        for secret in secrets {
            forms.extend(written_forms(secret));
            forms.extend(base64_forms(secret));
            // As the user and password of OAuth clients: RFC 6749, section 2.3.1.
            let encoded = utf8_percent_encode(secret, &UNRESERVED).to_string();
            if encoded != secret {
                forms.extend(base64_forms(&encoded));
            }
        }
        let values: HashSet<_> = (values.iter())
            .map(|value| &value[..value.floor_char_boundary(LONGEST)])
            .collect();
        let mut bytes = 0;
        let mut within_bounds = values.len() <= MOST_VALUES;
        let mut values = values.into_iter();
        while let Some(value) = values.next().filter(|_| within_bounds) {
            let in_base64 = if is_token(value) {
                base64_forms(value)
            } else {
                Vec::new()
            };
            for form in written_forms(value).into_iter().chain(in_base64) {
                let length = form.len();
                bytes += if forms.insert(form) { length } else { 0 };
            }
            within_bounds = bytes <= MOST_BYTES;
        }
        forms.remove("");
        if !within_bounds {
            return Self(Search::Withheld);
        }
        if forms.is_empty() {
            return Self(Search::Nothing);
        }
        let forms: Vec<_> = forms.into_iter().collect();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&forms);
        Self(
            automaton.map_or(Search::Withheld, |automaton| Search::Forms {
                forms,
                automaton,
            }),
        )
    }

    /// Whether a text may have one of the values in it. Of a short one that has none it is known soon.
    pub(super) fn may_concern(text: &str, values: &[String]) -> bool {
        if text.len() > SHORT_TEXT || values.len() > MOST_VALUES {
            return true;
        }
        // Most values are the same in every form, or read where `-` and `_` are percent-encoded.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let is_plain = |value: &str| value.bytes().all(plain);
        let is_written = |value: &String| {
            text.contains(&**value)
                || (!is_plain(value) && written_forms(value).iter().any(|form| text.contains(form)))
        };
        let is_in_base64 = |text: &str| {
            let tokens = values.iter().filter(|value| is_token(value));
            { tokens }.any(|token| has_base64(text, token))
        };
        let is_read = |reading: Reading| {
            values.iter().any(|value| reading.text.contains(value)) || is_in_base64(&reading.text)
        };
        values.iter().any(is_written)
            || is_in_base64(text)
            || readings(text).into_iter().any(is_read)
    }

    /// The text with `***` in place of every secret. What is put in is not looked at again.
    pub fn redact(&self, text: String) -> String {
        let (forms, automaton) = match &self.0 {
            Search::Nothing => return text,
            Search::Withheld => return MASK.to_owned(),
            Search::Forms { forms, automaton } => (forms, automaton),
        };
        let found = |text: &str, part: &dyn Fn(usize, usize) -> (usize, usize)| -> Vec<Found> {
            let found = automaton.find_iter(text);
            found
                .map(|found| {
                    let (start, end) = part(found.start(), found.end());
                    let to_the_end = is_beginning(&forms[found.pattern()]);
                    Found {
                        start,
                        end,
                        to_the_end,
                    }
                })
                .collect()
        };
        let mut all = found(&text, &|start, end| (start, end));
        for reading in readings(&text) {
            all.extend(found(&reading.text, &|start, end| {
                reading.origin(start, end)
            }));
        }
        if all.is_empty() {
            return text;
        }
        all.sort_by_key(|found| (found.start, Reverse(found.end)));
        mask(&text, &all)
    }

    /// A text that was cut off, without its end if that begins a secret.
    pub fn drop_half(&self, text: &mut String) {
        let Search::Forms { forms, .. } = &self.0 else {
            return;
        };
        // What is left of a character of several bytes.
        text.truncate(text.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
        let begin = |text: &str| {
            let half = |form: &String| {
                let mut ends = form.char_indices().map(|(end, _)| end).rev();
                ends.find(|end| text.ends_with(&form[..*end]))
            };
            let longest = forms.iter().filter_map(half).max();
            text.len() - longest.unwrap_or(0)
        };
        let mut shown = text.len();
        for end in ends_of_whole_characters(text) {
            let text = &text[..end];
            let half = begin(text);
            if half < text.len() {
                shown = shown.min(half);
            }
            for reading in readings(text) {
                let half = begin(&reading.text);
                if half < reading.text.len() {
                    shown = shown.min(reading.origin(half, half).0);
                }
            }
        }
        text.truncate(shown);
    }
}

/// Where a secret stands in a text.
struct Found {
    start: usize,
    end: usize,
    /// It is the beginning of a longer one.
    to_the_end: bool,
}

/// The text with `***` in place of these parts, which are sorted.
fn mask(text: &str, parts: &[Found]) -> String {
    let mut masked = String::new();
    let mut shown = 0;
    for part in parts {
        if part.start >= shown {
            masked.push_str(&text[shown..part.start]);
            masked.push_str(MASK);
        }
        if part.to_the_end {
            return masked;
        }
        shown = shown.max(part.end);
    }
    masked.push_str(&text[shown..]);
    masked
}

/// The end of a text, and those without what may be a part of one character in another form: `&qu`, `\\u00`, `%2`,
/// `%C3%A`.
fn ends_of_whole_characters(text: &str) -> Vec<usize> {
    let mut ends = vec![text.len()];
    let behind = text.ceil_char_boundary(text.len().saturating_sub(LONGEST_CHARACTER));
    let last = &text[behind..];
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"#;{&\\%".contains(&byte);
    let marks = last.rmatch_indices(['&', '\\', '%']);
    let parts = marks.take_while(|(at, _)| last[*at..].bytes().all(is_part));
    ends.extend(parts.map(|(at, _)| behind + at));
    ends
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redaction").finish_non_exhaustive()
    }
}

/// Whether a value is the token of a callback address. Servers sign and encode these, as they do secrets.
fn is_token(value: &str) -> bool {
    value.starts_with(TOKEN_BEGIN)
}

/// Whether a text has a value in Base64.
fn has_base64(text: &str, value: &str) -> bool {
    // Without the characters that neighbours have a part in.
    let shortest = (value.len() * 4 / 3).saturating_sub(2);
    let in_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    let mut runs = text.as_bytes().split(|byte| !in_base64(byte));
    // Most texts have no word as long as that.
    runs.any(|run| run.len() >= shortest)
        && base64_forms(value).iter().any(|form| text.contains(form))
}

/// Whether the form may be the beginning of a longer one.
fn is_beginning(form: &str) -> bool {
    // A character that would not fit has up to four bytes.
    form.len() > LONGEST - 4
}

/// A secret as texts show it: as it is, quoted in JSON or in a log, in the query or the path of a URL.
fn written_forms(secret: &str) -> Vec<String> {
    // Quoted on both sides.
    let json = serde_json::Value::from(secret).to_string();
    let json = &json[1..json.len() - 1];
    let mut forms = vec![
        secret.to_owned(),
        json.to_owned(),
        json.replace('/', "\\/"),
        secret.escape_debug().to_string(),
    ];
    let mut encoded = Vec::new();
    if let Ok(mut url) = url::Url::parse_with_params("http://x/", [("", secret)]) {
        let query = url.query().unwrap_or_default();
        encoded.push(query.trim_start_matches('=').to_owned());
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().push(secret);
        }
        encoded.push(url.path().trim_start_matches('/').to_owned());
    }
    for kept in [NON_ALPHANUMERIC, &UNRESERVED, &OF_PATHS] {
        encoded.push(utf8_percent_encode(secret, kept).to_string());
    }
    forms.extend(encoded.iter().map(|form| with_small_digits(form)));
    forms.extend(encoded);
    for form in &mut forms {
        form.truncate(form.floor_char_boundary(LONGEST));
    }
    forms
}

/// The same percent-encoding with `%2f` instead of `%2F`.
fn with_small_digits(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let mut small = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        small.push('%');
        small.push_str(&digits.to_ascii_lowercase());
        small.push_str(rest);
    }
    small
}

/// What all Base64 of texts with the secret in them has in common, by how many bytes stand before it.
fn base64_forms(secret: &str) -> Vec<String> {
    if secret.len() < SHORTEST_IN_BASE64 {
        return Vec::new();
    }
    let aligned = |before: usize| {
        let bytes = [&[0; 2][..before], secret.as_bytes()].concat();
        // A character is six bits; those of the secret's neighbours are left out.
        let (start, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|engine| {
            let mut form = engine.encode(&bytes)[start..end].to_owned();
            form.truncate(LONGEST);
            form
        })
    };
    (0..3).flat_map(aligned).collect()
}
