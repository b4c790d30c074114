//! The addresses that a target names.

use crate::{
    document::{Node, Problems},
    driver::{Origin, Origins},
};

/// Reads the address of a target, or one that has the form of one.
pub fn read_url(node: &Node, problems: &Problems) -> Option<String> {
    let text = node.text("an address such as `https://chat.example.com`", problems)?;
    check_url(text)
        .map_err(|message| problems.add(&node.place, message))
        .ok()
}

/// The address of a target as it is kept, or why it cannot be one.
pub fn check_url(text: &str) -> Result<String, String> {
    match url::Url::parse(text) {
        Ok(url) if ["http", "https"].contains(&url.scheme()) && url.has_host() => {
            if !url.username().is_empty() || url.password().is_some() {
                return Err(
                    "credentials do not belong in an address; use `secrets` and a header"
                        .to_owned(),
                );
            }
            if url.query().is_some() || url.fragment().is_some() {
                return Err(
                    "paths are put behind this address, so it cannot have a `?` or `#`; use `query` in the scenario"
                        .to_owned(),
                );
            }
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(format!(
            "`{text}` is not an address; write for instance `https://chat.example.com`"
        )),
    }
}

/// Reads the servers besides its own that a target may lead to.
pub(super) fn read_also(node: &Node, problems: &Problems) -> Origins {
    let nodes = node.list("a list such as `[https://files.example.com]`", problems);
    let wanted = "an address such as `https://files.example.com`";
    let read = |node: &Node| node.parsed(wanted, Origin::read, problems);
    nodes.iter().filter_map(read).collect()
}
