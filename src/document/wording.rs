use super::{Number, did_you_mean};

/// serde's words for what it expected, and ours.
const EXPECTED: [(&str, &str); 10] = [
    ("socket address", "an address such as `127.0.0.1:8080`"),
    ("a nonzero u", "a whole number of at least 1"),
    ("usize", "a whole number"),
    ("u16", "a whole number"),
    ("u32", "a whole number"),
    ("u64", "a whole number"),
    ("a string", "text"),
    ("path string", "a path"),
    ("a boolean", "`true` or `false`"),
    ("a sequence", "a list"),
];

/// The most that a whole number of serde's can be.
const MOST: [(&str, u64); 4] = [
    ("u16", u16::MAX as u64),
    ("u32", u32::MAX as u64),
    ("u64", u64::MAX),
    ("usize", usize::MAX as u64),
];

/// serde's words for what it found, and ours; behind those that end in a space stands the value.
const FOUND: [(&str, &str); 7] = [
    ("string ", ""),
    ("integer ", ""),
    ("floating point ", ""),
    ("boolean ", ""),
    ("unit value", "nothing"),
    ("map", "a mapping"),
    ("sequence", "a list"),
];

/// The key that serde does not know, if that is what it says.
pub(super) fn named_key(message: &str) -> Option<&str> {
    let (key, _) = message.strip_prefix("unknown field `")?.split_once('`')?;
    Some(key)
}

/// The keys that serde knows where it found one that it does not.
pub(super) fn known_keys(message: &str) -> Vec<&str> {
    // The key that it found may say anything.
    let (_, expected) = message.rsplit_once("`, expected ").unwrap_or_default();
    expected.split('`').skip(1).step_by(2).collect()
}

/// A message of serde as the other readers would put it, without names of Rust types.
/// `number` is what serde stumbled over, if it is one.
pub(super) fn in_our_words(message: &str, besides: &[&str], number: Option<&Number>) -> String {
    unknown_key(message, besides)
        .or_else(|| missing_key(message))
        .or_else(|| unexpected(message, number))
        .unwrap_or_else(|| message.to_owned())
}

/// What serde says of the parameters of an address or of the fields of a form, as `name: message`.
pub fn of_parameters(said: &str) -> String {
    const NO_NUMBER: [&str; 4] = [
        "invalid digit found in string",
        "cannot parse integer from empty string",
        "number too large to fit in target type",
        "number too small to fit in target type",
    ];
    let (name, message) = match said.split_once(": ") {
        Some((name, message)) if !name.contains(' ') => (Some(name), message),
        _ => (None, said),
    };
    if let Some(name) = message.strip_prefix("duplicate field ") {
        return format!("the parameter {name} is given twice; keep one of them");
    }
    if message.starts_with("unknown field") || message.starts_with("missing field") {
        let told = in_our_words(message, &[], None);
        return told
            .replacen("unknown key", "unknown parameter", 1)
            .replacen("the key", "the parameter", 1)
            .replacen("is missing here", "is missing", 1);
    }
    let told = if NO_NUMBER.contains(&message) {
        format!("expected a whole number of at most {}", u64::MAX)
    } else {
        in_our_words(message, &[], None)
    };
    match name {
        Some(name) => format!("parameter `{name}`: {told}"),
        None => told,
    }
}

/// "unknown field `a`, expected one of `b`, `c`"
fn unknown_key(message: &str, besides: &[&str]) -> Option<String> {
    let (what, rest) = [("key", "unknown field `"), ("word", "unknown variant `")]
        .into_iter()
        .find_map(|(what, begin)| Some((what, message.strip_prefix(begin)?)))?;
    let (key, rest) = rest.split_once('`')?;
    let mut known: Vec<_> = rest.split('`').skip(1).step_by(2).collect();
    for key in besides {
        if !known.contains(key) {
            known.push(key);
        }
    }
    let hint = did_you_mean(key, known.iter().copied());
    if !hint.is_empty() || known.is_empty() {
        return Some(format!("unknown {what} `{key}`{hint}"));
    }
    let known: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
    let known = known.join(", ");
    Some(format!("unknown {what} `{key}`; known here: {known}"))
}

/// "missing field `a`"
fn missing_key(message: &str) -> Option<String> {
    let key = message.strip_prefix("missing field `")?.strip_suffix('`')?;
    Some(format!("the key `{key}` is missing here"))
}

