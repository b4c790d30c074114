use std::collections::HashSet;

use super::{Entry, Node, Problems, Value};

/// What `<<` brings into a mapping: the entries of other mappings, of which those that the mapping
/// has itself do not count. See <https://yaml.org/type/merge.html>.
#[derive(Default)]
pub(super) struct Merge {
    /// Where `<<` stands among the entries.
    at: usize,
    /// With the places at which they were written; the first of two with the same key counts.
    entries: Vec<Entry>,
}

impl Merge {
    /// The key that merges; in quotes it is a key like any other.
    pub(super) const KEY: &str = "<<";

    /// Reads the value behind `<<`: a mapping, or a list of them.
    pub(super) fn read(&mut self, at: usize, node: Node, problems: &Problems) {
        self.at = at;
        match node.value {
            Value::Map(entries) => self.entries = entries,
            Value::List(list) => {
                for node in list {
                    match node.value {
                        Value::Map(entries) => self.entries.extend(entries),
                        _ => refuse(&node, problems),
                    }
                }
            }
            _ => refuse(&node, problems),
        }
    }

    /// The entries of the mapping together with the merged ones, which stand in the place of `<<`.
    pub(super) fn into(self, mut own: Vec<Entry>) -> Vec<Entry> {
        if self.entries.is_empty() {
            return own;
        }
        let mut known: HashSet<_> = own.iter().map(|entry| entry.key.clone()).collect();
        let mut merged = self.entries;
        merged.retain(|entry| known.insert(entry.key.clone()));
        own.splice(self.at..self.at, merged);
        own
    }
}

fn refuse(node: &Node, problems: &Problems) {
    node.expected(
        "a mapping to merge such as `*name`, or a list of mappings",
        problems,
    );
}
