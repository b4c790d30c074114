use std::{sync::Arc, time::Duration};

use super::{
    Action, Expression, Input, Names, Pause, Reason, Setting,
    action::{HttpAction, WaitAction},
    names::{Look, Part},
};
use crate::document::{Mapping, Node, Place, Problems, did_you_mean};

/// How long a step may take that does not say so itself.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// One entry of a list of steps.
#[derive(Debug)]
pub enum Item {
    /// A step with an outcome.
    Step(Step),
    /// A pause.
    Think(Pause),
    /// Entries that run several times.
    Repeat(Repeat),
}

/// `repeat: 3` with `steps:`.
#[derive(Debug)]
pub struct Repeat {
    /// Whether the rounds run at all.
    pub when: Option<Expression>,
    /// How many rounds.
    pub count: Setting<u64>,
    /// What one round does.
    pub items: Vec<Item>,
}

/// One action with what is expected of it and kept from it.
#[derive(Debug)]
pub struct Step {
    /// Its name, unique in the scenario; a metric label.
    pub name: Arc<str>,
    /// Where it is declared.
    pub place: Place,
    /// Whether the step runs; one that does not has no outcome.
    pub when: Option<Expression>,
    /// What it does.
    pub action: Action,
    /// How long it may take.
    pub timeout: Setting<Duration>,
    /// What must hold of the answer or event.
    pub expect: Vec<Expression>,
    /// Whether one of them looks at the status; if none does, it has to be 2xx.
    pub expects_status: bool,
    /// What is kept of it, in the order written.
    pub captures: Vec<(Arc<str>, Expression)>,
    /// The key under which events of this chat will come in.
    pub claim: Option<Expression>,
    /// Which measurement of its own the step feeds.
    pub observe: Option<Observation>,
}

/// Measurements besides the duration of the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Observation {
    /// How long customers wait for an agent.
    AgentJoin,
}

const OBSERVATIONS: [(&str, Observation); 1] = [("agent_join", Observation::AgentJoin)];

impl Step {
    /// The reasons for which this step can fail: one time series each.
    pub fn reasons(&self) -> Vec<Reason> {
        let mut reasons = match (&self.action, self.observe) {
            (Action::Http(_), _) => vec![
                Reason::Dns,
                Reason::Connect,
                Reason::Tls,
                Reason::Timeout,
                Reason::Status,
            ],
            (Action::WaitFor(_), Some(Observation::AgentJoin)) => {
                vec![Reason::AgentJoinTimeout, Reason::Disconnected]
            }
            (Action::WaitFor(_), None) => vec![Reason::ReplyTimeout, Reason::Disconnected],
        };
        reasons.extend([
            Reason::Expectation,
            Reason::Capture,
            Reason::Template,
            Reason::Stopped,
            Reason::Internal,
        ]);
        reasons
    }
}

impl Item {
    /// Calls `visit` for every step in here, in the order written.
    pub fn each_step<'a>(&'a self, visit: &mut impl FnMut(&'a Step)) {
        match self {
            Self::Step(step) => visit(step),
            Self::Think(_) => {}
            Self::Repeat(repeat) => repeat.items.iter().for_each(|item| item.each_step(visit)),
        }
    }
}

/// Reads lists of steps from top to bottom, keeping in mind what exists by then.
pub(super) struct StepReader<'a> {
    pub(super) names: Names<'a>,
    pub(super) inputs: &'a [Input],
    pub(super) problems: &'a Problems,
    /// Names of the steps so far, with the part they stand in.
    pub(super) seen: Vec<(Arc<str>, Place)>,
    /// Whether some step above claims a key.
    pub(super) claimed: bool,
}