/// "invalid type: string \"a\", expected u64", and the same with "invalid value" and "length"
fn unexpected(message: &str, number: Option<&Number>) -> Option<String> {
    if message == "invalid socket address syntax" {
        let right = "expected an address of this computer and a port, such as `127.0.0.1:8080`";
        return Some(right.to_owned());
    }
    let (kind, rest) = message.split_once(": ")?;
    if kind != "invalid type" && kind != "invalid value" {
        return None;
    }
    let (found, expected) = rest.split_once(", expected ")?;
    let Some(number) = number else {
        let (expected, found) = (expected_in_words(expected), found_in_words(found));
        return Some(format!("expected {expected}, found {found}"));
    };
    let expected =
        whole_in_words(expected, number).unwrap_or_else(|| expected_in_words(expected).to_owned());
    let found = number.as_written();
    Some(format!("expected {expected}, found `{found}`"))
}

/// What would have been right instead of a whole number that is negative or too large.
fn whole_in_words(expected: &str, number: &Number) -> Option<String> {
    let kind = expected.strip_prefix("a nonzero ").unwrap_or(expected);
    let (_, most) = MOST.iter().find(|(theirs, _)| *theirs == kind)?;
    if !number.is_whole() || number.approximate() == 0.0 {
        None
    } else if number.approximate() < 0.0 {
        let least = u8::from(kind != expected);
        Some(format!("a whole number of at least {least}"))
    } else {
        Some(format!("a whole number of at most {most}"))
    }
}

fn expected_in_words(expected: &str) -> &str {
    if expected.starts_with("struct ") || expected.starts_with("a map") {
        return "a mapping";
    }
    EXPECTED
        .iter()
        .find(|(theirs, _)| expected.starts_with(theirs))
        .map_or(expected, |(_, ours)| ours)
}

fn found_in_words(found: &str) -> String {
    let Some((theirs, ours)) = FOUND.iter().find(|(theirs, _)| found.starts_with(theirs)) else {
        return found.to_owned();
    };
    if theirs.ends_with(' ') {
        let value = found[theirs.len()..].trim_matches(['`', '"']);
        return format!("`{value}`");
    }
    (*ours).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_speak_of_keys_and_values_and_not_of_types() {
        for (theirs, ours) in [
            (
                "unknown field `lisen`, expected one of `agents`, `join`",
                "unknown key `lisen`; did you mean `listen`?",
            ),
            (
                "unknown field `x`, expected `agents` or `join`",
                "unknown key `x`; known here: `agents`, `join`, `listen`",
            ),
            ("missing field `status`", "the key `status` is missing here"),
            (
                "invalid type: string \"5\", expected u64",
                "expected a whole number, found `5`",
            ),
            (
                "invalid value: integer `0`, expected a nonzero u32",
                "expected a whole number of at least 1, found `0`",
            ),
            (
                "invalid type: unit value, expected struct Listen",
                "expected a mapping, found nothing",
            ),
            (
                "invalid type: map, expected a sequence",
                "expected a list, found a mapping",
            ),
            ("`-2s` is negative", "`-2s` is negative"),
        ] {
            assert_eq!(in_our_words(theirs, &["listen"], None), ours);
        }
    }

    #[test]
    fn parameters_are_told_by_their_names() {
        for (theirs, ours) in [
            (
                "limit: invalid digit found in string",
                "parameter `limit`: expected a whole number of at most 18446744073709551615",
            ),
            (
                "foo: unknown field `foo`, expected one of `mode`, `limit`",
                "unknown parameter `foo`; known here: `mode`, `limit`",
            ),
            (
                "duplicate field `limit`",
                "the parameter `limit` is given twice; keep one of them",
            ),
            (
                "mode: unknown variant `x`, expected `probe` or `burst`",
                "parameter `mode`: unknown word `x`; known here: `probe`, `burst`",
            ),
            ("missing field `token`", "the parameter `token` is missing"),
        ] {
            assert_eq!(of_parameters(theirs), ours);
        }
    }

    #[test]
    fn a_number_that_does_not_fit_is_told_as_it_was_written_with_the_bounds() {
        for (theirs, written, ours) in [
            (
                "invalid type: floating point `1000000000000000000000.0`, expected u64",
                "1e21",
                "expected a whole number of at most 18446744073709551615, found `1e21`",
            ),
            (
                "invalid value: integer `-5`, expected u16",
                "-5",
                "expected a whole number of at least 0, found `-5`",
            ),
            (
                "invalid type: floating point `1.5`, expected u64",
                "1.50",
                "expected a whole number, found `1.50`",
            ),
            (
                "invalid value: integer `70000`, expected a nonzero u16",
                "70000",
                "expected a whole number of at most 65535, found `70000`",
            ),
            (
                "invalid type: integer `7`, expected path string",
                "007",
                "expected a path, found `007`",
            ),
        ] {
            let number = Number::parse(written);
            assert_eq!(in_our_words(theirs, &[], number.as_ref()), ours);
        }
    }
}
