mod attempt;
mod barrier;
mod blame;
mod choose;
mod deadline;
mod end;
mod leftover;
mod otherwise;
mod repeat;
mod side_by_side;
mod since;
mod stop_signal;
mod think;
mod timing;
mod tracing;
mod wait_until;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::{join, join_all};
use tokio::time::Instant;

pub(super) use self::leftover::Leftover;
use self::{
    attempt::{StepFailure, shorten},
    stop_signal::StopSignal,
    timing::Timing,
    tracing::Tracing,
};
use super::{
    chat_state::ChatState,
    context::{EndSignal, GracePeriod, RunContext},
    deadline::Deadline,
    track_group::TrackGroup,
};
use crate::{
    event::{Failure, RunEvent, Sent, StepOutcome},
    inbox::TrackWait,
    scenario::{
        EvaluationError, Expression, Item, Kept, Reason, Scope, Sessions, Step, is_confidential,
        key_text, note_confidential,
    },
};

/// The longest detail of a failure, in characters: it may hold a value from an answer.
const LONGEST_DETAIL: usize = 1_000;
/// How long a chat that is over waits for the answers to the closes of its connections.
const LONGEST_CLOSE: Duration = Duration::from_secs(2);
/// Of what the setup captured, so much is shown where something was left open.
const MOST_CAPTURES: usize = 10;
/// In characters.
const LONGEST_CAPTURE: usize = 200;

/// Performs steps, one after the other, for one chat or for the setup or teardown of a run. What it finds out is its own:
/// several tracks can go on side by side over the state of one chat.
pub(super) struct Track<'a> {
    chat: &'a ChatState,
    scope: Arc<Scope>,
    sessions: Sessions,
    random: fastrand::Rng,
    timing: Timing,
    progress: Progress,
    grace: GracePeriod,
    stop: StopSignal<'a>,
    /// In a box: most tracks have none of this, and it would take room in every chat that waits.
    rare: Option<Box<RareOfTrack<'a>>>,
    /// What it may have left open at the target.
    leftover: Leftover,
    tracing: Option<Box<Tracing>>,
}

/// What few tracks have.
#[derive(Default)]
struct RareOfTrack<'a> {
    /// When its steps have failed, if they are none of those that the deadline of the chat binds.
    limit: Option<Deadline>,
    /// Its position among tracks that go on side by side, if it is one of those.
    position: Option<usize>,
    /// How it waits for events that others may take as well.
    waits_as: Option<TrackWait>,
    /// Those that have gone on side by side while it waited for them, by their positions. They go on with what they have
    /// when the chat comes to a track of the same name.
    tracks: BTreeMap<usize, Track<'a>>,
}

/// What is known of the step in progress, as soon as there is something.
#[derive(Default)]
struct Progress {
    /// See [`RunEvent::StepEnded`]. In a box, because a chat that waits has none.
    sent: Option<Box<Sent>>,
    kept: Option<Box<dyn Kept>>,
}

/// Why a list of steps was not performed to its end.
#[derive(Debug)]
pub(super) enum Interrupt {
    /// The scenario says that the chat has passed here.
    Passed,
    Failed(Failure),
    Stopped,
}

impl<'a> Track<'a> {
    /// A track that begins with the variables of a scope.
    pub(super) fn new(chat: &'a ChatState, scope: Scope, grace: GracePeriod) -> Self {
        Self {
            chat,
            sessions: chat.context.clients.sessions(scope.sessions()),
            scope: Arc::new(scope),
            random: fastrand::Rng::with_seed(chat.seed()),
            timing: Timing::begin(),
            progress: Progress::default(),
            grace,
            stop: StopSignal::new(&chat.context.ending, grace),
            rare: None,
            leftover: Leftover::default(),
            tracing: None,
        }
    }

