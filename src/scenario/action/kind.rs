use std::{sync::Arc, time::Duration};

use super::{Performed, SocketRules, Task};
use crate::{
    document::{Mapping, Node, Place, Problems},
    driver::Origins,
    scenario::{
        EvaluationError, Expression, Names, Observation, Reason, Scope, Sessions, Setting, StepId,
        look::VisibleNames,
    },
};

/// What is special about one kind of action.
pub(in crate::scenario) trait ActionKind: Sized {
    /// The key of a step that says what it does.
    const KEY: &'static str;
    /// Other keys of the step that it reads.
    const STEP_KEYS: &'static [StepKey] = &[];
    /// What `expect` and `capture` look at.
    const LOOK: VisibleNames;
    /// What expressions of its own look at.
    const OWN_LOOKS: &'static [&'static VisibleNames] = &[];
    /// What a step does with it that may `observe` how long a customer waits, with its article.
    const OBSERVABLE: Option<&'static str> = None;

    /// Reads the value of its key, and its other keys of the step.
    fn read(node: &Node, reading: &mut ActionReading<'_, '_>) -> Option<Self>;

    /// Notes problems of its other keys in a step that does not say what it does.
    fn check_step_keys(_: &mut ActionReading<'_, '_>) {}

    /// Learns what the expressions of its step look at.
    fn know_looks(&mut self, _: &Looks<'_>) {}

    /// The reasons for which it can fail besides those of every step.
    fn reasons(&self, observed: Option<Observation>) -> Vec<Reason>;

    /// The reason of a failed step of which an expression did not hold.
    fn reason_unmet(&self, _: &Expression) -> Reason {
        Reason::Expectation
    }

    /// Whether a step with it may `observe` how long a customer waits.
    fn is_observable(&self) -> bool {
        Self::OBSERVABLE.is_some()
    }

    /// Requests that it sends to the target; at least so many if it polls.
    fn requests(&self) -> u64;

    /// The time from one of its requests to the next, if it polls.
    fn polls_every(&self) -> Option<&Setting<Duration>> {
        None
    }

    /// The name of the connection that it opens, over which something comes outside of the steps, if it does.
    fn connects(&self) -> Option<&Arc<str>> {
        None
    }

    /// Performs it. A wait has no sessions to do so: see [`Action::as_wait`](super::Action::as_wait).
    fn perform(
        &self,
        sessions: &mut Sessions,
        task: Task<'_>,
    ) -> impl Future<Output = Result<Performed, EvaluationError>> + Send;

    /// Adds the server that the scenario and the configuration name for it.
    fn add_origin(&self, _: &Arc<Scope>, _: &mut Origins) {}

    /// Finds out whether it fails because of where it leads, as far as that is known before a run.
    fn check_address(&self, _: &Arc<Scope>) -> Result<(), EvaluationError> {
        Ok(())
    }
}

/// A key of a step that belongs to one kind of action.
#[derive(Debug)]
pub(in crate::scenario) struct StepKey {
    /// The key.
    pub(in crate::scenario) name: &'static str,
    /// Why it does not belong to a step that does something else; there it is an unknown key without this.
    pub(in crate::scenario) misplaced: Option<&'static str>,
}

/// What an action is read with.
pub(in crate::scenario) struct ActionReading<'r, 'a> {
    /// The step.
    pub(in crate::scenario) map: &'r mut Mapping<'a>,
    pub(in crate::scenario) names: &'r mut Names,
    pub(in crate::scenario) problems: &'r Problems,
    /// The steps above this one.
    pub(in crate::scenario) above: &'r [ReadStep],
    /// Whether one of them claims a key.
    pub(in crate::scenario) claimed: bool,
    /// The names of sockets that they connect.
    pub(in crate::scenario) sockets: &'r mut Vec<Arc<str>>,
    /// The name of the step, if it can have that.
    pub(in crate::scenario) step: Option<&'r Arc<str>>,
    /// The names of the steps, up to this one, that ask for an event stream.
    pub(in crate::scenario) streams: &'r mut Vec<Arc<str>>,
    /// Steps of tracks that `since` names and that may stand further down.
    pub(in crate::scenario) pending_marks: &'r mut Vec<PendingMark>,
    /// What holds for all sockets.
    pub(in crate::scenario) rules: &'r Arc<SocketRules>,
}

/// A step that was read.
pub(in crate::scenario) struct ReadStep {
    pub(in crate::scenario) id: StepId,
    pub(in crate::scenario) name: Arc<str>,
    pub(in crate::scenario) place: Place,
    pub(in crate::scenario) in_chat: bool,
    /// Whether it stands in a branch that is not taken by whoever comes to what is read now.
    pub(in crate::scenario) elsewhere: bool,
    /// Its track, if it belongs to one.
    pub(in crate::scenario) track: Option<Arc<str>>,
}

/// `since: TRACK.STEP` of a track that goes on at the same time: the step may stand further down.
pub(in crate::scenario) struct PendingMark {
    /// The step that says so.
    pub(in crate::scenario) of: StepId,
    pub(in crate::scenario) track: Arc<str>,
    pub(in crate::scenario) step: String,
    pub(in crate::scenario) place: Place,
}

/// The expressions of a step that look at what its action came to.
pub(in crate::scenario) struct Looks<'a> {
    pub(in crate::scenario) expect: &'a [Expression],
    pub(in crate::scenario) captures: &'a [(Arc<str>, Expression)],
    /// What the step measures besides.
    pub(in crate::scenario) observe: Option<Observation>,
}

impl Looks<'_> {
    /// Whether one of them names this variable.
    pub(in crate::scenario) fn mention(&self, variable: &str) -> bool {
        let captures = self.captures.iter().map(|(_, expression)| expression);
        (self.expect.iter().chain(captures)).any(|look| look.mentions(variable))
    }
}
