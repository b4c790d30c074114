//! Lists of steps, read from top to bottom.

use std::sync::Arc;

use super::{Item, Nth};
use crate::{
    document::{Mapping, Node, Problems, Value},
    scenario::{Action, Expression, Names, Pause, SocketRules, action::ReadStep},
};

/// Reads lists of steps from top to bottom, keeping in mind what exists by then.
pub(in crate::scenario) struct StepReader<'a> {
    pub(in crate::scenario) names: Names,
    pub(in crate::scenario) problems: &'a Problems,
    pub(in crate::scenario) read: Vec<ReadStep>,
    /// Whether some step above claims a key.
    pub(in crate::scenario) claimed: bool,
    /// The names of sockets that some step above connects.
    pub(in crate::scenario) sockets: Vec<Arc<str>>,
    /// The names of the steps above that ask for an event stream.
    pub(in crate::scenario) streams: Vec<Arc<str>>,
    /// What holds for all sockets.
    pub(in crate::scenario) rules: Arc<SocketRules>,
    /// The branches in which it stands, the outermost first.
    pub(in crate::scenario) branches: Vec<Nth>,
}

/// The keys that tell what an entry of a list of steps is.
const ENTRIES: [&str; 5] = ["step", "think", "repeat", "choose", "end"];
/// The keys of a step besides that of its action and those that belong to one kind of action.
const STEP_KEYS: [&str; 7] = [
    "timeout", "expect", "capture", "claim", "observe", "else", "steps",
];

impl StepReader<'_> {
    pub(in crate::scenario) fn read_list(&mut self, node: &Node) -> Vec<Item> {
        let list = node.list("a list of steps", self.problems);
        let mut items = Vec::new();
        for node in list {
            if let Some(Item::End(end)) = items.last()
                && end.when.is_none()
            {
                let line = end.place.line;
                self.problems.add(
                    &node.place,
                    format!("this is never performed: every chat ends at line {line}"),
                );
                break;
            }
            items.extend(self.read_item(node));
        }
        items
    }

    fn read_item(&mut self, node: &Node) -> Option<Item> {
        let mut map = Mapping::open(node, "a step", self.problems)?;
        let when = map
            .get("when")
            .and_then(|node| Expression::read(node, &self.names, self.problems));
        let Some(kind) = map.one_of(&ENTRIES) else {
            // It is unknown what this is, but a key that nothing has can still be told, and what
            // it captures is not missing further down.
            let keys = Action::keys().into_iter().chain(Action::step_keys());
            for key in keys.chain(STEP_KEYS) {
                map.get(key);
            }
            map.finish();
            if let Some(Value::Map(captures)) = node.find("capture").map(|node| &node.value) {
                for entry in captures {
                    self.names.capture(&entry.key);
                }
            }
            return None;
        };
        match kind {
            ("step", name) => self
                .read_step(name, when, map)
                .map(|step| Item::Step(Box::new(step))),
            ("think", pause) => {
                map.finish();
                let pause = Pause::read(pause, when, &self.names, self.problems)?;
                let after = self.read.iter().rev().find(|step| !step.elsewhere);
                let after = after.filter(|step| step.in_chat);
                let after = after.map(|step| step.name.clone());
                Some(Item::Think(pause.behind(after)))
            }
            ("repeat", count) => self.read_repeat(count, when, map).map(Item::Repeat),
            ("choose", branches) => self.read_choose(branches, when, map).map(Item::Choose),
            (_, how) => {
                let end = self.read_end(how, when, map)?;
                Some(Item::End(Box::new(end)))
            }
        }
    }
}
