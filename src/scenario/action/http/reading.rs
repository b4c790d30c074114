use hyper::Method;

use crate::{
    document::{Mapping, Node, Problems, Value},
    scenario::{Names, Template},
};

/// Methods that can be written as the key of the address.
pub(super) const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

/// With what an address begins that does not begin with an expression.
pub(super) const SCHEMES: [&str; 2] = ["http://", "https://"];

/// Fields of a form; a list makes several of one name.
pub(super) fn read_fields(
    node: &Node,
    names: &Names,
    problems: &Problems,
) -> Vec<(String, Template)> {
    let mut fields = Vec::new();
    for entry in node.entries("a mapping of names and texts", problems) {
        let values = match &entry.node.value {
            Value::List(list) => list.as_slice(),
            _ => std::slice::from_ref(&entry.node),
        };
        for value in values {
            let template = Template::read(value, names, problems);
            fields.extend(template.map(|template| (entry.key.clone(), template)));
        }
    }
    fields
}

/// `post: URL`, or `method: PURGE` with `url: URL` for a method that has no key of its own.
pub(super) fn read_address<'a>(
    map: &mut Mapping<'a>,
    problems: &Problems,
) -> Option<(Method, &'a Node)> {
    if let Some(node) = map.get("method") {
        let url = map.need("url");
        let method = node.parsed("a method such as `PURGE`", read_method, problems)?;
        return Some((method, url?));
    }
    if map.get("url").is_some() {
        map.need("method");
        return None;
    }
    let (method, node) = map.one_of(&METHODS)?;
    Some((read_method(method).ok()?, node))
}

pub(super) fn read_method(text: &str) -> Result<Method, String> {
    Method::from_bytes(text.to_ascii_uppercase().as_bytes())
        .map_err(|_| format!("`{text}` is not a method; write letters only, such as `PURGE`"))
}

pub(super) fn read_templates(
    node: &Node,
    names: &Names,
    problems: &Problems,
) -> Vec<(String, Template)> {
    node.entries("a mapping of names and texts", problems)
        .iter()
        .filter_map(|entry| {
            Template::read(&entry.node, names, problems)
                .map(|template| (entry.key.clone(), template))
        })
        .collect()
}
