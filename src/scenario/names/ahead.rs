//! What stands further down in a scenario than what is read.

use std::collections::BTreeMap;

use crate::document::{Entry, Node, Value};

/// Finds the captures in a node that stands in this track, if it does.
pub(super) fn find_captures(
    node: &Node,
    track: Option<&str>,
    found: &mut BTreeMap<String, String>,
) {
    match &node.value {
        Value::List(list) => list
            .iter()
            .for_each(|node| find_captures(node, track, found)),
        Value::Map(entries) => {
            if let (Some(step), Some(capture)) = (node.find("step"), node.find("capture"))
                && let (Value::Text(step), Value::Map(captures)) = (&step.value, &capture.value)
            {
                for capture in captures {
                    let name = match track {
                        Some(track) => format!("{track}.{}", capture.key),
                        None => capture.key.clone(),
                    };
                    found.entry(name).or_insert_with(|| step.clone());
                }
            }
            for entry in entries {
                if entry.key == "together" && track.is_none() {
                    for track in entries_of(&entry.node) {
                        find_captures(&track.node, Some(&track.key), found);
                    }
                } else {
                    find_captures(&entry.node, track, found);
                }
            }
        }
        _ => {}
    }
}

/// The entries of a mapping; none of anything else.
pub(super) fn entries_of(node: &Node) -> &[Entry] {
    match &node.value {
        Value::Map(entries) => entries,
        _ => &[],
    }
}
