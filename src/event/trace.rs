//! What a failed chat did, as it was: secrets and all, until somebody wants to see it.

use std::{fmt, sync::Arc, time::Duration};

use super::{Failure, TracedFrames};
use crate::{
    scenario::{Nth, Reason, TracedAction},
    target::{Redaction, Target},
};

/// A chat whose steps are over and one of which failed, or a setup.
#[derive(Debug)]
pub struct FailedChat {
    /// The chat's number in its run; zero for the setup of a burst, which is no chat.
    pub chat: u64,
    /// When its steps were over.
    pub failed_at: jiff::Timestamp,
    /// From its start to then.
    pub duration: Duration,
    /// Why.
    pub failure: Failure,
    /// What the target calls this chat: names and values.
    pub correlation: Vec<(Arc<str>, String)>,
    /// What it did.
    pub trace: Trace,
}

/// What a chat did, step by step. It does not print itself: it holds credentials.
pub struct Trace {
    /// Whose secrets may be in it.
    pub target: Arc<Target>,
    /// Captured values that nobody may see either.
    pub masks: Vec<String>,
    /// Whether every step is in it; else it is the last ones.
    pub whole: bool,
    /// In the order in which they were performed.
    pub steps: Vec<Box<TracedStep>>,
    /// What passed over its connections, whatever step it was at; nothing without any.
    pub frames: TracedFrames,
}

/// One step that was performed.
pub struct TracedStep {
    /// The step.
    pub step: Arc<str>,
    /// The branches of choices that led to it, the outermost first, if there were any.
    pub branches: Option<Arc<[Nth]>>,
    /// Which attempt at it this was, if it says that it is attempted again.
    pub attempt: Option<Nth>,
    /// Its track, if it went on beside others.
    pub track: Option<Arc<str>>,
    /// When it began, after the chat did, if that is known.
    pub begun: Option<Duration>,
    /// How long it was performed, a wait for a connection included, if that is known.
    pub took: Option<Duration>,
    /// Whether it was cut short, because a step of another track failed.
    pub stopped: bool,
    /// Why it did not pass. In a box, like all that few steps have: those of every chat in progress are kept.
    pub refused: Option<Box<(Reason, String)>>,
    /// What was sent and seen.
    pub action: Option<Box<dyn TracedAction>>,
}

impl Trace {
    /// Roughly what it takes in memory.
    pub fn bytes(&self) -> usize {
        let steps = self.steps.iter().map(|step| step.bytes());
        self.frames.bytes() + steps.sum::<usize>()
    }

    /// Takes out of texts what nobody may see of the chat.
    pub fn redaction(&self) -> Redaction {
        let mut values = self.masks.clone();
        for action in self.steps.iter().filter_map(|step| step.action.as_ref()) {
            action.note_confidential(&mut values);
        }
        self.frames.note_confidential(&mut values);
        self.target.redaction_besides(&values)
    }
}

impl TracedStep {
    /// Roughly what it takes in memory.
    pub fn bytes(&self) -> usize {
        /// Besides what was sent and seen.
        const BESIDES: usize = 400;
        BESIDES + self.action.as_ref().map_or(0, |action| action.bytes())
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<_> = self.steps.iter().map(|step| &step.step).collect();
        f.debug_struct("Trace")
            .field("steps", &steps)
            .finish_non_exhaustive()
    }
}
