use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::{
    Entry, Node, Number, Place, Problems, Value,
    wording::{in_our_words, known_keys, named_key},
};

/// A section is read anew after each mistake. With more of them than this something else is meant.
const MOST_READINGS: usize = 200;

/// Reads a section of plain settings with serde, which knows their types already.
///
/// serde stops at the first error, so the key that it stumbled over is noted with its place, taken
/// out, and the rest is read again: every mistake of the section is found in one go, up to [`MOST_READINGS`]. Keys that
/// a mapping does not know are noted together. A section without a value is one without settings.
pub fn settings<T: DeserializeOwned>(node: &Node, problems: &Problems) -> Option<T> {
    settings_besides(node, &[], problems)
}

/// The same for a section in which the keys `besides` were read by somebody else and taken out.
pub fn settings_besides<T: DeserializeOwned>(
    node: &Node,
    besides: &[&str],
    problems: &Problems,
) -> Option<T> {
    let mut rest = node.clone();
    if rest.value == Value::Null {
        rest.value = Value::Map(Vec::new());
    }
    let mut first = true;
    for _ in 0..MOST_READINGS {
        let error = match serde_path_to_error::deserialize(plain(&rest)) {
            Ok(settings) => return first.then_some(settings),
            Err(error) => error,
        };
        let path: Vec<_> = error.path().iter().cloned().collect();
        let message = error.inner().to_string();
        if is_about_a_value(&message) && innermost(&mut rest, &path).is_some_and(give_type) {
            continue;
        }
        let outermost = named_key(&message).is_some_and(|key| rest.find(key).is_some());
        let number = innermost(&mut rest, &path).and_then(|node| match &node.value {
            Value::Number(number) => Some(number.clone()),
            _ => None,
        });
        // Only the outermost mapping has keys that somebody else reads.
        let besides = if outermost { besides } else { &[] };
        let in_words = |message: &str| in_our_words(message, besides, number.as_ref());
        let (place, removed) = take_out(&mut rest, &path, &message);
        // What is missing cannot be taken out; after a removal it may be our own doing.
        if removed || first {
            problems.add(&place, in_words(&message));
        }
        if !removed {
            return None;
        }
        first = false;
        for (place, message) in take_out_unknown(&mut rest, &path, &message) {
            problems.add(&place, in_words(&message));
        }
    }
    problems.add(
        &node.place,
        format!("more than {MOST_READINGS} mistakes here"),
    );
    None
}

/// Removes the other keys that the mapping does not know in which serde found one, and says of each what serde would
/// say.
fn take_out_unknown(root: &mut Node, path: &[Segment], message: &str) -> Vec<(Place, String)> {
    let (Some(named), known) = (named_key(message), known_keys(message)) else {
        return Vec::new();
    };
    // The path ends in the mapping, or in the key that was taken out of it.
    let around = path.len().saturating_sub(1);
    let around = match path.last() {
        Some(Segment::Map { key }) if key == named => &path[..around],
        _ => path,
    };
    let Some(Value::Map(entries)) = innermost(root, around).map(|node| &mut node.value) else {
        return Vec::new();
    };
    let (unknown, rest) = std::mem::take(entries)
        .into_iter()
        .partition(|entry| !known.contains(&&*entry.key));
    *entries = rest;
    let unknown: Vec<Entry> = unknown;
    let message_of = |key: &str| message.replacen(named, key, 1);
    (unknown.into_iter())
        .map(|entry| (entry.place, message_of(&entry.key)))
        .collect()
}

/// Whether serde did not like a value, rather than the keys of a mapping.
fn is_about_a_value(message: &str) -> bool {
    !message.starts_with("missing field") && named_key(message).is_none()
}

/// What stands at the end of `path`.
fn innermost<'a>(root: &'a mut Node, path: &[Segment]) -> Option<&'a mut Node> {
    path.iter().try_fold(root, |node, segment| match segment {
        Segment::Map { key } => match &mut node.value {
            Value::Map(entries) => entries
                .iter_mut()
                .find(|entry| entry.key == *key)
                .map(|entry| &mut entry.node),
            _ => None,
        },
        Segment::Seq { index } => match &mut node.value {
            Value::List(list) => list.get_mut(*index),
            _ => None,
        },
        // A variant of an enum is the key of a mapping, which follows, or the scalar itself.
        Segment::Enum { .. } | Segment::Unknown => Some(node),
    })
}

