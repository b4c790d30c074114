use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{Parameter, Parameters, is_name};
use crate::{
    document::{Entry, Mapping, Node, Place, Problems, Value},
    units::duration,
};

/// A typed parameter of a scenario.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its name, used as `inputs.name`.
    pub name: String,
    /// What it takes.
    pub kind: InputKind,
    /// What it is unless somebody says otherwise; `None`: somebody has to.
    pub default: Option<Parameter>,
    /// For people.
    pub description: Option<String>,
    /// Where it is declared.
    pub place: Place,
}

/// The value of every input of a scenario, given what was set; anything wrong is noted.
pub(super) fn resolve(
    scenario: &str,
    inputs: &[Input],
    set: &[Entry],
    place: &Place,
    problems: &Problems,
) -> Option<Parameters> {
    let before = problems.count();
    let known: BTreeSet<_> = inputs.iter().map(|input| input.name.as_str()).collect();
    for entry in set {
        if !known.contains(&*entry.key) {
            let hint = problems.hint(&entry.key, known.iter().copied());
            problems.add(
                &entry.place,
                format!("scenario `{scenario}` has no input `{}`{hint}", entry.key),
            );
        }
    }
    let set: BTreeMap<_, _> = (set.iter())
        .map(|entry| (entry.key.as_str(), &entry.node))
        .collect();
    let mut values = Vec::new();
    for input in inputs {
        let value = match set.get(&*input.name) {
            Some(node) => input.accept(node, problems),
            None if input.default.is_none() => {
                let message = format!(
                    "input `{}` of scenario `{scenario}` has no default; set it here",
                    input.name
                );
                problems.add(place, message);
                None
            }
            None => input.default.clone(),
        };
        values.extend(value.map(|value| (input.name.clone(), value)));
    }
    (problems.count() == before).then(|| values.into_iter().collect())
}

/// What an input takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// Any text.
    Text,
    /// A whole number, zero or more.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A duration such as `5s`.
    Duration,
}

const KINDS: [(&str, InputKind); 5] = [
    ("text", InputKind::Text),
    ("integer", InputKind::Integer),
    ("number", InputKind::Number),
    ("boolean", InputKind::Boolean),
    ("duration", InputKind::Duration),
];

impl fmt::Display for InputKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = KINDS.iter().find(|(_, kind)| kind == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

impl Input {
    /// Reads the `inputs:` of a scenario: `name: default`, or
    /// `name: { type: duration, default: 5s, description: ... }`.
    pub(super) fn read_all(node: &Node, problems: &Problems) -> Vec<Self> {
        node.entries("a mapping of names and defaults", problems)
            .iter()
            .filter_map(|entry| Self::read(entry, problems))
            .collect()
    }

    fn read(entry: &Entry, problems: &Problems) -> Option<Self> {
        if !is_name(&entry.key) {
            problems.add(
                &entry.place,
                format!(
                    "`{}` cannot be the name of an input; use letters, digits and `_`, a letter first",
                    entry.key
                ),
            );
            return None;
        }
        let mut input = Self {
            name: entry.key.clone(),
            kind: InputKind::Text,
            default: None,
            description: None,
            place: entry.place.clone(),
        };
        let Value::Map(_) = &entry.node.value else {
            input.kind = infer(&entry.node, problems)?;
            input.default = Some(input.accept(&entry.node, problems)?);
            return Some(input);
        };
        let mut map = Mapping::open(&entry.node, "an input", problems)?;
        let kind = map.need("type").and_then(|node| {
            let text = node.text("the name of a type", problems)?;
            let kind = KINDS.iter().find(|(name, _)| *name == text);
            if kind.is_none() {
                let names = KINDS.map(|(name, _)| name);
                let hint = problems.hint(text, names);
                let known = names.map(|name| format!("`{name}`")).join(", ");
                problems.add(
                    &node.place,
                    format!("unknown type `{text}`{hint} (there is {known})"),
                );
            }
            kind.map(|(_, kind)| *kind)
        });
        let default = map.get("default");
        input.description = map
            .get("description")
            .and_then(|node| node.text("text", problems))
            .map(str::to_owned);
        map.finish();
        input.kind = kind?;
        if let Some(node) = default {
            input.default = Some(input.accept(node, problems)?);
        }
        Some(input)
    }

    /// The value of this input that a node stands for; a value of another type is a problem.
    pub fn accept(&self, node: &Node, problems: &Problems) -> Option<Parameter> {
        let value = match (self.kind, &*node.typed()) {
            (InputKind::Text, _) => node.as_written().map(Parameter::text),
            (InputKind::Integer, Value::Number(number)) => number
                .whole()
                .filter(|whole| *whole >= 0)
                .map(Parameter::whole),
            (InputKind::Number, Value::Number(number)) => Parameter::number(number),
            (InputKind::Boolean, Value::Boolean(value)) => Some(Parameter::boolean(*value, node)),
            (InputKind::Duration, Value::Text(text)) if !text.is_empty() => {
                match duration::parse(text) {
                    Ok(_) => Some(Parameter::text(text.trim())),
                    Err(error) => {
                        problems.add(&node.place, format!("input `{}`: {error}", self.name));
                        return None;
                    }
                }
            }
            _ => None,
        };
        if value.is_none() {
            self.refuse(node, problems);
        }
        value
    }

    fn refuse(&self, node: &Node, problems: &Problems) {
        let typed = node.typed();
        let wanted = match (self.kind, &*typed) {
            (InputKind::Integer, Value::Number(number))
                if number.is_whole() && number.approximate() > 0.0 =>
            {
                "a whole number of at most 38 digits (`type: text` takes any)"
            }
            (InputKind::Number, Value::Number(_)) => {
                "a number below 1e308 (`type: text` takes any)"
            }
            (kind, _) => kind.wanted(),
        };
        let found = match &node.value {
            Value::Number(number) => number.as_written().to_owned(),
            Value::Text(text) => format!("`{text}`"),
            _ => node.kind().to_owned(),
        };
        let name = &self.name;
        problems.add(
            &node.place,
            format!("input `{name}` takes {wanted}, found {found}"),
        );
    }
}

impl InputKind {
    fn wanted(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "a whole number of at least 0",
            Self::Number => "a number",
            Self::Boolean => "`true` or `false`",
            Self::Duration => "a duration such as `5s`",
        }
    }
}

/// The type of an input is that of its default, unless it says so itself.
fn infer(node: &Node, problems: &Problems) -> Option<InputKind> {
    match &node.value {
        Value::Boolean(_) => Some(InputKind::Boolean),
        // Such as `007` and `+49170`, which are not meant to be calculated with.
        Value::Number(number) if number.json().is_none() => Some(InputKind::Text),
        Value::Number(number) if number.as_written().contains(['.', 'e', 'E']) => {
            Some(InputKind::Number)
        }
        Value::Number(_) => Some(InputKind::Integer),
        // What looks like a negative duration is a mistake and not text.
        Value::Text(text) => Some(match duration::parse(text.trim_start_matches('-')) {
            Ok(_) => InputKind::Duration,
            Err(_) => InputKind::Text,
        }),
        Value::Null | Value::List(_) | Value::Map(_) => {
            node.expected(
                "a default: text, a number, a boolean or a duration",
                problems,
            );
            None
        }
    }
}
