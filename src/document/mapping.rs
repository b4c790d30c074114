use super::{Entry, Node, Place, Problems, Value};

/// A mapping with known keys, read one key at a time; [`Mapping::finish`] reports the rest.
#[derive(Debug)]
pub struct Mapping<'a> {
    /// Where the mapping begins.
    pub place: &'a Place,
    entries: &'a [Entry],
    known: Vec<&'static str>,
    problems: &'a Problems,
}

impl<'a> Mapping<'a> {
    /// Opens a mapping; anything else is a problem.
    pub fn open(node: &'a Node, wanted: &str, problems: &'a Problems) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            node.expected(wanted, problems);
            return None;
        };
        Some(Self {
            place: &node.place,
            entries,
            known: Vec::new(),
            problems,
        })
    }

    /// The value of a key that may be absent. A key without a value counts as present.
    pub fn get(&mut self, key: &'static str) -> Option<&'a Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.node)
    }

    /// Whether a key is there, which may be unknown all the same.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// The value of a key that must be there.
    pub fn need(&mut self, key: &'static str) -> Option<&'a Node> {
        let node = self.get(key);
        if node.is_none() {
            self.problems
                .add(self.place, format!("the key `{key}` is missing here"));
        }
        node
    }

    /// The one key of `keys` that is given; none or several are a problem.
    pub fn one_of(&mut self, keys: &[&'static str]) -> Option<(&'static str, &'a Node)> {
        let given: Vec<_> = keys
            .iter()
            .filter_map(|key| self.get(key).map(|node| (*key, node)))
            .collect();
        match given[..] {
            [one] => {
                // The others can only be given instead of it, so they are not known any more.
                self.known
                    .retain(|key| *key == one.0 || !keys.contains(key));
                Some(one)
            }
            [] => {
                let names = list(keys);
                self.problems.add(
                    self.place,
                    format!("one of the keys {names} is missing here"),
                );
                None
            }
            [(first, _), (second, _), ..] => {
                self.problems.add(
                    self.place,
                    format!("`{first}` and `{second}` exclude each other; keep one of them"),
                );
                None
            }
        }
    }

    /// Reports every key that nobody asked for.
    pub fn finish(self) {
        for entry in self.entries {
            if self.known.contains(&entry.key.as_str()) {
                continue;
            }
            let hint = self.problems.hint(&entry.key, self.known.iter().copied());
            let hint = if hint.is_empty() {
                format!("; known here: {}", list(&self.known))
            } else {
                hint
            };
            self.problems
                .add(&entry.place, format!("unknown key `{}`{hint}", entry.key));
        }
    }
}

fn list(keys: &[&str]) -> String {
    let quoted: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
    quoted.join(", ")
}
