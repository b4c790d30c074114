//! Where secrets are read from.

use std::path::Path;

use secrecy::SecretString;

use crate::{
    document::{Mapping, Node, Problems},
    plain_words,
};

/// `{ env: NAME }` or `{ file: PATH }`; a path is relative to the configuration.
pub(super) fn read_secret(
    node: &Node,
    directory: &Path,
    problems: &Problems,
) -> Option<SecretString> {
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
