//! Names in a `together`: tracks, and what they know of each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Names,
    ahead::{entries_of, find_captures},
};
use crate::{
    document::{Node, Problems, Value},
    scenario::evaluation::is_global,
};

/// Names of tracks, kept while a scenario is read.
#[derive(Debug, Default)]
pub(super) struct TrackNames {
    /// All of the scenario.
    all: BTreeSet<String>,
    /// Those of the `together` that is read.
    beside: BTreeSet<String>,
    /// The one that is read.
    pub(super) own: Option<Arc<str>>,
    /// The captures that exist outside of it.
    around: BTreeSet<String>,
}

impl TrackNames {
    pub(super) fn of(scenario: &Node) -> Self {
        let mut names = Self::default();
        find_tracks(scenario, &mut names.all);
        names
    }
}

fn find_tracks(node: &Node, found: &mut BTreeSet<String>) {
    match &node.value {
        Value::List(list) => list.iter().for_each(|node| find_tracks(node, found)),
        Value::Map(entries) => {
            let tracks = node.find("together").map(entries_of).unwrap_or_default();
            found.extend(tracks.iter().map(|entry| entry.key.clone()));
            for entry in entries {
                find_tracks(&entry.node, found);
            }
        }
        _ => {}
    }
}

impl Names {
    /// Why no `together` can stand here, if none can.
    pub(in crate::scenario) fn why_no_tracks(&self) -> Option<&'static str> {
        if self.tracks.own.is_some() {
            return Some("a `together` cannot stand in a track of another one");
        }
        let message =
            "a `together` belongs into `steps`; everywhere else one thing is done after the other";
        (!self.part.is_steps()).then_some(message)
    }

    /// Why a track cannot have this name, if it cannot.
    pub(in crate::scenario) fn why_no_track_name(&self, name: &str) -> Option<&'static str> {
        let is_capture = |known: &String| known.rsplit('.').next() == Some(name);
        if self.is_reserved(name) || is_global(name) {
            Some("expressions know something else by this name")
        } else if self.ahead.keys().any(is_capture) {
            Some("a capture has this name")
        } else if self.inputs.contains_key(name) {
            Some("an input has this name")
        } else {
            None
        }
    }

    /// The track in which what is read stands.
    pub(in crate::scenario) fn track(&self) -> Option<&Arc<str>> {
        self.tracks.own.as_ref()
    }

    /// How many names tracks of the scenario have.
    pub(in crate::scenario) fn count_tracks(&self) -> usize {
        self.tracks.all.len()
    }

    /// Whether a track has this name.
    pub(in crate::scenario) fn is_track(&self, name: &str) -> bool {
        self.tracks.all.contains(name)
    }

    /// Whether what is read goes on at the same time as this track.
    pub(in crate::scenario) fn is_beside(&self, track: &str) -> bool {
        self.tracks.beside.contains(track)
    }

    /// From here on tracks are read that go on side by side: what one of them captures may be there for all others.
    /// Returns what was there before.
    pub(in crate::scenario) fn begin_together(&mut self, tracks: &Node) -> BTreeSet<String> {
        let before = self.captured.clone();
        let mut inside = BTreeMap::new();
        for entry in entries_of(tracks) {
            self.tracks.beside.insert(entry.key.clone());
            find_captures(&entry.node, Some(&entry.key), &mut inside);
        }
        self.captured.extend(inside.into_keys());
        before
    }

    /// From here on a track is read, which knows by their own names what it has captured in an earlier `together`.
    pub(in crate::scenario) fn begin_track(&mut self, name: &Arc<str>, before: &BTreeSet<String>) {
        let own = before
            .iter()
            .filter_map(|known| known.strip_prefix(&**name)?.strip_prefix('.'));
        self.tracks.around = self.captured.clone();
        self.captured.extend(own.map(str::to_owned));
        self.tracks.own = Some(name.clone());
    }

    pub(in crate::scenario) fn end_track(&mut self) {
        self.captured = std::mem::take(&mut self.tracks.around);
        self.tracks.own = None;
    }

    pub(in crate::scenario) fn end_together(&mut self) {
        self.tracks.beside.clear();
    }

    /// These captures may exist, with their names in the track that is read.
    pub(super) fn know(&mut self, captures: BTreeMap<String, String>) {
        let own = self.tracks.own.as_deref();
        let own_name = |name: &String| {
            let name = name.strip_prefix(own?)?.strip_prefix('.')?;
            Some(name.to_owned())
        };
        let inside: Vec<_> = captures.keys().filter_map(own_name).collect();
        self.captured.extend(inside);
        self.captured.extend(captures.into_keys());
    }

    pub(super) fn resolve_track(
        &self,
        track: &str,
        field: Option<&str>,
        problems: &Problems,
    ) -> Result<(), String> {
        let of_track = |name: &'_ String| {
            let own = name.strip_prefix(track)?.strip_prefix('.')?;
            Some(own.to_owned())
        };
        let Some(field) = field else {
            let example = self.ahead.keys().find_map(of_track);
            let example = example.unwrap_or_else(|| "name".to_owned());
            return Err(format!(
                "`{track}` is a track; write what it captures, as in `{track}.{example}`"
            ));
        };
        let name = format!("{track}.{field}");
        if self.captured.contains(&name) {
            return Ok(());
        }
        if self.ahead.contains_key(&name) {
            return Err(self.undefined(&name, problems));
        }
        let known: Vec<_> = self.ahead.keys().filter_map(of_track).collect();
        let hint = problems.hint(field, known.iter().map(String::as_str));
        Err(format!("the track `{track}` captures no `{field}`{hint}"))
    }
}
