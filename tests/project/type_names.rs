//! Each type has a name of its own.

use std::collections::BTreeMap;

use super::architecture::{is_test, sources};

/// The name of the type that a line of code defines for other files.
fn shown_type(line: &str) -> Option<&str> {
    let item = line.trim_start().strip_prefix("pub")?;
    let item = match item.strip_prefix('(') {
        Some(restricted) => restricted.split_once(')')?.1,
        None => item,
    };
    let (keyword, rest) = item.trim_start().split_once(' ')?;
    let defines = ["struct", "enum", "trait", "type", "union"].contains(&keyword);
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    defines.then(|| &rest[..end.unwrap_or(rest.len())])
}

#[test]
fn types_are_found_whoever_may_use_them() {
    for (line, found) in [
        ("pub struct Plan {", Some("Plan")),
        ("pub(super) enum Mode {", Some("Mode")),
        ("    pub(in crate::web) trait Show: Sized {", Some("Show")),
        ("pub(crate) type Text<'a> = &'a str;", Some("Text")),
        ("pub struct Name(pub String);", Some("Name")),
        ("struct Own;", None),
        ("pub fn struct_of() {", None),
        ("    type Err = String;", None),
        ("/// pub struct Plan", None),
    ] {
        assert_eq!(shown_type(line), found, "{line}");
    }
}

/// Whoever reads a name in one file knows what it is, whatever file it is imported from.
#[test]
fn no_two_types_that_other_files_use_have_the_same_name() {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources() {
        if is_test(&path) {
            continue;
        }
        let code = text.split("mod tests {").next().unwrap_or_default();
        for name in code.lines().filter_map(shown_type) {
            let file = path.display().to_string();
            files.entry(name.to_owned()).or_default().push(file);
        }
    }
    assert!(files.len() > 300, "only {} types are found", files.len());
    files.retain(|_, files| files.len() > 1);
    assert!(files.is_empty(), "{files:#?}");
}
