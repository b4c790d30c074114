use hyper::header::HeaderName;

use super::reading::read_templates;
use crate::{
    document::{Node, Problems, Value},
    scenario::{Names, Template},
};

/// Headers that say where a message ends. With a wrong one the server waits for more, or takes the rest for
/// another request.
const OF_MESSAGE: [&str; 2] = ["content-length", "transfer-encoding"];

/// Reads names of headers and what they say.
pub(in crate::scenario) fn read_headers(
    node: &Node,
    names: &Names,
    problems: &Problems,
) -> Vec<(String, Template)> {
    check_header_names(node, problems);
    read_templates(node, names, problems)
}

pub(super) fn check_header_names(node: &Node, problems: &Problems) {
    let Value::Map(entries) = &node.value else {
        return;
    };
    for entry in entries {
        let name = &entry.key;
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            problems.add(
                &entry.place,
                format!("`{name}` cannot be the name of a header; write for instance `x-api-key`"),
            );
        } else if (OF_MESSAGE.iter()).any(|of_message| of_message.eq_ignore_ascii_case(name)) {
            problems.add(
                &entry.place,
                format!("`{name}` is set by chatprobe from the body that it sends; leave it out"),
            );
        }
    }
}
