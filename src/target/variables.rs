//! The variables that expressions find as `target.name`.

use std::collections::BTreeMap;

use crate::{
    document::{Entry, Problems},
    scenario::{Parameter, is_name},
};

/// Reads variables, each with `read`.
pub(super) fn read_variables(
    entries: &[Entry],
    read: impl Fn(&Entry) -> Option<Parameter>,
    problems: &Problems,
) -> BTreeMap<String, Parameter> {
    let mut variables = BTreeMap::new();
    for entry in entries {
        check_variable(entry, problems);
        if let Some(parameter) = read(entry) {
            variables.insert(entry.key.clone(), parameter);
            continue;
        }
        let wanted = match entry.node.as_written() {
            // Such as `null`.
            Some(_) => "text (this word in quotes), a number or a boolean",
            None => "text, a number or a boolean",
        };
        entry.node.expected(wanted, problems);
    }
    variables
}

/// Expressions write `target.name`, which not every text can be.
pub(super) fn check_variable(entry: &Entry, problems: &Problems) {
    let name = &entry.key;
    if name == "name" || name == "url" {
        problems.add(
            &entry.place,
            format!("every target has a `{name}` of its own; take another name"),
        );
    } else if !is_name(name) {
        problems.add(
            &entry.place,
            format!(
                "`{name}` cannot be the name of a variable; use letters, digits and `_`, a letter first"
            ),
        );
    }
}
