//! Where secrets are read from.

use std::{collections::BTreeMap, path::Path};

use secrecy::SecretString;

use super::variables::check_variable;
use crate::{
    document::{Mapping, Node, Problems},
    plain_words,
    scenario::Parameter,
};

/// Reads the secrets of a target, none of which may go by the name of one of its variables.
pub(super) fn read_secrets(
    node: &Node,
    variables: &BTreeMap<String, Parameter>,
    directory: &Path,
    problems: &Problems,
) -> BTreeMap<String, SecretString> {
    let entries = node.entries("a mapping of names and sources", problems);
    let secrets = entries.iter().filter_map(|entry| {
        check_variable(entry, problems);
        if variables.contains_key(&entry.key) {
            problems.add(
                &entry.place,
                format!("`{}` is a variable already; keep one of the two", entry.key),
            );
        }
        let value = read_secret(&entry.node, directory, problems)?;
        Some((entry.key.clone(), value))
    });
    secrets.collect()
}

/// `{ env: NAME }` or `{ file: PATH }`; a path is relative to the configuration.
pub fn read_secret(node: &Node, directory: &Path, problems: &Problems) -> Option<SecretString> {
    let mut map = Mapping::open(
        node,
        "where the secret is: `{ env: NAME }` or `{ file: PATH }`",
        problems,
    )?;
    let source = map.one_of(&["env", "file"]);
    map.finish();
    let (kind, node) = source?;
    let name = &*node.scalar_text("a name", problems)?;
    let value = if kind == "env" {
        std::env::var(name).map_err(|_| {
            format!(
                "the environment variable `{name}` is not set; set it before starting chatprobe"
            )
        })
    } else {
        let path = directory.join(name);
        std::fs::read_to_string(&path)
            .map(|text| text.trim_end().to_owned())
            .map_err(|error| {
                let why = plain_words::of_system(&error);
                format!("cannot read the secret file `{}`: {why}", path.display())
            })
    };
    value
        .and_then(|value| {
            if value.is_empty() {
                return Err(format!("the secret in `{name}` is empty"));
            }
            Ok(SecretString::from(value))
        })
        .map_err(|message| problems.add(&node.place, message))
        .ok()
}