/// Makes a number or a boolean of untyped text that is one, and text of an untyped number or boolean:
/// serde would take them as they are for good.
fn give_type(node: &mut Node) -> bool {
    match &mut node.value {
        Value::List(list) => list.iter_mut().any(give_type),
        Value::Map(entries) => entries.iter_mut().any(|entry| give_type(&mut entry.node)),
        _ => {
            let other = match (&node.value, node.as_written()) {
                (Value::Text(_), _) => node.typed().into_owned(),
                (_, Some(text)) => Value::Text(text.to_owned()),
                (_, None) => return false,
            };
            let changes = node.is_untyped && other != node.value;
            if changes {
                node.is_untyped = false;
                node.value = other;
            }
            changes
        }
    }
}

/// Removes the innermost mapping entry on `path` and tells where it stood.
fn take_out(root: &mut Node, path: &[Segment], message: &str) -> (Place, bool) {
    let mut node = root;
    for (depth, segment) in path.iter().enumerate() {
        let last_key = !path[depth + 1..]
            .iter()
            .any(|segment| matches!(segment, Segment::Map { .. }));
        match (segment, &mut node.value) {
            (Segment::Map { key }, Value::Map(entries)) => {
                let Some(at) = entries.iter().position(|entry| entry.key == *key) else {
                    break;
                };
                if last_key && !message.starts_with("missing field") {
                    let entry = entries.remove(at);
                    let place = match named_key(message) {
                        Some(named) if named == entry.key => entry.place,
                        Some(named) => place_of_key(&entry.node, named),
                        None => entry.node.place,
                    };
                    return (place, true);
                }
                node = &mut entries[at].node;
            }
            (Segment::Seq { index }, Value::List(list)) if *index < list.len() => {
                node = &mut list[*index];
            }
            _ => break,
        }
    }
    (node.place.clone(), false)
}

/// Where a key stands in a mapping that serde had to look at as a whole.
fn place_of_key(node: &Node, key: &str) -> Place {
    let entries = match &node.value {
        Value::Map(entries) => entries.as_slice(),
        _ => &[],
    };
    entries
        .iter()
        .find(|entry| entry.key == key)
        .map_or(&node.place, |entry| &entry.place)
        .clone()
}

/// What a node says without the places, as text: equal for what means the same. Numbers and booleans
/// are as they were written, because some are sent so.
pub fn canonical(node: &Node) -> String {
    let mut text = String::new();
    write_canonical(node, &mut text);
    text
}