impl StepReader<'_> {
    pub(super) fn read_list(&mut self, node: &Node) -> Vec<Item> {
        let list = node.list("a list of steps", self.problems);
        list.iter()
            .filter_map(|node| self.read_item(node))
            .collect()
    }

    fn read_item(&mut self, node: &Node) -> Option<Item> {
        let mut map = Mapping::open(node, "a step", self.problems)?;
        let when = map
            .get("when")
            .and_then(|node| Expression::read(node, &self.names, self.problems));
        match map.one_of(&["step", "think", "repeat"])? {
            ("step", name) => self.read_step(name, when, map).map(Item::Step),
            ("think", pause) => {
                map.finish();
                Pause::read(pause, when, &self.names, self.inputs, self.problems).map(Item::Think)
            }
            (_, count) => {
                let steps = map.need("steps");
                map.finish();
                let count = Setting::read(count, &self.names, self.inputs, self.problems);
                let steps = steps?;
                self.names.begin_repeat(steps);
                let items = self.read_list(steps);
                self.names.end_repeat();
                Some(Item::Repeat(Repeat {
                    when,
                    count: count?,
                    items,
                }))
            }
        }
    }

    fn read_step(
        &mut self,
        name: &Node,
        when: Option<Expression>,
        mut map: Mapping<'_>,
    ) -> Option<Step> {
        let before = self.problems.count();
        let name = self.read_name(name);
        let action = map
            .one_of(&["http", "wait_for"])
            .and_then(|(kind, node)| self.read_action(kind, node, &mut map));
        let timeout = match map.get("timeout") {
            Some(node) => Setting::read(node, &self.names, self.inputs, self.problems),
            None => Some(Setting::Fixed(DEFAULT_TIMEOUT)),
        };
        self.names.look_at(match action {
            Some(Action::WaitFor(_)) => Look::Event,
            _ => Look::Answer,
        });
        let expect = self.read_expectations(map.get("expect"));
        let expects_status = expect
            .iter()
            .any(|expression| expression.mentions("status"));
        let captures = self.read_captures(map.get("capture"));
        self.names.look_at(Look::Nothing);
        let claim = map.get("claim").and_then(|node| self.read_claim(node));
        let observe = map
            .get("observe")
            .and_then(|node| self.read_observation(node));
        let place = map.place.clone();
        map.finish();
        if self.problems.count() > before {
            return None;
        }
        Some(Step {
            name: name?,
            place,
            when,
            action: action?,
            timeout: timeout?,
            expect,
            expects_status,
            captures,
            claim,
            observe,
        })
    }

    fn read_name(&mut self, node: &Node) -> Option<Arc<str>> {
        let name: Arc<str> = node.text("the name of the step", self.problems)?.into();
        if !is_name(&name) {
            self.problems.add(
                &node.place,
                format!("`{name}` cannot be a name; use letters, digits and `_`, a letter first"),
            );
            return None;
        }
        if let Some((_, first)) = self.seen.iter().find(|(seen, _)| *seen == name) {
            self.problems.add(
                &node.place,
                format!(
                    "a second step named `{name}`; the first stands at line {}, and metrics could not tell them apart",
                    first.line
                ),
            );
            return None;
        }
        self.seen.push((name.clone(), node.place.clone()));
        Some(name)
    }

    fn read_action(&mut self, kind: &str, node: &Node, map: &mut Mapping<'_>) -> Option<Action> {
        if kind == "http" {
            return HttpAction::read(node, &self.names, self.problems).map(Action::Http);
        }
        let since = map.get("since").and_then(|node| self.read_since(node));
        if self.names.part() == Part::Run || !self.names.has_callbacks() || !self.claimed {
            let message = if self.names.part() == Part::Run {
                "a `wait_for` belongs to a chat; it cannot stand in `setup` or `teardown`"
            } else if !self.names.has_callbacks() {
                "a `wait_for` needs the scenario to say `callbacks: { key: ... }`"
            } else {
                "no step above this `wait_for` says `claim:`, so no event could ever reach it"
            };
            self.problems.add(&node.place, message);
        }
        self.names.look_at(Look::Event);
        let matches = Expression::read(node, &self.names, self.problems);
        self.names.look_at(Look::Nothing);
        Some(Action::WaitFor(WaitAction {
            matches: matches?,
            since,
        }))
    }

    fn read_since(&mut self, node: &Node) -> Option<Arc<str>> {
        let text = node.text("the name of a step above", self.problems)?;
        let found = self.seen.iter().find(|(name, _)| **name == *text);
        if found.is_none() {
            let hint = did_you_mean(text, self.seen.iter().map(|(name, _)| &**name));
            self.problems.add(
                &node.place,
                format!("no step above is named `{text}`{hint}"),
            );
        }
        found.map(|(name, _)| name.clone())
    }

    fn read_expectations(&mut self, node: Option<&Node>) -> Vec<Expression> {
        let Some(node) = node else { return Vec::new() };
        let nodes = match &node.value {
            crate::document::Value::List(list) => list.as_slice(),
            _ => std::slice::from_ref(node),
        };
        nodes
            .iter()
            .filter_map(|node| Expression::read(node, &self.names, self.problems))
            .collect()
    }

    fn read_captures(&mut self, node: Option<&Node>) -> Vec<(Arc<str>, Expression)> {
        let Some(node) = node else { return Vec::new() };
        let mut captures = Vec::new();
        for entry in node.entries("a mapping of names and expressions", self.problems) {
            let name = entry.key.as_str();
            if !is_name(name) || RESERVED.contains(&name) {
                self.problems.add(
                    &entry.place,
                    format!(
                        "`{name}` cannot be the name of a capture: it is reserved or not a word"
                    ),
                );
                continue;
            }
            if let Some(expression) = Expression::read(&entry.node, &self.names, self.problems) {
                captures.push((name.into(), expression));
            }
            self.names.capture(name);
        }
        captures
    }

    /// `correlation: [session_id]`: names of captures.
    pub(super) fn read_correlation(&self, node: &Node) -> Vec<Arc<str>> {
        let mut names = Vec::new();
        for node in node.list("a list of names of captures", self.problems) {
            let Some(name) = node.text("the name of a capture", self.problems) else {
                continue;
            };
            match self.names.captured_somewhere(name) {
                Ok(()) => names.push(name.into()),
                Err(message) => self.problems.add(&node.place, message),
            }
        }
        names
    }

    fn read_claim(&mut self, node: &Node) -> Option<Expression> {
        if self.names.part() == Part::Run {
            self.problems.add(
                &node.place,
                "only a chat can `claim` events; `setup` and `teardown` are none",
            );
        } else if !self.names.has_callbacks() {
            self.problems.add(
                &node.place,
                "a `claim` needs the scenario to say `callbacks: { key: ... }`",
            );
        }
        self.claimed = true;
        Expression::read(node, &self.names, self.problems)
    }

    fn read_observation(&mut self, node: &Node) -> Option<Observation> {
        let text = node.text("the name of a measurement", self.problems)?;
        let found = OBSERVATIONS.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let known = OBSERVATIONS.map(|(name, _)| format!("`{name}`")).join(", ");
            self.problems.add(
                &node.place,
                format!("there is no measurement `{text}`; there is {known}"),
            );
        }
        found.map(|(_, observation)| *observation)
    }
}

/// Variables that a capture would hide.
const RESERVED: [&str; 12] = [
    "target", "inputs", "run", "chat", "callback", "passed", "repeat", "status", "headers", "body",
    "event", "elapsed",
];

/// Names of scenarios, steps and captures: they become labels and variables.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
