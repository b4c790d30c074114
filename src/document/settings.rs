use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::{
    Node, Place, Problems, Value,
    wording::{in_our_words, named_key},
};

/// Reads a section of plain settings with serde, which knows their types already.
///
/// serde stops at the first error, so the key that it stumbled over is noted with its place, taken
/// out, and the rest is read again: every mistake of the section is found in one go. A section
/// without a value is one without settings.
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
    loop {
        let error = match serde_path_to_error::deserialize(plain(&rest)) {
            Ok(settings) => return first.then_some(settings),
            Err(error) => error,
        };
        let path: Vec<_> = error.path().iter().cloned().collect();
        let message = error.inner().to_string();
        let outermost = named_key(&message).is_some_and(|key| rest.find(key).is_some());
        let (place, removed) = take_out(&mut rest, &path, &message);
        // What is missing cannot be taken out; after a removal it may be our own doing.
        if removed || first {
            // Only the outermost mapping has keys that somebody else reads.
            let besides = if outermost { besides } else { &[] };
            problems.add(&place, in_our_words(&message, besides));
        }
        if !removed {
            return None;
        }
        first = false;
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

/// The values of a node without their places, as text: equal for what means the same.
pub fn canonical(node: &Node) -> String {
    // Maps with text keys, lists and scalars can always be written.
    serde_yaml::to_string(&plain(node)).unwrap_or_default()
}

fn plain(node: &Node) -> serde_yaml::Value {
    match &node.value {
        Value::Null => serde_yaml::Value::Null,
        Value::Boolean(value) => (*value).into(),
        Value::Integer(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
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
}
