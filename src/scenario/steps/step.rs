//! `step`: one action with what is expected of it and kept from it.

use std::{sync::Arc, time::Duration};

use super::{Nth, Otherwise, reader::StepReader};
use crate::{
    document::{Mapping, Node, Place, Value},
    scenario::{
        Action, Expression, Observation, Reason, Setting, StepId,
        action::{ActionReading, Looks, ReadStep},
        is_confidential, is_name,
        observation::OBSERVATIONS,
    },
};

/// How long a step may take that does not say so itself.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// One action with what is expected of it and kept from it.
#[derive(Debug)]
pub struct Step {
    /// Its place among all steps of the scenario.
    pub id: StepId,
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
    /// What is kept of it, in the order written.
    pub captures: Vec<(Arc<str>, Expression)>,
    /// The key under which events of this chat will come in.
    pub claim: Option<Expression>,
    /// Which measurement of its own the step feeds.
    pub observe: Option<Observation>,
    /// What happens if it fails.
    pub otherwise: Otherwise,
    /// The branches of choices in which it stands, the outermost first, if it stands in any.
    pub branches: Option<Arc<[Nth]>>,
}

impl Step {
    /// The reasons for which this step can fail: one time series each.
    pub fn reasons(&self) -> Vec<Reason> {
        let mut reasons = self.action.reasons(self.observe);
        reasons.extend([
            Reason::Expectation,
            Reason::Capture,
            Reason::Template,
            Reason::Internal,
        ]);
        reasons
    }
}

impl StepReader<'_> {
    pub(super) fn read_step(
        &mut self,
        name: &Node,
        when: Option<Expression>,
        mut map: Mapping<'_>,
    ) -> Option<Step> {
        let before = self.problems.count();
        let id = StepId::at(self.read.len());
        let name = self.read_name(id, name);
        let action = map.one_of(&Action::keys());
        let kind = action.map(|(kind, _)| kind);
        let action =
            action.and_then(|(kind, node)| Action::read(kind, node, &mut self.reading(&mut map)));
        let timeout = self.read_timeout(&mut map);
        self.names.look_at(&Action::looks(kind));
        let expect = self.read_expectations(map.get("expect"));
        let captures = self.read_captures(map.get("capture"));
        let observe = map
            .get("observe")
            .and_then(|node| self.read_observation(node, action.as_ref()));
        let action = action.map(|mut action| {
            action.know_looks(&Looks {
                expect: &expect,
                captures: &captures,
                observe,
            });
            action
        });
        self.names.look_at(&[]);
        let claim = map.get("claim").and_then(|node| self.read_claim(node));
        let otherwise = map.get("else");
        if kind.is_none() {
            Action::check_step_keys(&mut self.reading(&mut map));
        }
        let place = map.place.clone();
        map.finish();
        // Behind everything else, because it may have steps of its own.
        let otherwise = match otherwise {
            Some(node) => self.read_else(node),
            None => Some(Otherwise::End),
        };
        if self.problems.count() > before {
            return None;
        }
        Some(Step {
            id,
            name: name?,
            place,
            when,
            action: action?,
            timeout: timeout?,
            expect,
            captures,
            claim,
            observe,
            otherwise: otherwise?,
            branches: (!self.branches.is_empty()).then(|| self.branches.as_slice().into()),
        })
    }

    fn read_name(&mut self, id: StepId, node: &Node) -> Option<Arc<str>> {
        let name: Arc<str> = node.text("the name of the step", self.problems)?.into();
        if !is_name(&name) {
            self.problems.add(
                &node.place,
                format!("`{name}` cannot be a name; use letters, digits and `_`, a letter first"),
            );
        } else if let Some(first) = self.read.iter().find(|read| read.name == name) {
            self.problems.add(
                &node.place,
                format!(
                    "a second step named `{name}`; the first stands at line {}, and metrics could not tell them apart",
                    first.place.line
                ),
            );
            return None;
        }
        self.read.push(ReadStep {
            id,
            name: name.clone(),
            place: node.place.clone(),
            in_chat: self.names.part().is_chat(),
            elsewhere: false,
            track: self.names.track().cloned(),
        });
        Some(name)
    }

    /// What the action of the step that was read last is read with.
    fn reading<'r, 'a>(&'r mut self, map: &'r mut Mapping<'a>) -> ActionReading<'r, 'a> {
        ActionReading {
            map,
            names: &mut self.names,
            problems: self.problems,
            above: self.read.split_last().map_or(&[], |(_, above)| above),
            claimed: self.claimed,
            sockets: &mut self.sockets,
            step: self.read.last().map(|step| &step.name),
            streams: &mut self.streams,
            pending_marks: &mut self.pending_marks,
            rules: &self.rules,
        }
    }

    fn read_expectations(&mut self, node: Option<&Node>) -> Vec<Expression> {
        let Some(node) = node else { return Vec::new() };
        let nodes = match &node.value {
            Value::List(list) => list.as_slice(),
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
            let why_not = if !is_name(name) {
                Some("use letters, digits and `_`, a letter first")
            } else if self.names.is_track(name) {
                Some("a track has this name")
            } else if self.names.is_reserved(name) {
                Some("expressions know something else by this name")
            } else {
                None
            };
            if let Some(why_not) = why_not {
                self.problems.add(
                    &entry.place,
                    format!("`{name}` cannot be the name of a capture; {why_not}"),
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
    pub(in crate::scenario) fn read_correlation(&self, node: &Node) -> Vec<Arc<str>> {
        let mut names = Vec::new();
        for node in node.list("a list of names of captures", self.problems) {
            let Some(name) = node.text("the name of a capture", self.problems) else {
                continue;
            };
            match self.names.captured_somewhere(name, self.problems) {
                Ok(()) if is_confidential(name) => self.problems.add(
                    &node.place,
                    format!(
                        "`{name}` is shown to nobody because of its name; name another capture, or rename it if it is no secret"
                    ),
                ),
                Ok(()) => names.push(name.into()),
                Err(message) => self.problems.add(&node.place, message),
            }
        }
        names
    }

    fn read_claim(&mut self, node: &Node) -> Option<Expression> {
        if !self.names.part().is_chat() {
            self.problems.add(
                &node.place,
                "only a chat can `claim` events; `setup` and `teardown` run once per run",
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

    fn read_observation(&mut self, node: &Node, action: Option<&Action>) -> Option<Observation> {
        if let Some(why) = action.and_then(Action::why_unobservable) {
            self.problems.add(&node.place, why);
            return None;
        }
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
