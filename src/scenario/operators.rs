//! Filters and tests of an expression. minijinja looks them up only when it comes past them, which
//! for the far side of an `if` may be in the ten thousandth chat; here they are looked up at once.

use super::{
    evaluation::{is_filter, is_test},
    mistake::Mistake,
};
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

/// A word of a source, and how many bytes into it it stands.
struct SourceWord<'a> {
    at: usize,
    text: &'a str,
}

/// A filter or test that a source applies.
struct Operator<'a> {
    kind: Kind,
    word: SourceWord<'a>,
}

/// The first filter or test that does not exist.
pub(super) fn unknown(source: &str) -> Option<Mistake> {
    let Operator {
        kind,
        word: SourceWord { at, text: name },
    } = operators(source)
        .into_iter()
        .find(|operator| !exists(operator.kind, operator.word.text))?;
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
    Some(Mistake { at, message })
}

fn exists(kind: Kind, name: &str) -> bool {
    match kind {
        Kind::Filter => is_filter(name),
        Kind::Test => is_test(name),
    }
}

/// Everything behind `|` and `is`, outside quotes.
fn operators(source: &str) -> Vec<Operator<'_>> {
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
            None if c == '|' => found.extend(word(source, at).map(|word| Operator {
                kind: Kind::Filter,
                word,
            })),
            None if starts_word(c) => {
                let name = word(source, here).map_or("", |word| word.text);
                at = here + name.len();
                if name == "is" && !source[..here].ends_with('.') {
                    found.extend(test(source, at).map(|word| Operator {
                        kind: Kind::Test,
                        word,
                    }));
                }
            }
            None => {}
        }
    }
    found
}

fn test(source: &str, at: usize) -> Option<SourceWord<'_>> {
    match word(source, at)? {
        SourceWord { at, text: "not" } => word(source, at + "not".len()),
        found => Some(found),
    }
}

/// The word that stands there, behind any white space.
fn word(source: &str, at: usize) -> Option<SourceWord<'_>> {
    let rest = source[at..].trim_start();
    let begin = source.len() - rest.len();
    let end = rest
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    let text = &rest[..end];
    let word = SourceWord { at: begin, text };
    text.starts_with(starts_word).then_some(word)
}

fn starts_word(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_branch_is_looked_at() {
        for source in [
            "body.a | nosuch",
            "1 if a else (b | lower | nosuch)",
            "a or b and c|nosuch(1)",
            "[x, {'k': y | nosuch}]",
        ] {
            let Mistake { at, message } = unknown(source).unwrap();
            assert_eq!(&source[at..at + 6], "nosuch", "{source}");
            assert_eq!(message, "there is no filter `nosuch`");
        }
        assert_eq!(
            unknown("a is not difined and b"),
            Some(Mistake {
                at: 9,
                message: "there is no test `difined` to put behind `is`; did you mean `defined`?"
                    .to_owned()
            })
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
            assert_eq!(unknown(source), None, "{source}");
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
