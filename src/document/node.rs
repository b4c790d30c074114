use std::{ops::RangeInclusive, time::Duration};

use super::{Place, Problems};
use crate::units::duration;

/// A YAML value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the value begins.
    pub place: Place,
    /// The value.
    pub value: Value,
    /// For text on one line: columns from `place` to its first character (1 behind a quote).
    /// `None` where columns inside the text cannot be told, as in a block scalar.
    pub(super) text_begins: Option<usize>,
}

/// What YAML can say, with its plain scalars resolved by the core schema.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order it was written; keys are unique.
    Map(Vec<Entry>),
}

/// One key of a mapping and what stands behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The place of the character `offset` bytes into this node's text.
    pub fn place_in_text(&self, offset: usize) -> Place {
        match (self.text_begins, &self.value) {
            (Some(begin), Value::Text(text)) => {
                let columns = text
                    .get(..offset)
                    .map_or(0, |before| before.chars().count());
                self.place.right(begin + columns)
            }
            _ => self.place.clone(),
        }
    }

    /// What this is, for messages that expected something else.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Boolean(_) => "a boolean",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// Notes that `wanted` was expected here.
    pub fn expected(&self, wanted: &str, problems: &Problems) {
        problems.add(
            &self.place,
            format!("expected {wanted}, found {}", self.kind()),
        );
    }

    /// Text; anything else is a problem.
    pub fn text(&self, wanted: &str, problems: &Problems) -> Option<&str> {
        if let Value::Text(text) = &self.value {
            return Some(text);
        }
        self.expected(wanted, problems);
        None
    }

    /// A scalar as it would be written: text, or the text of a number or a boolean.
    pub fn scalar_text(&self, wanted: &str, problems: &Problems) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(text.clone()),
            Value::Boolean(value) => Some(value.to_string()),
            Value::Integer(value) => Some(value.to_string()),
            Value::Float(value) => Some(value.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) => {
                self.expected(wanted, problems);
                None
            }
        }
    }

    /// A boolean; anything else is a problem.
    pub fn boolean(&self, problems: &Problems) -> Option<bool> {
        if let Value::Boolean(value) = self.value {
            return Some(value);
        }
        self.expected("`true` or `false`", problems);
        None
    }

    /// A whole number of at least `least`; anything else is a problem.
    pub fn whole_number(&self, least: u64, problems: &Problems) -> Option<u64> {
        self.whole_number_in(least..=u64::MAX, problems)
    }

    /// A whole number in this range; anything else is a problem.
    pub fn whole_number_in(&self, range: RangeInclusive<u64>, problems: &Problems) -> Option<u64> {
        if let Value::Integer(value) = self.value
            && let Ok(value) = u64::try_from(value)
            && range.contains(&value)
        {
            return Some(value);
        }
        let found = match &self.value {
            Value::Integer(value) => value.to_string(),
            Value::Float(value) => value.to_string(),
            _ => self.kind().to_owned(),
        };
        let most = match range.end() {
            &u64::MAX => String::new(),
            most => format!(" and at most {most}"),
        };
        problems.add(
            &self.place,
            format!(
                "expected a whole number of at least {}{most}, found {found}",
                range.start()
            ),
        );
        None
    }

    /// A duration; anything else is a problem.
    pub fn duration(&self, problems: &Problems) -> Option<Duration> {
        self.parsed("a duration such as `5s`", duration::parse, problems)
    }

    /// Text that `parse` understands; its error becomes the problem.
    pub fn parsed<T, E: ToString>(
        &self,
        wanted: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
        problems: &Problems,
    ) -> Option<T> {
        let text = self.scalar_text(wanted, problems)?;
        parse(&text)
            .map_err(|error| problems.add(&self.place, error.to_string()))
            .ok()
    }

    /// The nodes of a list; anything else is a problem.
    pub fn list(&self, wanted: &str, problems: &Problems) -> &[Self] {
        if let Value::List(nodes) = &self.value {
            return nodes;
        }
        self.expected(wanted, problems);
        &[]
    }

    /// The entries of a mapping whose keys are the user's own names; anything else is a problem.
    pub fn entries(&self, wanted: &str, problems: &Problems) -> &[Entry] {
        if let Value::Map(entries) = &self.value {
            return entries;
        }
        self.expected(wanted, problems);
        &[]
    }

    /// The node behind a key of a mapping, without reading the mapping.
    pub fn find(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find(|entry| entry.key == key)
                .map(|entry| &entry.node),
            _ => None,
        }
    }
}
