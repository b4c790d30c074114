//! Filters and tests of an expression. minijinja looks them up only when it comes past them, which
//! for the far side of an `if` may be in the ten thousandth chat; here they are looked up at once.

use super::evaluation::{is_filter, is_test};
use crate::document::did_you_mean;

/// Filters that scenarios have a use for, to guess which one was meant.
const USEFUL_FILTERS: [&str; 24] = [
    "abs",
    "base64",
    "base64_decode",
    "base64url",
    "default",
    "first",
    "float",
    "hmac_sha256",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "replace",
    "round",
    "seconds",
    "sha256",
    "string",
    "tojson",
    "trim",
    "upper",
    "urlencode",
];
/// The same for tests.
const USEFUL_TESTS: [&str; 10] = [
    "defined",
    "undefined",
    "none",
    "number",
    "string",
    "sequence",
    "mapping",
    "startingwith",
    "endingwith",
    "integer",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Filter,
    Test,
}

/// The first filter or test that does not exist: how many bytes into the source it stands, and what
/// to say about it.
pub(super) fn unknown(source: &str) -> Option<(usize, String)> {
    let (at, kind, name) = operators(source)
        .into_iter()
        .find(|(_, kind, name)| !exists(*kind, name))?;
    let message = match kind {
        Kind::Filter => {
            let hint = did_you_mean(name, USEFUL_FILTERS);
            format!("there is no filter `{name}`{hint}")
        }
        Kind::Test => {
            let hint = did_you_mean(name, USEFUL_TESTS);
            format!("there is no test `{name}` to put behind `is`{hint}")
        }
    };
    Some((at, message))
}

fn exists(kind: Kind, name: &str) -> bool {
    match kind {
        Kind::Filter => is_filter(name),
        Kind::Test => is_test(name),
    }
}

/// Everything behind `|` and `is`, outside quotes.
fn operators(source: &str) -> Vec<(usize, Kind, &str)> {
    let mut found = Vec::new();
    let mut quote = None;
    let mut escaped = false;
    let mut at = 0;
    while let Some(c) = source[at..].chars().next() {
        let here = at;
        at += c.len_utf8();
        match quote {
            Some(_) if escaped => escaped = false,
            Some(open) => {
                escaped = c == '\\';
                quote = (c != open).then_some(open);
            }
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '|' => found.extend(word(source, at).map(|(at, w)| (at, Kind::Filter, w))),
            None if starts_word(c) => {
                let (_, name) = word(source, here).unwrap_or((here, ""));
                at = here + name.len();
                if name == "is" && !source[..here].ends_with('.') {
                    found.extend(test(source, at).map(|(at, w)| (at, Kind::Test, w)));
                }
            }
            None => {}
        }
    }
    found
}

fn test(source: &str, at: usize) -> Option<(usize, &str)> {
    match word(source, at)? {
        (at, "not") => word(source, at + "not".len()),
        found => Some(found),
    }
}

/// The word that stands there, behind any white space.
fn word(source: &str, at: usize) -> Option<(usize, &str)> {
    let rest = source[at..].trim_start();
    let begin = source.len() - rest.len();
    let end = rest
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    let word = &rest[..end];
    word.starts_with(starts_word).then_some((begin, word))
}

fn starts_word(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(source: &str) -> Option<(usize, String)> {
        unknown(source)
    }

    #[test]
    fn every_branch_is_looked_at() {
        for source in [
            "body.a | nosuch",
            "1 if a else (b | lower | nosuch)",
            "a or b and c|nosuch(1)",
            "[x, {'k': y | nosuch}]",
        ] {
            let (at, message) = complaint(source).unwrap();
            assert_eq!(&source[at..at + 6], "nosuch", "{source}");
            assert_eq!(message, "there is no filter `nosuch`");
        }
        assert_eq!(
            complaint("a is not difined and b"),
            Some((
                9,
                "there is no test `difined` to put behind `is`; did you mean `defined`?".to_owned()
            ))
        );
    }

    #[test]
    fn what_exists_or_is_quoted_is_let_through() {
        for source in [
            "a | default('| nosuch') is defined",
            "a is not none and b is divisibleby(3)",
            "event.is == 'is nosuch \\' | nosuch'",
            "(x | string) ~ \"it's | nosuch\"",
            "ä is string",
        ] {
            assert_eq!(complaint(source), None, "{source}");
        }
    }

    #[test]
    fn what_is_guessed_exists() {
        for name in USEFUL_FILTERS {
            assert!(exists(Kind::Filter, name), "{name}");
        }
        for name in USEFUL_TESTS {
            assert!(exists(Kind::Test, name), "{name}");
        }
    }
}
