//! What a chat did so far, in case it fails.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
};

use minijinja::{Value, value::ValueKind};
use tokio::time::Instant;

use super::{Track, attempt::StepFailure};
use crate::{
    event::{Trace, TracedStep},
    runner::{TraceBudget, context::GracePeriod},
    scenario::{Kept, Step, Tracer, is_confidential, note_confidential},
};

/// What one chat's may take, in bytes; beyond it the first steps go.
const MOST_BYTES: usize = 256 * 1024;
/// Steps of one chat that are kept.
const MOST_STEPS: usize = 200;
/// Confidential values that a chat captured. They are more than a [`Redaction`] looks for, so that of a
/// chat with as many nothing is shown.
///
/// [`Redaction`]: crate::target::Redaction
const MOST_MASKS: usize = 2_000;

/// The steps of a chat in progress. A probe's take what they need; those of a burst are given up when
/// there is no room any more, and then only the step that fails is known.
#[derive(Default)]
pub(super) struct Tracing {
    begun: Option<Instant>,
    /// When the step in progress began.
    step_begun: Option<Instant>,
    budget: Option<TraceBudget>,
    bytes: usize,
    shortened: bool,
    steps: VecDeque<Box<TracedStep>>,
    masks: Vec<String>,
}

impl Tracing {
    /// Of a chat that begins, unless there is no room.
    pub(super) fn of_chat(budget: Option<TraceBudget>) -> Option<Box<Self>> {
        let bytes = mem::size_of::<Self>();
        if budget.as_ref().is_some_and(|budget| !budget.take(bytes)) {
            return None;
        }
        let mut tracing = Box::new(Self::default());
        tracing.begun = Some(Instant::now());
        tracing.budget = budget;
        tracing.bytes = bytes;
        Some(tracing)
    }

    /// Of a track of the same chat, unless there is no room.
    fn beside(&self) -> Option<Box<Self>> {
        let mut tracing = Self::of_chat(self.budget.clone())?;
        tracing.begun = self.begun;
        Some(tracing)
    }

    /// Of a chat whose earlier steps are not known.
    fn of_last(step: Box<TracedStep>) -> Self {
        let mut tracing = Self::default();
        tracing.shortened = true;
        tracing.steps.push_back(step);
        tracing
    }

    pub(super) fn begin_step(&mut self) {
        self.step_begun = Some(Instant::now());
    }

    /// Keeps a step; it comes back if there is no room.
    fn push(&mut self, step: Box<TracedStep>) -> Result<(), Box<TracedStep>> {
        let bytes = step.bytes();
        if self
            .budget
            .as_ref()
            .is_some_and(|budget| !budget.take(bytes))
        {
            return Err(step);
        }
        self.bytes += bytes;
        self.steps.push_back(step);
        while self.steps.len() > MOST_STEPS || (self.bytes > MOST_BYTES && self.steps.len() > 1) {
            let Some(first) = self.steps.pop_front() else {
                break;
            };
            self.shortened = true;
            let bytes = first.bytes();
            self.bytes -= bytes;
            if let Some(budget) = &self.budget {
                budget.give_back(bytes);
            }
        }
        Ok(())
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.give_back(self.bytes);
        }
    }
}

