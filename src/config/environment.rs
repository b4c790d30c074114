//! `${NAME}` and `${NAME:-default}` in the values of the configuration.
//!
//! They are put in before anything is read, so every reader sees what its place would have said. Secrets
//! are none of them: a configuration with a secret in it would be shown, hashed and compared.

use std::{borrow::Cow, env};

use crate::{
    document::{Node, Problems, Value},
    scenario::is_confidential,
};

/// More text than this from the environment is a mistake.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Defaults that have defaults, at most.
const DEEPEST: usize = 8;
/// Braces within each other in a reference that may stand in a mapping on one line.
const MOST_BRACES: usize = 32;
/// What the name of a variable ends in that holds a secret. `TOKEN_FILE` and `AUTH_SERVER` only tell where
/// one is.
const SECRETS: [&str; 10] = [
    "apikey",
    "authorization",
    "credential",
    "credentials",
    "jwt",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "token",
];
/// Before `_KEY`, likewise.
const KEYS: [&str; 4] = ["access", "api", "private", "secret"];
/// YAML's own signs, inside of `${...}` exchanged for others while the document is parsed: in
/// `{ chats: ${CHATS} }` the braces would be a mapping.
const SIGNS: [(char, char); 7] = [
    ('{', '\u{e000}'),
    ('}', '\u{e001}'),
    ('[', '\u{e002}'),
    (']', '\u{e003}'),
    (',', '\u{e004}'),
    (':', '\u{e005}'),
    ('#', '\u{e006}'),
];

/// The text of a configuration in which `${...}` may stand in mappings and lists on one line. Every
/// character keeps its line and column.
pub(super) fn shield(text: &str) -> Cow<'_, str> {
    let taken = |c| SIGNS.iter().any(|(_, stand_in)| *stand_in == c);
    if !text.contains("${") || text.contains(taken) {
        return Cow::Borrowed(text);
    }
    let mut shielded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("${") {
        let (before, from) = rest.split_at(begin);
        shielded.push_str(before);
        // What is none is left to the parser, and to whoever puts the values in.
        let end = reference_length(from).unwrap_or(1);
        let (reference, after) = from.split_at(end);
        shielded.extend(
            reference
                .chars()
                .map(|c| exchanged(c, |(sign, other)| (sign, other))),
        );
        rest = after;
    }
    shielded.push_str(rest);
    Cow::Owned(shielded)
}

/// The bytes of a reference on one line at the beginning of a text, with [`MOST_BRACES`] within each other at most.
fn reference_length(text: &str) -> Option<usize> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let inside = text.get(2..)?;
    let name = inside.split(|c| !is_of_name(c)).next()?;
    let behind = &inside[name.len()..];
    if !is_variable(name) || !(behind.starts_with('}') || behind.starts_with(":-")) {
        return None;
    }
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' if depth < MOST_BRACES => depth += 1,
            '}' if depth == 1 => return Some(at + 1),
            '}' => depth -= 1,
            '{' | '\n' => return None,
            _ => {}
        }
    }
    None
}

/// Takes what [`shield`] did back out of what was parsed.
pub(super) fn unshield(node: &mut Node) {
    match &mut node.value {
        Value::Text(text) => *text = unshielded(text),
        Value::List(list) => list.iter_mut().for_each(unshield),
        Value::Map(entries) => {
            for entry in entries {
                entry.key = unshielded(&entry.key);
                unshield(&mut entry.node);
            }
        }
        Value::Null | Value::Boolean(_) | Value::Number(_) => {}
    }
}

fn unshielded(text: &str) -> String {
    let back = |(sign, other)| (other, sign);
    text.chars().map(|c| exchanged(c, back)).collect()
}

fn exchanged(c: char, direction: impl Fn((char, char)) -> (char, char)) -> char {
    let found = SIGNS
        .iter()
        .map(|pair| direction(*pair))
        .find(|(from, _)| *from == c);
    found.map_or(c, |(_, to)| to)
}

/// Where the brace stands that closes the `${` at the beginning of a text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(at),
            '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// Puts the environment into every value of a configuration.
pub(super) fn insert(root: &mut Node, lookup: Lookup<'_>, problems: &Problems) {
    let mut environment = Environment {
        problems,
        lookup,
        bytes_left: MOST_BYTES,
        around: Vec::new(),
    };
    environment.visit(root);
}

/// Finds the value of a variable, as [`env::var`] does.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Result<String, env::VarError>;

struct Environment<'a> {
    problems: &'a Problems,
    lookup: Lookup<'a>,
    /// How many bytes may still come from the environment.
    bytes_left: usize,
    /// The keys of the mappings around the value.
    around: Vec<String>,
}

/// What is wrong, and how many bytes into the text.
type Wrong = (usize, String);

