//! What tells the redelivery of an event from an event of its own.

use std::hash::{DefaultHasher, Hash, Hasher};

use minijinja::{
    Value,
    value::{DynObject, ValueKind},
};

use crate::body::Members;
use crate::scenario::{FieldPath, fingerprint, key_text};

/// What an event says about itself: its id, and what else is in it.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The id that the scenario reads from it.
    pub id: Box<str>,
    /// A hash of the id.
    pub hash: u64,
    /// A hash of the content.
    pub(super) content: u64,
}

impl Identity {
    /// The identity of an event, without the fields in which deliveries of one event differ.
    pub fn of(id: String, event: &Value, volatile: &[FieldPath]) -> Self {
        let volatile: Vec<_> = volatile.iter().map(|path| &path[..]).collect();
        Self {
            hash: fingerprint(&id),
            content: content(event, &volatile),
            id: id.into(),
        }
    }
}

/// A hash of a value: equal for equal content, whatever the order of fields. A number equals its text,
/// as it does in keys.
fn content(value: &Value, volatile: &[&[Box<str>]]) -> u64 {
    let mut hasher = DefaultHasher::new();
    add(value, volatile, &mut hasher);
    hasher.finish()
}

fn add(value: &Value, volatile: &[&[Box<str>]], hasher: &mut DefaultHasher) {
    match value.kind() {
        ValueKind::Map => {
            2.hash(hasher);
            if let Some(members) = Members::of(value) {
                for (name, field) in members {
                    add_field(name, field, volatile, hasher);
                }
            } else {
                let pairs = value.as_object().and_then(DynObject::try_iter_pairs);
                let mut pairs: Vec<_> = pairs.into_iter().flatten().collect();
                pairs.sort_by(|(a, _), (b, _)| a.as_str().cmp(&b.as_str()));
                for (name, field) in &pairs {
                    add_field(name, field, volatile, hasher);
                }
            }
            // The end of the map: a field that follows belongs to the value around it.
            0.hash(hasher);
        }
        ValueKind::Seq | ValueKind::Iterable => {
            3.hash(hasher);
            for item in value.try_iter().into_iter().flatten() {
                add(&item, volatile, hasher);
            }
            0.hash(hasher);
        }
        ValueKind::Number | ValueKind::String => {
            4.hash(hasher);
            match value.as_str() {
                Some(text) => text.hash(hasher),
                None => key_text(value).unwrap_or_default().hash(hasher),
            }
        }
        _ => {
            1.hash(hasher);
            value.to_string().hash(hasher);
        }
    }
}

fn add_field(name: &Value, field: &Value, volatile: &[&[Box<str>]], hasher: &mut DefaultHasher) {
    if let Some(below) = below(name, volatile) {
        5.hash(hasher);
        name.as_str().hash(hasher);
        add(field, &below, hasher);
    }
}

/// The volatile fields within the field of this name; `None` if all of it is volatile.
fn below<'a>(name: &Value, volatile: &[&'a [Box<str>]]) -> Option<Vec<&'a [Box<str>]>> {
    let mut below = Vec::new();
    for path in volatile {
        match path.split_first() {
            Some((first, rest)) if Some(&**first) == name.as_str() => {
                if rest.is_empty() {
                    return None;
                }
                below.push(rest);
            }
            _ => {}
        }
    }
    Some(below)
}

/// For how many chats an id came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdSpread {
    /// For one, as far as is known.
    OneChat,
    /// For several: it does not identify an event.
    SeveralChats,
}

/// What the arrival of an event showed about its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdUse {
    /// Nothing speaks against it identifying the event.
    Identifies,
    /// It came for another chat, or with another content.
    Repeats,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn hash(event: &Json, volatile: &[&str]) -> u64 {
        let paths: Vec<FieldPath> = volatile
            .iter()
            .map(|path| path.split('.').map(Into::into).collect())
            .collect();
        let event = serde_json::from_value(event.clone()).unwrap();
        Identity::of("id".to_owned(), &event, &paths).content
    }

    #[test]
    fn content_is_equal_whatever_the_order_of_fields_and_the_type_of_numbers() {
        let event = json!({ "id": 7, "text": "a", "list": [1, { "b": null }], "flag": true });
        let text = r#"{ "list": ["1", { "b": null }], "flag": true, "text": "a", "id": "7" }"#;
        assert_eq!(
            hash(&event, &[]),
            hash(&serde_json::from_str(text).unwrap(), &[])
        );
    }

    #[test]
    fn content_differs_with_any_value_name_order_of_a_list_and_nesting() {
        let events = [
            json!({ "a": "x", "b": "y" }),
            json!({ "a": "y", "b": "x" }),
            json!({ "a": "x" }),
            json!({ "a": ["x", "y"] }),
            json!({ "a": ["y", "x"] }),
            json!({ "a": [["x", "y"]] }),
            json!({ "a": { "x": "y" } }),
            json!({ "a": null }),
            json!({ "a": true }),
            json!({ "a": "true" }),
            json!({}),
            json!([]),
            json!(null),
        ];
        let mut hashes: Vec<_> = events.iter().map(|event| hash(event, &[])).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), events.len());
    }

    #[test]
    fn volatile_fields_are_left_out_at_any_depth() {
        let event = |attempt: u32, sent: u32, text: &str| {
            json!({ "attempt": attempt, "meta": { "sent": sent, "n": 1 }, "text": text,
                "parts": [{ "sent": sent }] })
        };
        let paths = ["attempt", "meta.sent", "parts.sent"];
        assert_eq!(
            hash(&event(1, 10, "a"), &paths),
            hash(&event(2, 20, "a"), &paths)
        );
        assert_ne!(
            hash(&event(1, 10, "a"), &paths),
            hash(&event(1, 10, "b"), &paths)
        );
        assert_ne!(
            hash(&event(1, 10, "a"), &paths[..1]),
            hash(&event(1, 20, "a"), &paths[..1])
        );
    }
}
