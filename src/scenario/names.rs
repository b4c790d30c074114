use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    document::{Node, Place, Problems, Value, did_you_mean},
    driver::Origins,
};

/// In which part of a scenario an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// `setup`: once per run, before any chat.
    Setup,
    /// `steps`: inside a chat.
    Chat,
    /// `always`: the end of a chat, which knows whether it passed.
    Cleanup,
    /// `teardown`: once per run, after the last chat.
    Teardown,
}

impl Part {
    /// Whether what stands here is done by a chat.
    pub(super) fn is_chat(self) -> bool {
        matches!(self, Self::Chat | Self::Cleanup)
    }
}

/// What an expression looks at besides the variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing: it shapes a request or a pause, or decides about a step.
    Nothing,
    /// The request that is being made: its signature is one of its headers.
    Request,
    /// The answer to a request.
    Answer,
    /// An inbound event.
    Event,
    /// A request on a callback path, before its events are taken.
    Delivery,
    /// One of them; which one, a problem elsewhere in the step keeps from knowing.
    Either,
}

/// Which variables exist at a point of the scenario, kept while it is read from top to bottom.
#[derive(Debug)]
pub struct Names {
    /// Those with a problem of their own included: to use one is no second problem.
    inputs: BTreeSet<String>,
    callbacks: bool,
    part: Part,
    look: Look,
    repeats: usize,
    captured: BTreeSet<String>,
    /// Captures of the chats, which are over when `teardown` runs.
    of_chats: BTreeSet<String>,
    /// Captures of the whole scenario: name, and the step that makes it.
    ahead: BTreeMap<String, String>,
    /// Variables of the target that the scenario uses, and where it first does.
    target: RefCell<BTreeMap<String, Place>>,
    /// Whether expressions about events look at more of their request.
    looks_at_delivery: Cell<bool>,
    looks_at_raw_body: Cell<bool>,
    /// Where `cookies` is first used.
    cookies: RefCell<Option<Place>>,
    /// Servers that addresses of requests name.
    origins: Origins,
    /// Any name goes: for tests of templates alone.
    open: bool,
}

impl Names {
    pub(super) fn new(callbacks: bool, scenario: &Node) -> Self {
        let inputs = match scenario.find("inputs").map(|node| &node.value) {
            Some(Value::Map(entries)) => entries.iter().map(|entry| entry.key.clone()).collect(),
            _ => BTreeSet::new(),
        };
        let mut ahead = BTreeMap::new();
        find_captures(scenario, &mut ahead);
        Self {
            inputs,
            callbacks,
            part: Part::Setup,
            look: Look::Nothing,
            repeats: 0,
            captured: BTreeSet::new(),
            of_chats: BTreeSet::new(),
            ahead,
            target: RefCell::default(),
            looks_at_delivery: Cell::default(),
            looks_at_raw_body: Cell::default(),
            cookies: RefCell::default(),
            origins: Origins::default(),
            open: false,
        }
    }

    #[cfg(test)]
    pub(super) fn open() -> Self {
        let nothing = crate::document::parse("", "").expect("an empty document");
        Self {
            open: true,
            ..Names::new(true, &nothing)
        }
    }

    pub(super) fn enter(&mut self, part: Part) {
        self.part = part;
    }

    pub(super) fn part(&self) -> Part {
        self.part
    }

    pub(super) fn look_at(&mut self, look: Look) {
        self.look = look;
    }

    pub(super) fn has_callbacks(&self) -> bool {
        self.callbacks
    }

    pub(super) fn look_at_delivery(&self) -> bool {
        self.looks_at_delivery.get()
    }

    pub(super) fn look_at_raw_body(&self) -> bool {
        self.looks_at_raw_body.get()
    }

    /// From here on the variable may exist.
    pub(super) fn capture(&mut self, name: &str) {
        self.captured.insert(name.to_owned());
    }

    pub(super) fn captured(&self) -> &BTreeSet<String> {
        &self.captured
    }

    /// Whether any step captures this variable.
    pub(super) fn captured_somewhere(&self, name: &str) -> Result<(), String> {
        if self.ahead.contains_key(name) {
            return Ok(());
        }
        let hint = did_you_mean(name, self.ahead.keys().map(String::as_str));
        Err(format!("no step captures `{name}`{hint}"))
    }

