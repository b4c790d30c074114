//! `together`: tracks of one chat that go on side by side.

use std::sync::Arc;

use super::{Item, Step, reader::StepReader, track_connections::TrackConnections};
use crate::{
    document::{Mapping, Node, Place, Value},
    scenario::{Awaited, Expression, MarkedStep, is_name},
};

/// Tracks of one scenario. Each costs what a chat does while it goes on.
const MOST_TRACKS: usize = 16;

/// `together:` with the names of tracks and their lists of steps.
#[derive(Debug)]
pub struct Together {
    /// Whether the tracks are performed at all.
    pub when: Option<Expression>,
    /// In the order written.
    pub tracks: Vec<NamedTrack>,
}

/// One side of a chat.
#[derive(Debug)]
pub struct NamedTrack {
    /// By which the others know what it captures.
    pub name: Arc<str>,
    /// What it does.
    pub items: Vec<Item>,
}

impl NamedTrack {
    /// Whether it may wait for events of callbacks.
    pub fn waits_for_callbacks(&self) -> bool {
        let mut waits = false;
        for item in &self.items {
            item.each_step(&mut |step| {
                let source = step.action.as_wait().map(|wait| &wait.source);
                waits |= source == Some(&Awaited::Callbacks);
            });
        }
        waits
    }
}

impl StepReader<'_> {
    pub(super) fn read_together(
        &mut self,
        node: &Node,
        when: Option<Expression>,
        map: Mapping<'_>,
    ) -> Option<Together> {
        let before = self.problems.count();
        map.finish();
        if let Some(why) = self.names.why_no_tracks() {
            self.problems.add(&node.place, why);
            return None;
        }
        let entries = node.entries(
            "a mapping of names of tracks and lists of steps",
            self.problems,
        );
        let count = self.names.count_tracks();
        if count > MOST_TRACKS {
            let message = format!("there are {count} tracks; a scenario has at most {MOST_TRACKS}");
            self.problems.add(&node.place, message);
        } else if entries.is_empty() && self.problems.count() == before {
            self.problems
                .add(&node.place, "a `together` needs at least one track");
        }
        // Events of callbacks are those of the chat, whichever track claims their key.
        self.claimed |= claims(node);
        let around = self.names.begin_together(node);
        let connections = self.take_connections();
        let mut tracks = Vec::new();
        for entry in entries {
            self.check_track_name(&entry.key, &entry.place);
            if matches!(&entry.node.value, Value::List(list) if list.is_empty()) {
                let message = "a track needs at least one step here";
                self.problems.add(&entry.node.place, message);
            }
            let name: Arc<str> = entry.key.as_str().into();
            let known = self.of_tracks.remove(&name).unwrap_or_default();
            self.give_connections(known);
            self.names.begin_track(&name, &around);
            let items = self.read_list(&entry.node);
            self.names.end_track();
            let own = self.take_connections();
            self.of_tracks.insert(name.clone(), own);
            tracks.push(NamedTrack { name, items });
        }
        self.give_connections(connections);
        self.names.end_together();
        self.resolve_marks(&mut tracks);
        (self.problems.count() == before).then_some(Together { when, tracks })
    }

    fn take_connections(&mut self) -> TrackConnections {
        TrackConnections {
            sockets: std::mem::take(&mut self.sockets),
            streams: std::mem::take(&mut self.streams),
        }
    }

    fn give_connections(&mut self, connections: TrackConnections) {
        self.sockets = connections.sockets;
        self.streams = connections.streams;
    }

    fn check_track_name(&self, name: &str, place: &Place) {
        let why_not = if is_name(name) {
            self.names.why_no_track_name(name)
        } else {
            Some("use letters, digits and `_`, a letter first")
        };
        if let Some(why_not) = why_not {
            let message = format!("`{name}` cannot be the name of a track; {why_not}");
            self.problems.add(place, message);
        }
    }

    /// Finds the steps of other tracks that `since` names, now that all are read.
    fn resolve_marks(&mut self, tracks: &mut [NamedTrack]) {
        for pending in std::mem::take(&mut self.pending_marks) {
            let of_track = || {
                let of_track = |track: &Option<Arc<str>>| track.as_ref() == Some(&pending.track);
                self.read.iter().filter(move |step| of_track(&step.track))
            };
            let Some(found) = of_track().find(|step| *step.name == *pending.step) else {
                let (track, step) = (&pending.track, &pending.step);
                let hint = self.problems.hint(step, of_track().map(|step| &*step.name));
                let message = format!("the track `{track}` has no step `{step}`{hint}");
                self.problems.add(&pending.place, message);
                continue;
            };
            let mark = MarkedStep {
                step: found.id,
                is_elsewhere: true,
            };
            let items = tracks.iter_mut().flat_map(|track| &mut track.items);
            for item in items {
                item.each_step_mut(&mut |step: &mut Step| {
                    if step.id == pending.of {
                        step.action.set_since(mark);
                    }
                });
            }
        }
    }
}

/// Whether a step in here claims a key.
fn claims(node: &Node) -> bool {
    match &node.value {
        Value::List(list) => list.iter().any(claims),
        Value::Map(entries) => {
            let is_claim = node.find("step").is_some() && node.find("claim").is_some();
            is_claim || entries.iter().any(|entry| claims(&entry.node))
        }
        _ => false,
    }
}