fn write_canonical(node: &Node, text: &mut String) {
    match &node.value {
        Value::Null | Value::Boolean(_) | Value::Number(_) => {
            text.push_str(node.as_written().unwrap_or_default());
        }
        Value::Text(value) => push_quoted(value, text),
        Value::List(list) => {
            text.push('[');
            for node in list {
                write_canonical(node, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Map(entries) => {
            text.push('{');
            for entry in entries {
                push_quoted(&entry.key, text);
                text.push(':');
                write_canonical(&entry.node, text);
                text.push(',');
            }
            text.push('}');
        }
    }
}

fn push_quoted(value: &str, text: &mut String) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{value:?}");
}

fn plain(node: &Node) -> serde_yaml::Value {
    match &node.value {
        Value::Null => serde_yaml::Value::Null,
        Value::Boolean(value) => (*value).into(),
        Value::Number(number) => plain_number(number),
        Value::Text(value) => value.clone().into(),
        Value::List(list) => list.iter().map(plain).collect::<Vec<_>>().into(),
        Value::Map(entries) => serde_yaml::Value::Mapping(
            entries
                .iter()
                .map(|entry| (entry.key.clone().into(), plain(&entry.node)))
                .collect(),
        ),
    }
}

/// A whole number is one however it was written.
fn plain_number(number: &Number) -> serde_yaml::Value {
    let whole = number.whole();
    let positive = whole.and_then(|whole| u64::try_from(whole).ok());
    let negative = whole.and_then(|whole| i64::try_from(whole).ok());
    match (positive, negative) {
        (Some(whole), _) => whole.into(),
        (None, Some(whole)) => whole.into(),
        (None, None) => number.approximate().into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::Deserialize;

    use super::*;
    use crate::document::parse;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Sample {
        #[serde(with = "crate::units::duration")]
        grace: Duration,
        size: usize,
    }

    impl Default for Sample {
        fn default() -> Self {
            Self {
                grace: Duration::from_secs(5),
                size: 1,
            }
        }
    }

    #[test]
    fn settings_are_read_with_their_defaults() {
        let problems = Problems::default();
        let node = parse("a.yaml", "grace: 2s").unwrap();
        let read: Option<Sample> = settings(&node, &problems);
        assert_eq!(
            read,
            Some(Sample {
                grace: Duration::from_secs(2),
                size: 1
            })
        );
    }

    #[test]
    fn every_mistake_of_a_section_is_found_with_its_place() {
        let problems = Problems::default();
        let node = parse("a.yaml", "grace: -2s\nsise: 3\nsize: many\n").unwrap();
        assert_eq!(settings::<Sample>(&node, &problems), None);
        let messages: Vec<_> = problems
            .into_result()
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            messages,
            [
                "a.yaml:1:8: `-2s` is negative; a duration is zero or more",
                "a.yaml:2:1: unknown key `sise`; did you mean `size`?",
                "a.yaml:3:7: expected a whole number, found `many`",
            ]
        );
    }

    #[test]
    fn keys_that_nobody_knows_are_found_in_one_reading() {
        let problems = Problems::default();
        let unknown = (0..1_000).map(|number| format!("sise{number}: 1\n"));
        let text = format!(
            "'sise`, expected one of `size': 0\nsize: 3\ngrace: many\n{}",
            unknown.collect::<String>()
        );
        let node = parse("a.yaml", &text).unwrap();
        assert_eq!(settings::<Sample>(&node, &problems), None);
        assert_eq!(problems.count(), 1_002);
        let mut lines: Vec<_> = problems.into_result().unwrap_err();
        lines.truncate(4);
        let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines[1],
            "a.yaml:3:8: `many` is not a duration; write for instance `250ms`, `5s` or `1m30s`"
        );
        assert_eq!(
            lines[3],
            "a.yaml:5:1: unknown key `sise1`; did you mean `size`?"
        );
    }

    #[test]
    fn a_section_is_not_read_anew_for_ever() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Sections {
            #[expect(dead_code, reason = "it cannot be read")]
            sections: std::collections::BTreeMap<String, Sample>,
        }
        let problems = Problems::default();
        let sections = (0..300).map(|number| format!("  s{number}: {{ size: many }}\n"));
        let text = format!("sections:\n{}", sections.collect::<String>());
        let node = parse("a.yaml", &text).unwrap();
        assert!(settings::<Sections>(&node, &problems).is_none());
        assert_eq!(problems.count(), MOST_READINGS + 1);
    }

    #[test]
    fn untyped_text_is_what_its_place_takes() {
        let problems = Problems::default();
        let mut node = parse("a.yaml", "grace: 2s\nsize: 3\n").unwrap();
        let Value::Map(entries) = &mut node.value else {
            panic!("a mapping")
        };
        for (entry, text) in entries.iter_mut().zip(["4s", "5"]) {
            entry.node = Node::untyped(entry.node.place.clone(), text);
        }
        let read: Option<Sample> = settings(&node, &problems);
        let (grace, size) = (Duration::from_secs(4), 5);
        assert_eq!(read, Some(Sample { grace, size }), "{problems:?}");
    }

    #[test]
    fn what_is_written_otherwise_and_sent_otherwise_is_not_the_same() {
        let same = |one: &str, other: &str| {
            canonical(&parse("a", one).unwrap()) == canonical(&parse("b", other).unwrap())
        };
        assert!(same("a: [1, x]", "{ \"a\": [ 1, 'x' ] }"));
        for (one, other) in [
            ("007", "7"),
            ("1.10", "1.1"),
            ("5", "'5'"),
            ("[a, b]", "['a,b']"),
        ] {
            assert!(!same(one, other), "{one} and {other}");
        }
    }
}