    pub(super) fn forget_captures_but(&mut self, kept: BTreeSet<String>) {
        self.of_chats = self.captured.difference(&kept).cloned().collect();
        self.captured = kept;
    }

    /// Inside a repeat, what one round captures the next one can use.
    pub(super) fn begin_repeat(&mut self, body: &Node) {
        self.repeats += 1;
        let mut inside = BTreeMap::new();
        find_captures(body, &mut inside);
        self.captured.extend(inside.into_keys());
    }

    pub(super) fn end_repeat(&mut self) {
        self.repeats -= 1;
    }

    pub(super) fn take_cookies(&mut self) -> Option<Place> {
        self.cookies.take()
    }

    /// The scenario names the server of this address.
    pub(super) fn note_address(&mut self, address: &str) {
        self.origins.add_address(address);
    }

    pub(super) fn take_origins(&mut self) -> Origins {
        std::mem::take(&mut self.origins)
    }

    pub(super) fn into_target_variables(self) -> BTreeMap<String, Place> {
        self.target.into_inner()
    }

    /// Notes every variable that cannot exist here; true if there is none. `variables` are dotted
    /// paths as minijinja lists them; `source` stands `offset` bytes into the node's text.
    pub(super) fn check(
        &self,
        variables: &BTreeSet<String>,
        source: &str,
        offset: usize,
        node: &Node,
        problems: &Problems,
    ) -> bool {
        let mut known = true;
        for path in variables {
            let mut segments = path.split('.');
            let name = segments.next().unwrap_or_default();
            let field = segments.next();
            let place = node.place_in_text(offset + position(source, name));
            if name == "target"
                && let Some(field) = field
            {
                self.target
                    .borrow_mut()
                    .entry(field.to_owned())
                    .or_insert(place);
            } else if name == "cookies" {
                self.cookies.borrow_mut().get_or_insert(place);
            } else if let Err(message) = self.resolve(name, field) {
                problems.add(&place, message);
                known = false;
            }
        }
        known
    }

    fn resolve(&self, name: &str, field: Option<&str>) -> Result<(), String> {
        if self.open || self.captured.contains(name) || is_global(name) {
            return Ok(());
        }
        match name {
            "target" => Ok(()),
            "inputs" => self.resolve_input(field),
            "run" => one_of(name, field, &["id"]),
            "chat" if !self.part.is_chat() => {
                Err("there is no `chat` here: `setup` and `teardown` run once per run".to_owned())
            }
            "chat" => one_of(name, field, &["number", "id"]),
            "callback" if self.callbacks => one_of(name, field, &["url"]),
            "callback" => {
                Err("`callback` needs the scenario to say `callbacks: { key: ... }`".to_owned())
            }
            "passed" if self.part == Part::Cleanup => Ok(()),
            "passed" => Err("`passed` is known only in `always`".to_owned()),
            "repeat" if self.repeats > 0 => one_of(name, field, &["index"]),
            "repeat" => Err("`repeat` is known only inside a `repeat`".to_owned()),
            "status" | "headers" | "headers_all" | "body"
                if matches!(self.look, Look::Answer | Look::Either) =>
            {
                Ok(())
            }
            "request" if self.look == Look::Request => one_of(name, field, &REQUEST),
            "event" if matches!(self.look, Look::Event | Look::Delivery | Look::Either) => Ok(()),
            "headers" | "method" | "query" | "delivery" if self.look == Look::Event => {
                self.looks_at_delivery.set(true);
                Ok(())
            }
            "headers" | "method" | "query" | "delivery" if self.look == Look::Delivery => Ok(()),
            "method" | "query" | "delivery" if self.look == Look::Either => Ok(()),
            "raw_body" if self.look == Look::Delivery => {
                self.looks_at_raw_body.set(true);
                Ok(())
            }
            "elapsed" if !matches!(self.look, Look::Nothing | Look::Request) => Ok(()),
            _ => Err(self.undefined(name)),
        }
    }

