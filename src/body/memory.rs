//! What a value takes in memory.

use minijinja::{
    Value,
    value::{DynObject, ValueKind},
};

use super::Members;

/// A text of at most so many bytes is kept within its value.
const LONGEST_INLINE: usize = 22;
/// Entries of one node of a `BTreeMap`, in which the fields of forms are.
const NODE_ENTRIES: usize = 11;
/// Bytes of such a node; the inner ones take a little more.
const NODE: usize = 2 * NODE_ENTRIES * size_of::<Value>() + 16;
/// Counters before what an `Arc` points to.
const COUNTERS: usize = 2 * size_of::<usize>();
/// An object behind an `Arc`: a list and a tree have the same size.
const OBJECT: usize = COUNTERS + size_of::<Vec<Value>>();

/// What a value takes on the heap, in bytes, with everything in it. What several values share counts for each of them,
/// and what the allocator adds, which is about a tenth, is left out.
pub fn bytes_in_memory(value: &Value) -> usize {
    if let Some(text) = value.as_str() {
        return bytes_of_text(text);
    }
    if let Some(list) = value.downcast_object_ref::<Vec<Value>>() {
        let items = list.iter().map(bytes_in_memory);
        return OBJECT + list.capacity() * size_of::<Value>() + items.sum::<usize>();
    }
    if let Some(members) = Members::of(value) {
        let entries = members.iter();
        let entries = entries.map(|(name, value)| bytes_in_memory(name) + bytes_in_memory(value));
        return COUNTERS + size_of::<Members>() + size_of_val(members) + entries.sum::<usize>();
    }
    match value.kind() {
        ValueKind::Bytes => OBJECT + value.as_bytes().map_or(0, <[u8]>::len),
        ValueKind::Map => bytes_of_other_map(value),
        ValueKind::Seq => {
            let items = value.try_iter().into_iter().flatten();
            let items = items.map(|item| size_of::<Value>() + bytes_in_memory(&item));
            OBJECT + items.sum::<usize>()
        }
        ValueKind::Iterable | ValueKind::Plain => OBJECT,
        _ => 0,
    }
}

fn bytes_of_text(text: &str) -> usize {
    if text.len() <= LONGEST_INLINE {
        0
    } else {
        COUNTERS + text.len()
    }
}

/// A map that is filled in the order of its names has seven entries for each leaf, and an inner node for seven leaves.
fn bytes_of_nodes(entries: usize) -> usize {
    let nodes = if entries <= NODE_ENTRIES {
        entries.min(1)
    } else {
        entries.div_ceil(NODE_ENTRIES / 2 + 1)
    };
    nodes * NODE
}

/// Of a map whose names are texts on the heap, however short, as that of a form.
fn bytes_of_other_map(value: &Value) -> usize {
    let pairs = value.as_object().and_then(DynObject::try_iter_pairs);
    let (mut entries, mut bytes) = (0, OBJECT);
    for (name, value) in pairs.into_iter().flatten() {
        entries += 1;
        bytes += name.as_str().map_or(0, str::len) + bytes_in_memory(&value);
    }
    bytes + bytes_of_nodes(entries)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::body::read_json;

    fn bytes(json: &str) -> usize {
        bytes_in_memory(&read_json(json.as_bytes(), None).unwrap())
    }

    #[test]
    fn a_value_without_anything_on_the_heap_takes_nothing_there() {
        for json in ["1", "-1.5", "true", "null", r#""a text within a value""#] {
            assert_eq!(bytes(json), 0, "{json}");
        }
    }

    #[test]
    fn a_value_counts_what_its_parts_take_and_not_their_text() {
        let long = "x".repeat(1_000);
        assert_eq!(bytes(&format!("\"{long}\"")), 1_016);
        assert_eq!(bytes("[]"), 40);
        // Four slots are the least that a list grows to.
        assert_eq!(bytes("[1]"), 40 + 4 * 24);
        assert_eq!(bytes(&format!("[\"{long}\", 1]")), 40 + 4 * 24 + 1_016);
        assert_eq!(bytes("{}"), 32);
        assert_eq!(bytes(r#"{"a":1}"#), 32 + 48);
        assert_eq!(bytes(&format!("{{\"{long}\":[]}}")), 32 + 48 + 1_016 + 40);
        let many: Vec<_> = (0..1_000).map(|n| format!("\"{n}\":{n}")).collect();
        assert_eq!(bytes(&format!("{{{}}}", many.join(","))), 32 + 1_000 * 48);
    }

    #[test]
    fn fields_of_a_form_count_with_their_names() {
        let fields = BTreeMap::from([("name".repeat(10), Value::from(1))]);
        assert_eq!(bytes_in_memory(&fields.into()), 40 + 544 + 40);
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<i32>().prop_map(Into::into),
            "[a-z]{0,60}".prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 60, 15, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..15).prop_map(Into::into),
                prop::collection::hash_map("[a-z]{1,30}", inner, 0..15)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_list_takes_at_least_what_its_items_take(items in prop::collection::vec(json(), 0..10)) {
            let texts: Vec<_> = items.iter().map(ToString::to_string).collect();
            let parts: usize = texts.iter().map(|text| 24 + bytes(text)).sum();
            let whole = bytes(&format!("[{}]", texts.join(",")));
            prop_assert!(whole >= 40 + parts, "{whole}, {parts}");
            prop_assert!(whole <= 40 + 4 * 24 + parts + items.len() * 24, "{whole}, {parts}");
        }
    }
}