impl Environment<'_> {
    fn visit(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::Text(_) => self.visit_text(node),
            Value::List(list) => list.iter_mut().for_each(|node| self.visit(node)),
            Value::Map(entries) => {
                for entry in entries {
                    self.around.push(entry.key.clone());
                    self.visit(&mut entry.node);
                    self.around.pop();
                }
            }
            Value::Null | Value::Boolean(_) | Value::Number(_) => {}
        }
    }

    fn visit_text(&mut self, node: &mut Node) {
        let Value::Text(text) = &node.value else {
            return;
        };
        if !text.contains('$') {
            return;
        }
        let text = text.clone();
        if self.is_secret() {
            if let Some(at) = text.find("${") {
                let message = "nothing of the environment is put in here, so that no secret gets into the \
                               configuration; write `{ env: NAME }` or `{ file: PATH }`";
                self.refuse(node, at, message);
            }
            return;
        }
        match self.expand(&text, 0) {
            Ok(expanded) => node.take_outside(expanded),
            Err((at, message)) => self.refuse(node, at, &message),
        }
    }

    fn refuse(&self, node: &Node, at: usize, message: &str) {
        self.problems.add(&node.place_in_text(at), message);
        self.problems.explain(&node.place);
    }

    /// Whether the value is a source of a secret.
    fn is_secret(&self) -> bool {
        let around: Vec<_> = self.around.iter().map(String::as_str).collect();
        matches!(
            around[..],
            ["targets", _, "secrets", ..] | ["push", "token" | "basic", ..]
        )
    }

    /// The name of the variable or input whose value this is.
    fn parameter(&self) -> Option<&str> {
        match &self.around[..] {
            [_, _, group, name] if ["variables", "inputs"].contains(&group.as_str()) => Some(name),
            _ => None,
        }
    }

    fn expand(&mut self, text: &str, depth: usize) -> Result<String, Wrong> {
        let mut expanded = String::with_capacity(text.len());
        let mut at = 0;
        while let Some(found) = text[at..].find('$') {
            let dollar = at + found;
            expanded.push_str(&text[at..dollar]);
            let rest = &text[dollar..];
            at = if rest.starts_with("$$") {
                expanded.push('$');
                dollar + 2
            } else if rest.starts_with("${") {
                let close = closing(rest).ok_or_else(|| {
                    let message =
                        "this `${` is never closed; write `${NAME}`, or `$$` for a dollar";
                    (dollar, message.to_owned())
                })?;
                let value = self.value(&rest[2..close], depth);
                expanded += &value.map_err(|(offset, message)| (dollar + offset, message))?;
                dollar + close + 1
            } else {
                expanded.push('$');
                dollar + 1
            };
        }
        expanded.push_str(&text[at..]);
        Ok(expanded)
    }

    /// The value of what stands between the braces.
    fn value(&mut self, reference: &str, depth: usize) -> Result<String, Wrong> {
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        if !is_variable(name) {
            let message = format!(
                "`${{{reference}}}` is not understood; write `${{NAME}}` or `${{NAME:-default}}`, or `$$` for a dollar"
            );
            return Err((0, message));
        }
        self.refuse_secret(name)?;
        let value = match (self.lookup)(name) {
            Ok(value) => Some(value),
            Err(env::VarError::NotPresent) => None,
            Err(env::VarError::NotUnicode(_)) => {
                return Err((0, format!("the environment variable `{name}` is not UTF-8")));
            }
        };
        match (value, default) {
            (Some(value), None) => self.take(value),
            (Some(value), Some(_)) if !value.is_empty() => self.take(value),
            (_, Some(_)) if depth == DEEPEST => Err((
                0,
                format!("more than {DEEPEST} defaults inside of each other"),
            )),
            (_, Some(default)) => {
                // `${NAME:-` stands before it.
                let offset = name.len() + 4;
                let value = self.expand(default, depth + 1);
                value.map_err(|(at, message)| (offset + at, message))
            }
            (None, None) => {
                let message = format!(
                    "the environment variable `{name}` is not set; set it before starting chatprobe, \
                     or give it a default: `${{{name}:-default}}`"
                );
                Err((0, message))
            }
        }
    }

    fn take(&mut self, value: String) -> Result<String, Wrong> {
        match self.bytes_left.checked_sub(value.len()) {
            Some(left) => self.bytes_left = left,
            None => {
                return Err((
                    0,
                    format!("more than {MOST_BYTES} bytes of the environment"),
                ));
            }
        }
        Ok(value)
    }

    /// A secret belongs under `secrets`, where nobody is shown it.
    fn refuse_secret(&self, variable: &str) -> Result<(), Wrong> {
        let by_key = self.parameter().filter(|name| is_confidential(name));
        if by_key.is_none() && !holds_secret(variable) {
            return Ok(());
        }
        let what = by_key.unwrap_or(variable);
        let instead = if self.around.first().is_some_and(|first| first == "push") {
            format!("`{{ env: {variable} }}`")
        } else {
            let name = self.parameter().unwrap_or("name");
            format!(
                "`{name}: {{ env: {variable} }}` under `secrets` of the target, and `target.{name}` in the scenario"
            )
        };
        Err((
            0,
            format!(
                "`{what}` is the name of a secret, which is not put into the configuration; write {instead}"
            ),
        ))
    }
}

fn holds_secret(variable: &str) -> bool {
    let name = variable.to_ascii_lowercase();
    let mut words = name.rsplit('_');
    let last = words.next().unwrap_or_default();
    let before = words.next().unwrap_or_default();
    SECRETS.contains(&last) || (last == "key" && KEYS.contains(&before))
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests;
