//! What tells the redelivery of an event from an event of its own.

use std::{
    collections::{HashMap, VecDeque, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

use minijinja::{
    Value,
    value::{DynObject, ValueKind},
};
use tokio::time::Instant;

use super::inbound::Repeated;
use crate::{
    event::Fate,
    scenario::{FieldPath, fingerprint, key_text},
};

/// Ids of a scenario and a target that are remembered with the chat that they came for: 96 KiB. An id that identifies
/// nothing comes back for every chat, so the latest few thousand are enough to find it.
const KNOWN_IDS: usize = 4_096;
/// Deliveries that one chat remembers: the latest ones.
const MOST_DELIVERIES: usize = 1_000;

/// What an event says about itself: its id, and what else is in it.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// The id that the scenario reads from it.
    pub(super) id: Box<str>,
    hash: u64,
    content: u64,
}

impl Identity {
    /// The identity of an event, without the fields in which deliveries of one event differ.
    pub(super) fn of(id: String, event: &Value, volatile: &[FieldPath]) -> Self {
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
    let kind = value.kind();
    match kind {
        ValueKind::Map => {
            2.hash(&mut hasher);
            let pairs = value.as_object().and_then(DynObject::try_iter_pairs);
            let fields = pairs.into_iter().flatten().filter_map(|(name, field)| {
                let below = below(&name, volatile)?;
                let mut hasher = DefaultHasher::new();
                name.as_str().hash(&mut hasher);
                content(&field, &below).hash(&mut hasher);
                Some(hasher.finish())
            });
            fields.fold(0, u64::wrapping_add).hash(&mut hasher);
        }
        ValueKind::Seq | ValueKind::Iterable => {
            3.hash(&mut hasher);
            for item in value.try_iter().into_iter().flatten() {
                content(&item, volatile).hash(&mut hasher);
            }
        }
        ValueKind::Number | ValueKind::String => match (value.as_str(), key_text(value)) {
            (Some(text), _) => text.hash(&mut hasher),
            (None, text) => text.unwrap_or_default().as_str().hash(&mut hasher),
        },
        _ => {
            1.hash(&mut hasher);
            value.to_string().hash(&mut hasher);
        }
    }
    hasher.finish()
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
pub(super) enum Spread {
    OneChat,
    SeveralChats,
}

/// The latest ids of a scenario and a target and the chats that they came for, to find those that identify nothing.
#[derive(Debug, Default)]
pub(super) struct KnownIds(Box<[KnownId]>);

#[derive(Debug, Clone, Copy, Default)]
struct KnownId {
    id: u64,
    /// The number of the chat, from one; zero for an entry without an id.
    chat: u64,
    several: bool,
}

impl KnownIds {
    /// Notes that an id came for a chat.
    pub(super) fn note(&mut self, identity: &Identity, chat: u64) -> Spread {
        if self.0.is_empty() {
            self.0 = vec![KnownId::default(); KNOWN_IDS].into();
        }
        let id = identity.hash;
        // The remainder is below the number of slots.
        let at = usize::try_from(id % KNOWN_IDS as u64).unwrap_or_default();
        let known = &mut self.0[at];
        if known.chat == 0 || known.id != id {
            *known = KnownId {
                id,
                chat,
                several: false,
            };
        }
        known.several |= known.chat != chat;
        if known.several {
            Spread::SeveralChats
        } else {
            Spread::OneChat
        }
    }
}

/// How an event relates to those that came for the same chat before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// Its id is new.
    New,
    /// Its id has come, with another content.
    OtherContent,
    /// Its id and content have come.
    Equal {
        /// When that was, and what it makes of this one.
        repeated: Repeated,
        /// Whether ids of this chat do not identify its events: this one came with other contents too, or
        /// at least half of all did. One event that is sent again in a changed form, such as an edited
        /// message, says nothing about the others.
        ids_repeat: bool,
    },
}

/// The latest deliveries of one chat. A new one takes the place of the oldest.
#[derive(Debug, Default)]
pub(super) struct Deliveries(VecDeque<Delivered>);

#[derive(Debug)]
struct Delivered {
    id: u64,
    content: u64,
    latest: Instant,
    /// The first paths on which it came; zero for none.
    paths: [u32; 2],
}

impl Delivered {
    /// What another delivery on this path is. Of three paths or more, each delivery on the later ones came through
    /// another callback than the first.
    fn repeated_on(&mut self, path: u32) -> Fate {
        let [first, second] = &mut self.paths;
        if *first == path || *second == path {
            return Fate::Duplicate;
        }
        if *second == 0 {
            *second = path;
        }
        Fate::OtherCallback
    }
}

impl Deliveries {
    /// Notes a delivery on the path of this number.
    pub(super) fn note(&mut self, identity: &Identity, arrived: Instant, path: u32) -> Relation {
        let mut relation = Relation::New;
        let mut equal = None;
        for delivered in &mut self.0 {
            if delivered.id != identity.hash {
                continue;
            }
            if delivered.content == identity.content {
                equal = Some(Repeated {
                    fate: delivered.repeated_on(path),
                    before: std::mem::replace(&mut delivered.latest, arrived),
                });
            } else {
                relation = Relation::OtherContent;
            }
        }
        if let Some(repeated) = equal {
            return Relation::Equal {
                repeated,
                ids_repeat: relation == Relation::OtherContent || self.half_of_the_ids_repeat(),
            };
        }
        if self.0.len() >= MOST_DELIVERIES {
            self.0.pop_front();
        }
        self.0.push_back(Delivered {
            id: identity.hash,
            content: identity.content,
            latest: arrived,
            paths: [path, 0],
        });
        relation
    }

    /// Whether at least half of the ids came with different contents.
    fn half_of_the_ids_repeat(&self) -> bool {
        let mut contents = HashMap::<u64, usize>::new();
        for delivered in &self.0 {
            *contents.entry(delivered.id).or_default() += 1;
        }
        let repeated = contents.values().filter(|contents| **contents > 1).count();
        repeated * 2 >= contents.len()
    }
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

    #[test]
    fn an_id_that_comes_for_a_second_chat_is_known_even_among_many_others() {
        let identity = |id: &str| Identity::of(id.to_owned(), &Value::UNDEFINED, &[]);
        let mut ids = KnownIds::default();
        let useless = identity("useless");
        assert_eq!(ids.note(&useless, 1), Spread::OneChat);
        assert_eq!(ids.note(&useless, 1), Spread::OneChat);
        assert_eq!(ids.note(&useless, 2), Spread::SeveralChats);
        assert_eq!(ids.note(&useless, 1), Spread::SeveralChats);
        let mut found = 0;
        for chat in 3..20_003 {
            for message in 0..2 {
                let id = identity(&format!("{chat}-{message}"));
                assert_eq!(ids.note(&id, chat), Spread::OneChat);
            }
            found += usize::from(ids.note(&useless, chat) == Spread::SeveralChats);
        }
        assert!(found > 19_900, "{found}");
    }

    fn numbered(number: usize) -> Identity {
        Identity::of(number.to_string(), &Value::UNDEFINED, &[])
    }

    #[test]
    fn a_chat_remembers_its_latest_deliveries_however_many_came_before() {
        let mut deliveries = Deliveries::default();
        let now = Instant::now();
        let count = 5 * MOST_DELIVERIES;
        for number in 0..count {
            assert_eq!(deliveries.note(&numbered(number), now, 1), Relation::New);
        }
        assert_eq!(deliveries.0.len(), MOST_DELIVERIES);
        for number in [count - 1, count - MOST_DELIVERIES] {
            let relation = deliveries.note(&numbered(number), now, 1);
            assert!(matches!(relation, Relation::Equal { .. }), "{number}");
        }
        let forgotten = numbered(count - MOST_DELIVERIES - 1);
        assert_eq!(deliveries.note(&forgotten, now, 1), Relation::New);
    }
}