    fn resolve_input(&self, field: Option<&str>) -> Result<(), String> {
        let Some(field) = field else { return Ok(()) };
        if self.inputs.contains(field) {
            return Ok(());
        }
        let hint = did_you_mean(field, self.inputs.iter().map(String::as_str));
        Err(format!("the scenario has no input `{field}`{hint}"))
    }

    fn undefined(&self, name: &str) -> String {
        if let Some(step) = self.ahead.get(name) {
            if self.of_chats.contains(name) {
                return format!(
                    "`{name}` belongs to a chat: step `{step}` captures it, and `teardown` sees only what `setup` captured"
                );
            }
            return format!(
                "`{name}` does not exist yet: step `{step}` captures it, and does not run before this"
            );
        }
        let hint = match name {
            "status" | "headers" | "headers_all" | "body" => {
                "; it is known in `expect` and `capture` of an `http` step".to_owned()
            }
            "request" => "; it is known in the `headers` of an `http` step".to_owned(),
            "event" => "; it is known where a `wait_for` looks at an event".to_owned(),
            "raw_body" => "; it is known in `accept` and `verify` of `callbacks`".to_owned(),
            "method" | "query" | "delivery" => {
                "; it is known in `callbacks` and where a `wait_for` looks at an event".to_owned()
            }
            "elapsed" => "; it is known in `expect` and `capture`".to_owned(),
            _ => did_you_mean(name, self.candidates()),
        };
        format!("undefined variable `{name}`{hint}")
    }

    fn candidates(&self) -> impl Iterator<Item = &str> {
        let roots: &[&str] = match self.look {
            Look::Nothing => &["target", "inputs", "run", "chat", "callback", "cookies"],
            Look::Request => &[
                "target", "inputs", "run", "chat", "callback", "cookies", "request",
            ],
            Look::Answer | Look::Either => &[
                "target",
                "inputs",
                "run",
                "chat",
                "cookies",
                "status",
                "headers",
                "headers_all",
                "body",
                "elapsed",
            ],
            Look::Event => &[
                "target", "inputs", "run", "chat", "cookies", "event", "headers", "query",
                "method", "delivery", "elapsed",
            ],
            Look::Delivery => &[
                "target", "inputs", "run", "event", "headers", "query", "method", "raw_body",
            ],
        };
        self.captured
            .iter()
            .map(String::as_str)
            .chain(roots.iter().copied())
    }
}

fn one_of(root: &str, field: Option<&str>, fields: &[&str]) -> Result<(), String> {
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

/// Functions such as `range` are listed as variables too.
fn is_global(name: &str) -> bool {
    super::expression::Undefined::Allowed
        .environment()
        .globals()
        .any(|(global, _)| global == name)
}

/// Where `name` first stands as a word of its own.
fn position(source: &str, name: &str) -> usize {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    source
        .match_indices(name)
        .find(|(at, _)| {
            let before = source[..*at].chars().next_back();
            let after = source[at + name.len()..].chars().next();
            !before.is_some_and(word) && !after.is_some_and(|c| word(c) && c != '.')
        })
        .map_or(0, |(at, _)| at)
}

fn find_captures(node: &Node, found: &mut BTreeMap<String, String>) {
    match &node.value {
        Value::List(list) => list.iter().for_each(|node| find_captures(node, found)),
        Value::Map(entries) => {
            if let (Some(step), Some(capture)) = (node.find("step"), node.find("capture"))
                && let (Value::Text(step), Value::Map(captures)) = (&step.value, &capture.value)
            {
                for capture in captures {
                    found
                        .entry(capture.key.clone())
                        .or_insert_with(|| step.clone());
                }
            }
            for entry in entries {
                find_captures(&entry.node, found);
            }
        }
        _ => {}
    }
}

/// What is known of the request that is being made.
const REQUEST: [&str; 5] = ["method", "url", "path", "query", "body"];

/// Variables that a capture would hide, and the words of expressions.
pub(super) const RESERVED: [&str; 29] = [
    "cookies",
    "headers_all",
    "request",
    "target",
    "inputs",
    "run",
    "chat",
    "callback",
    "passed",
    "repeat",
    "status",
    "headers",
    "body",
    "event",
    "elapsed",
    "method",
    "query",
    "delivery",
    "raw_body",
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "true",
    "false",
    "none",
];

/// Names of inputs, steps and captures: they become labels and variables.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
