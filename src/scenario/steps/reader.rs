//! Lists of steps, read from top to bottom.

use std::{collections::BTreeMap, sync::Arc};

use super::{Item, Nth, track_connections::TrackConnections};
use crate::{
    document::{Mapping, Node, Problems, Value},
    scenario::{
        Action, Expression, Names, Pause, SocketRules,
        action::{PendingMark, ReadStep},
    },
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
    /// What steps of tracks open, by the names of the tracks.
    pub(in crate::scenario) of_tracks: BTreeMap<Arc<str>, TrackConnections>,
    /// Steps of tracks that `since` names and that may stand further down.
    pub(in crate::scenario) pending_marks: Vec<PendingMark>,
    /// What holds for all sockets.
    pub(in crate::scenario) rules: Arc<SocketRules>,
    /// The branches in which it stands, the outermost first.
    pub(in crate::scenario) branches: Vec<Nth>,
}

/// The keys that tell what an entry of a list of steps is.
const ENTRIES: [&str; 8] = [
    "step",
    "think",
    "repeat",
    "choose",
    "end",
    "together",
    "wait_until",
    "barrier",
];
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

    /// The names of sockets that steps connect, also those of tracks.
    pub(in crate::scenario) fn all_sockets(&self) -> Vec<Arc<str>> {
        let of_tracks = self.of_tracks.values().flat_map(|opened| &opened.sockets);
        self.sockets.iter().chain(of_tracks).cloned().collect()
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
            ("end", how) => {
                let end = self.read_end(how, when, map)?;
                Some(Item::End(Box::new(end)))
            }
            ("together", tracks) => self.read_together(tracks, when, map).map(Item::Together),
            ("wait_until", condition) => self
                .read_wait_until(condition, when, map)
                .map(|wait| Item::WaitUntil(Box::new(wait))),
            (_, name) => self
                .read_barrier(name, when, map)
                .map(|barrier| Item::Barrier(Box::new(barrier))),
        }
    }
}