impl Track<'_> {
    /// Notes a step that is over: every one while there is room, else the one that failed.
    pub(super) fn trace(&mut self, step: &Step, attempt: u32, failure: Option<&StepFailure>) {
        let kept = self.progress.kept.take();
        if matches!(self.grace, GracePeriod::Cleanup | GracePeriod::Teardown) {
            return;
        }
        let failed = matches!(failure, Some(StepFailure::Failed { .. }));
        if self.tracing.is_none() && !failed {
            return;
        }
        let traced = Box::new(self.traced(step, attempt, failure, kept));
        let rejected = match &mut self.tracing {
            Some(tracing) => tracing.push(traced).err(),
            None => Some(traced),
        };
        if let Some(step) = rejected {
            self.tracing = failed.then(|| Box::new(Tracing::of_last(step)));
        }
    }

    fn traced(
        &self,
        step: &Step,
        attempt: u32,
        failure: Option<&StepFailure>,
        kept: Option<Box<dyn Kept>>,
    ) -> TracedStep {
        let target = &*self.context().chats.target;
        let since = self.tracing.as_ref().and_then(|tracing| tracing.begun);
        let after = |at: Instant| since.map(|since| at.saturating_duration_since(since));
        let begun = self.tracing.as_ref().and_then(|tracing| tracing.step_begun);
        let tracer = Tracer {
            redact: &|text| target.redact(text),
            after: &after,
        };
        TracedStep {
            step: step.name.clone(),
            branches: step.branches.clone(),
            attempt: step.otherwise.attempt(attempt),
            track: self.group().map(|(group, position)| group.name(position)),
            begun: begun.and_then(after),
            took: begun.map(|begun| begun.elapsed()),
            stopped: matches!(failure, Some(StepFailure::Stopped)),
            refused: match failure {
                Some(StepFailure::Failed { reason, detail }) => {
                    Some(Box::new((*reason, detail.clone())))
                }
                Some(StepFailure::Stopped) | None => None,
            },
            action: kept.map(|kept| kept.traced(&tracer)),
        }
    }

    /// Remembers a captured value that nobody may see, in case the variable changes later.
    pub(super) fn mask(&mut self, name: &str, value: &Value) {
        let Some(tracing) = &mut self.tracing else {
            return;
        };
        let mut values = Vec::new();
        note_captured(name, value, &mut values);
        values.retain(|value| !tracing.masks.contains(value));
        values.truncate(MOST_MASKS - tracing.masks.len().min(MOST_MASKS));
        tracing.masks.extend(values);
    }

    /// The captured values that nobody may see, and what lets whoever knows it send events to the run.
    pub(super) fn confidential_captures(&self) -> Vec<String> {
        let captures = self.scope.captures();
        let path = self.context().path.as_ref();
        let mut values: Vec<_> = path
            .map(|path| path.token().to_owned())
            .into_iter()
            .collect();
        captures.for_each(|(name, value)| note_captured(name, value, &mut values));
        let rows = self.scope.confidential_rows();
        rows.for_each(|(column, value)| note_captured(column, &value, &mut values));
        // In a text that names nothing short ones could not be told from others.
        let sessions = self.scope.sessions().confidential();
        let tracks = self.rare.iter().flat_map(|rare| rare.tracks.values());
        let sessions =
            sessions.chain(tracks.flat_map(|track| track.scope.sessions().confidential()));
        values.extend(sessions.filter(|value| value.len() >= 4).map(str::to_owned));
        values
    }

    /// Notes what a track does that goes on beside others of this chat, if what this one does is noted.
    pub(super) fn trace_beside(&mut self, chat: &Self) {
        self.tracing = chat.tracing.as_ref().and_then(|tracing| tracing.beside());
    }

    /// Adds what tracks did that went on side by side, in the order of time.
    pub(super) fn add_traces(&mut self, tracks: impl IntoIterator<Item = Box<Tracing>>) {
        let mut steps = Vec::new();
        let mut masks = Vec::new();
        let mut shortened = false;
        for mut tracing in tracks {
            shortened |= tracing.shortened;
            masks.append(&mut tracing.masks);
            steps.extend(mem::take(&mut tracing.steps));
        }
        steps.sort_by_key(|step| (step.begun.is_none(), step.begun));
        let failed = steps.iter().position(|step| step.refused.is_some());
        let Some(tracing) = &mut self.tracing else {
            let failed = failed.map(|failed| steps.swap_remove(failed));
            self.tracing = failed.map(|step| Box::new(Tracing::of_last(step)));
            return;
        };
        tracing.shortened |= shortened;
        masks.truncate(MOST_MASKS - tracing.masks.len().min(MOST_MASKS));
        tracing.masks.append(&mut masks);
        let mut without_room = None;
        for step in steps {
            match tracing.push(step) {
                Ok(()) => {}
                Err(step) if step.refused.is_some() => without_room = Some(step),
                Err(_) => tracing.shortened = true,
            }
        }
        if let Some(step) = without_room {
            self.tracing = Some(Box::new(Tracing::of_last(step)));
        }
    }

    /// From now on nothing is noted any more, and what was is forgotten.
    pub(in crate::runner) fn end_trace(&mut self) {
        self.tracing = None;
        drop(self.chat.take_frames(None));
    }

    /// What is known of the chat; from then on nothing is noted any more.
    pub(in crate::runner) fn take_trace(&mut self) -> Trace {
        let mut tracing = self.tracing.take().unwrap_or_default();
        let mut masks = mem::take(&mut tracing.masks);
        masks.extend(self.confidential_captures());
        Trace {
            target: self.context().chats.target.clone(),
            masks,
            whole: tracing.begun.is_some() && !tracing.shortened,
            steps: mem::take(&mut tracing.steps).into(),
            frames: self.chat.take_frames(tracing.begun),
        }
    }
}

/// What nobody may see of a captured variable: all of it, or fields within.
fn note_captured(name: &str, value: &Value, values: &mut Vec<String>) {
    let has_fields = matches!(value.kind(), ValueKind::Map | ValueKind::Seq);
    if has_fields || is_confidential(name) {
        let fields = BTreeMap::from([(name, value)]);
        let text = serde_json::to_string(&fields).unwrap_or_default();
        note_confidential(&text, values);
    }
}
