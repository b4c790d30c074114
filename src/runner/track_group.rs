//! What the tracks of a chat know of each other that go on side by side.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use minijinja::{
    Value,
    value::{Enumerator, Object},
};
use tokio::{
    sync::{Notify, futures::Notified},
    time::Instant,
};

use super::{context::EndSignal, marks::Marks};
use crate::scenario::StepId;

/// The tracks of one chat.
#[derive(Debug, Default)]
pub(super) struct TrackGroup {
    state: Mutex<GroupState>,
    /// Something was captured, a step has passed or is over, or a track is.
    changed: Notify,
    /// Ends all of them: with their run, or because one has failed.
    pub(super) ending: EndSignal,
}

#[derive(Debug, Default)]
struct GroupState {
    members: Vec<GroupMember>,
    /// Those of all of them.
    marks: Marks,
    /// How often something was captured.
    captures: u64,
}

#[derive(Debug)]
struct GroupMember {
    name: Arc<str>,
    /// What the others see of it.
    view: Value,
    captures: Vec<(Arc<str>, Value)>,
    activity: Activity,
    /// The step in progress, if it is no wait.
    performing: Option<StepId>,
}

/// Whether a track may capture something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activity {
    /// It may.
    Active,
    /// It waits for captures of others, and none of the first so many was enough.
    Waiting { after: u64 },
    /// Its steps are over.
    Over,
}

/// What a track knows of a step of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StepAt {
    /// When it passed for the last time.
    pub(super) mark: Option<Instant>,
    /// Whether it may pass now.
    pub(super) is_performed: bool,
    /// Whether the tracks beside the one that asks are over.
    pub(super) are_others_over: bool,
}

impl TrackGroup {
    /// The position of the track with this name, whose steps begin. It is the same whenever it begins again.
    pub(super) fn begin(self: &Arc<Self>, name: &Arc<str>) -> usize {
        let mut state = self.state();
        let members = &mut state.members;
        let found = members.iter().position(|member| member.name == *name);
        let position = found.unwrap_or_else(|| {
            let group = Arc::downgrade(self);
            let position = members.len();
            members.push(GroupMember {
                name: name.clone(),
                view: Value::from_object(TrackCaptures { group, position }),
                captures: Vec::new(),
                activity: Activity::Over,
                performing: None,
            });
            position
        });
        members[position].activity = Activity::Active;
        position
    }

    /// The steps of a track are over.
    pub(super) fn end(&self, position: usize) {
        self.change(|state| {
            let member = &mut state.members[position];
            member.activity = Activity::Over;
            member.performing = None;
        });
    }

    /// The names of its tracks, and what others see of them.
    pub(super) fn views(&self) -> Vec<(Arc<str>, Value)> {
        let state = self.state();
        let members = state.members.iter();
        members
            .map(|member| (member.name.clone(), member.view.clone()))
            .collect()
    }

    /// The name of a track.
    pub(super) fn name(&self, position: usize) -> Arc<str> {
        self.state().members[position].name.clone()
    }

    /// What a track has captured.
    pub(super) fn captures(&self, position: usize) -> Vec<(Arc<str>, Value)> {
        self.state().members[position].captures.clone()
    }

    fn captured(&self, position: usize, name: &str) -> Option<Value> {
        let state = self.state();
        let captures = state.members[position].captures.iter();
        let mut named = captures.filter(|(known, _)| **known == *name);
        named.next().map(|(_, value)| value.clone())
    }

    /// A track has captured something.
    pub(super) fn capture(&self, position: usize, name: &Arc<str>, value: Value) {
        self.change(|state| {
            state.captures += 1;
            let captures = &mut state.members[position].captures;
            match captures.iter_mut().find(|(known, _)| known == name) {
                Some((_, old)) => *old = value,
                None => captures.push((name.clone(), value)),
            }
        });
    }

    /// Gives the marks to the tracks that begin.
    pub(super) fn give_marks(&self, marks: Marks) {
        self.state().marks = marks;
    }

    /// Takes the marks of the tracks that are over.
    pub(super) fn take_marks(&self) -> Marks {
        std::mem::take(&mut self.state().marks)
    }

    /// A step has passed, or its event arrived.
    pub(super) fn mark(&self, step: StepId, at: Instant) {
        self.change(|state| state.marks.set(step, at));
    }

    /// When a step has passed for the last time.
    pub(super) fn marked(&self, step: StepId) -> Option<Instant> {
        self.state().marks.of(step)
    }

    /// A track begins a step that is no wait: once it has passed, its mark is a moment before.
    pub(super) fn begin_request(&self, position: usize, step: StepId) {
        self.state().members[position].performing = Some(step);
    }

    /// The step that a track was at is over.
    pub(super) fn end_step(&self, position: usize) {
        self.change(|state| state.members[position].performing = None);
    }

    /// What a track knows of a step of another one.
    pub(super) fn look_at(&self, position: usize, step: StepId) -> StepAt {
        let state = self.state();
        let others = || {
            let members = state.members.iter().enumerate();
            members.filter(|(other, _)| *other != position)
        };
        StepAt {
            mark: state.marks.of(step),
            is_performed: others().any(|(_, other)| other.performing == Some(step)),
            are_others_over: others().all(|(_, other)| other.activity == Activity::Over),
        }
    }

    /// Completes with the next change. What changes before it is polled or enabled is missed.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// How often something was captured so far.
    pub(super) fn count_captures(&self) -> u64 {
        self.state().captures
    }

    /// A track waits for more than the first so many captures. Whether some may come: another track is neither over nor
    /// waits for more than these itself.
    pub(super) fn wait(&self, position: usize, after: u64) -> bool {
        let mut state = self.state();
        state.members[position].activity = Activity::Waiting { after };
        let waits_in_vain = Activity::Waiting {
            after: state.captures,
        };
        let members = state.members.iter().enumerate();
        let mut others = members.filter(|(other, _)| *other != position);
        others.any(|(_, other)| other.activity != Activity::Over && other.activity != waits_in_vain)
    }

    /// A track goes on that has waited.
    pub(super) fn go_on(&self, position: usize) {
        self.state().members[position].activity = Activity::Active;
    }

    /// Ends the tracks that go on, because one has failed.
    pub(super) fn end_all(&self) {
        self.ending.give(Duration::ZERO, Duration::ZERO);
    }

    fn change(&self, change: impl FnOnce(&mut GroupState)) {
        change(&mut self.state());
        self.changed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, GroupState> {
        // It is whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The captures of one track, as expressions of the others see them.
#[derive(Debug)]
struct TrackCaptures {
    /// A track may capture this too, and be kept by it.
    group: Weak<TrackGroup>,
    position: usize,
}

impl Object for TrackCaptures {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.group.upgrade()?.captured(self.position, key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let captures = self
            .group
            .upgrade()
            .map(|group| group.captures(self.position));
        let names = captures.into_iter().flatten();
        Enumerator::Values(names.map(|(name, _)| Value::from(&*name)).collect())
    }
}