    /// What all chats of its run share.
    fn context(&self) -> &'a RunContext {
        &self.chat.context
    }

    /// What tells it to end: that of its run, or of the tracks that it goes on with.
    fn ending(&self) -> &'a EndSignal {
        match self.group() {
            Some((group, _)) => &group.ending,
            None => &self.context().ending,
        }
    }

    /// The tracks that it goes on with, and its position among them.
    fn group(&self) -> Option<(&'a Arc<TrackGroup>, usize)> {
        let position = self.rare.as_ref()?.position?;
        Some((self.chat.group(), position))
    }

    fn rare(&mut self) -> &mut RareOfTrack<'a> {
        self.rare.get_or_insert_default()
    }

    /// Notes what it does from now on, in case it fails.
    pub(super) fn begin_trace(&mut self) {
        self.tracing = Tracing::of_chat(self.context().trace_budget());
    }

    /// The variables as they stand.
    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What the target calls the chat: what the scenario names as correlation, or else the chat's keys.
    pub(super) fn correlation(&self) -> Vec<(Arc<str>, String)> {
        let captured = self.confidential_captures();
        let shown = |text| shorten(self.redact(text, captured.clone()), LONGEST_DETAIL);
        let named = &self.context().chats.scenario.correlation;
        if named.is_empty() {
            let key: Arc<str> = "key".into();
            let keys = self.chat.keys().into_iter();
            return keys.map(|value| (key.clone(), shown(value))).collect();
        }
        let value = |name: &Arc<str>| {
            let value = self.scope.captured(name)?;
            let text = key_text(&value).unwrap_or_else(|| value.to_string());
            Some((name.clone(), shown(text)))
        };
        named.iter().filter_map(value).collect()
    }

    /// The steps of the setup or the chat have passed.
    pub(super) fn note_passed(&mut self) {
        self.leftover.note_passed();
    }

    /// What it may have left open at the target.
    pub(super) fn leftover(self) -> Leftover {
        self.leftover
    }

    /// The variables that people may see, by which they find at the target what was left open there.
    pub(super) fn captures(&self) -> Vec<(Arc<str>, String)> {
        let masks = self.confidential_captures();
        let visible = self.scope.captures();
        let visible = visible.filter(|(name, _)| !is_confidential(name));
        let shown = visible.map(|(name, value)| {
            let text = key_text(value).unwrap_or_else(|| value.to_string());
            let text = self.redact(text, masks.clone());
            (name.clone(), shorten(text, LONGEST_CAPTURE))
        });
        shown.take(MOST_CAPTURES).collect()
    }

    /// From here on `always` steps follow.
    pub(super) fn clean_up(&mut self, passed: bool) {
        self.grace = GracePeriod::Cleanup;
        self.stop = StopSignal::new(self.ending(), self.grace);
        self.limit_time();
        self.timing.due = Instant::now();
        Arc::make_mut(&mut self.scope).set_passed(passed);
    }

    /// Whether it or one of its tracks has opened a connection.
    fn is_connected(&self) -> bool {
        let mut tracks = self.rare.iter().flat_map(|rare| rare.tracks.values());
        self.sessions.is_connected() || tracks.any(Self::is_connected)
    }

    /// Closes the connections that the chat has opened, side by side, in a bound, and no longer than its run lets it clean up.
    pub(super) async fn close_connections(&mut self) {
        if !self.is_connected() {
            return;
        }
        let context = self.context();
        let own = self.sessions.close(LONGEST_CLOSE);
        let tracks = self
            .rare
            .iter_mut()
            .flat_map(|rare| rare.tracks.values_mut());
        let of_tracks = join_all(tracks.map(|track| track.sessions.close(LONGEST_CLOSE)));
        // In a box: a chat that waits need not have room for it.
        Box::pin(async {
            tokio::select! {
                biased;
                () = context.end_of_grace(GracePeriod::Cleanup) => {}
                _ = join(own, of_tracks) => {}
            }
        })
        .await;
    }

    /// Performs until something fails.
    pub(super) async fn perform_all(&mut self, items: &[Item]) -> Result<(), Interrupt> {
        let mut begun = false;
        for item in items {
            // The item before may have ended after the stop, because its answer was on its way.
            if begun && self.is_stopped() {
                return Err(self.cut_short());
            }
            begun = true;
            self.perform(item).await?;
        }
        Ok(())
    }

    /// Performs everything, whatever fails; the first failure is returned.
    pub(super) async fn perform_regardless(&mut self, items: &[Item]) -> Result<(), Interrupt> {
        let mut first = Ok(());
        for item in items {
            let result = self.perform(item).await;
            if first.is_ok() {
                first = result;
            }
        }
        first
    }

    async fn perform(&mut self, item: &Item) -> Result<(), Interrupt> {
        Arc::make_mut(&mut self.scope).renew_moment();
        match item {
            Item::Step(step) => self.perform_step(step).await,
            Item::Think(pause) => self.think(pause).await,
            Item::Repeat(repeat) => Box::pin(self.repeat(repeat)).await,
            Item::Choose(choice) => Box::pin(self.choose(choice)).await,
            Item::End(end) => self.end(end),
            Item::Together(together) => Box::pin(self.together(together)).await,
            Item::WaitUntil(wait) => Box::pin(self.wait_until(wait)).await,
            Item::Barrier(barrier) => Box::pin(self.wait_at(barrier)).await,
        }
    }

    /// Whether this failure of a step ends the steps although the step says that the chat goes on: the run is stopped, or
    /// there is no time left.
    fn ends_anyway(&self, failure: &StepFailure) -> bool {
        match failure {
            StepFailure::Stopped => true,
            StepFailure::Failed { .. } => self.is_stopped() || self.is_by_deadline(failure),
        }
    }

    /// What is left is not performed, because the run ends.
    fn cut_short(&self) -> Interrupt {
        // It may be another track of the chat that ended this one.
        if self.context().grace_is_over(self.grace) {
            self.context().note_cut_short(self.grace);
        }
        Interrupt::Stopped
    }

    /// Whether the steps of the setup or of a chat are to begin no more.
    fn is_stopped(&self) -> bool {
        self.grace == GracePeriod::None && self.ending().is_over(GracePeriod::None)
    }

    fn applies(&self, when: Option<&Expression>) -> Result<bool, EvaluationError> {
        when.map_or(Ok(true), |when| when.decide(&self.scope))
    }

    fn entry_applies(&self, place: &str, when: Option<&Expression>) -> Result<bool, Interrupt> {
        let applies = self.applies(when);
        applies.map_err(|error| Interrupt::Failed(self.failed_outside_steps(place, &error)))
    }

    /// The failure of what is no step, by its key in the scenario.
    pub(super) fn failed_outside_steps(&self, key: &str, error: &EvaluationError) -> Failure {
        Failure {
            step: key.into(),
            reason: Reason::Template,
            detail: self.presentable(error.to_string()),
        }
    }

    /// What people see of a text that may hold values of an answer.
    pub(super) fn presentable(&self, text: String) -> String {
        shorten(self.redact_all(text), LONGEST_DETAIL)
    }

    /// The text without secrets of the target, captured ones, and those that it has itself under a
    /// confidential name.
    fn redact_all(&self, text: String) -> String {
        self.redact(text, self.confidential_captures())
    }

    fn redact(&self, text: String, mut values: Vec<String>) -> String {
        note_confidential(&text, &mut values);
        self.context().chats.target.redact_besides(text, &values)
    }

    async fn perform_step(&mut self, step: &Step) -> Result<(), Interrupt> {
        match self.applies(step.when.as_ref()) {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(error) => {
                self.begin_attempt();
                let Err(failure) = self.end_attempt(step, 1, Err(error.into())) else {
                    return Ok(());
                };
                // Whether it runs is not known better by trying once more.
                let last = step.otherwise.attempts();
                return Box::pin(self.go_on_after(step, last, failure)).await;
            }
        }
        self.begin_attempt();
        let outcome = self.attempt(step).await;
        match self.end_attempt(step, 1, outcome) {
            Ok(()) => Ok(()),
            // In a box: few steps fail, and it would take room in every chat that waits.
            Err(failure) => Box::pin(self.go_on_after(step, 1, failure)).await,
        }
    }

    fn begin_attempt(&mut self) {
        self.progress.sent = None;
        if let Some(tracing) = &mut self.tracing {
            tracing.begin_step();
        }
    }

    /// One way in, one outcome, one event. `attempt`: which it is at this step, from one.
    fn end_attempt(
        &mut self,
        step: &Step,
        attempt: u32,
        outcome: Result<Duration, StepFailure>,
    ) -> Result<(), StepFailure> {
        if let Some((group, position)) = self.group() {
            group.end_step(position);
        }
        self.trace(step, attempt, outcome.as_ref().err());
        Arc::make_mut(&mut self.scope).look_away();
        let came_to = match &outcome {
            Ok(latency) => StepOutcome::Passed(*latency),
            Err(failure) => failure.outcome(),
        };
        self.context().emit(&RunEvent::StepEnded {
            step: step.id,
            sent: self.progress.sent.as_deref().copied(),
            outcome: came_to,
        });
        match self.grace {
            GracePeriod::None => self.leftover.note_step(step, attempt, came_to),
            GracePeriod::Cleanup | GracePeriod::Teardown => {
                self.leftover.note_cleanup(step, came_to);
            }
        }
        outcome.map(|_| ())
    }
}
