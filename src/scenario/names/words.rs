//! Names in texts and documents.

use std::collections::HashMap;

pub(super) fn one_of(root: &str, field: Option<&str>, fields: &[&str]) -> Result<(), String> {
    match field {
        Some(field) if !fields.contains(&field) => {
            let known: Vec<_> = fields
                .iter()
                .map(|field| format!("`{root}.{field}`"))
                .collect();
            Err(format!(
                "there is no `{root}.{field}`; there is {}",
                known.join(", ")
            ))
        }
        _ => Ok(()),
    }
}

/// Where each name first stands as a word of its own, in front of any dots.
pub(super) fn first_words(source: &str) -> HashMap<&str, usize> {
    let between = |c: char| !(c.is_alphanumeric() || c == '_' || c == '.');
    let mut first = HashMap::new();
    let mut at = 0;
    for words in source.split_inclusive(between) {
        let name = words.split(|c| c == '.' || between(c)).next();
        first.entry(name.unwrap_or_default()).or_insert(at);
        at += words.len();
    }
    first
}
