//! The time that the steps of a whole chat may take, and those around them.

use std::time::Duration;

use tokio::time::Instant;

use super::{Interrupt, Track, attempt::StepFailure};
use crate::{
    event::Failure,
    runner::{context::GracePeriod, deadline::Deadline},
    scenario::{Pause, PausePlace, Reason, Step},
    units::duration,
};

/// How long the setup may take, the teardown, and the `always` steps of a chat: none of them can hold a run and what
/// it has reserved for ever.
const LONGEST_AROUND_STEPS: Duration = Duration::from_hours(1);

impl Track<'_> {
    /// Lets the chat fail once its steps take longer than the scenario allows, counted from `since`.
    ///
    /// # Errors
    /// The deadline cannot be computed.
    pub(in crate::runner) fn set_deadline(&self, since: Instant) -> Result<(), Interrupt> {
        let Some(deadline) = &self.context().chats.scenario.deadline else {
            return Ok(());
        };
        let limit = deadline
            .evaluate(&self.scope)
            .map_err(|error| Interrupt::Failed(self.failed_outside_steps("deadline", &error)))?;
        self.chat.set_deadline(Deadline::after(since, limit));
        Ok(())
    }

    /// Lets fail what a setup, a teardown or `always` steps have not done within an hour from now. The deadline of the chat
    /// does not bind them.
    pub(in crate::runner) fn limit_time(&mut self) {
        let limit = Deadline::after(Instant::now(), LONGEST_AROUND_STEPS);
        self.rare().limit = Some(limit);
    }

    fn deadline(&self) -> Option<&Deadline> {
        let limit = self.rare.as_ref().and_then(|rare| rare.limit.as_ref());
        limit.or_else(|| self.chat.deadline())
    }

    /// How long a step may take that has this timeout: no longer than the rest of the time for all.
    pub(super) fn time_for_step(&self, timeout: Duration) -> Result<Duration, StepFailure> {
        match self.deadline().map(Deadline::time_left) {
            None => Ok(timeout),
            Some(Duration::ZERO) => Err(self.passed_deadline("before this step began")),
            Some(left) => Ok(left.min(timeout)),
        }
    }

    /// A step that was given up for want of time has failed by the deadline, if that has passed.
    pub(super) fn by_deadline(&self, failure: StepFailure) -> StepFailure {
        match failure {
            StepFailure::Failed { reason, detail }
                if is_lack_of_time(reason)
                    && self.deadline().map(Deadline::time_left) == Some(Duration::ZERO) =>
            {
                self.passed_deadline(&format!("during this step: {detail}"))
            }
            other => other,
        }
    }

    /// Whether the deadline is why a step failed.
    pub(super) fn is_by_deadline(&self, failure: &StepFailure) -> bool {
        let is_late = || self.deadline().map(Deadline::time_left) == Some(Duration::ZERO);
        matches!(
            failure,
            StepFailure::Failed {
                reason: Reason::Timeout,
                ..
            }
        ) && is_late()
    }

    /// Whether the deadline passes before `until`, and when that is.
    pub(super) fn deadline_before(&self, until: Instant) -> Option<Instant> {
        let deadline = self.deadline()?;
        (deadline.at < until).then_some(deadline.at)
    }

    fn passed_deadline(&self, during: &str) -> StepFailure {
        StepFailure::new(Reason::Timeout, self.deadline_detail(during))
    }

    fn deadline_detail(&self, during: &str) -> String {
        let limit = self
            .deadline()
            .map_or(Duration::ZERO, |deadline| deadline.limit);
        let limit = duration::exact(limit);
        let passed = match (self.grace, self.chat.number) {
            (GracePeriod::None, 0) => "the setup passed its limit",
            (GracePeriod::None, _) => "the chat passed its deadline",
            (GracePeriod::Cleanup, _) => "the `always` steps passed their limit",
            (GracePeriod::Teardown, _) => "the teardown passed its limit",
        };
        format!("{passed} of {limit} {during}")
    }

    /// The failure of steps whose deadline passes in a think time.
    pub(super) fn failed_thinking(&self, pause: &Pause) -> Failure {
        let PausePlace { place, after } = &*pause.declared;
        let during = match after {
            Some(step) => format!("in the think time after step `{step}` ({place})"),
            None => format!("in the think time before the first step ({place})"),
        };
        self.failed_by_deadline("think", &during)
    }

    /// The failure of steps whose deadline passes between the rounds of a repeat.
    pub(super) fn failed_repeating(&self, round: u64) -> Failure {
        self.failed_by_deadline("repeat", &format!("before round {round} of a repeat"))
    }

    /// The failure of steps whose deadline passes in the pause before a further attempt.
    pub(super) fn failed_before_attempt(&self, step: &Step, attempt: u32) -> Failure {
        let of = step.otherwise.attempts();
        self.failed_by_deadline(&step.name, &format!("before attempt {attempt} of {of}"))
    }

    pub(super) fn failed_by_deadline(&self, key: &str, during: &str) -> Failure {
        Failure {
            step: key.into(),
            reason: Reason::Timeout,
            detail: self.presentable(self.deadline_detail(during)),
        }
    }
}

/// Whether a failure with this reason can come from a time that was over.
fn is_lack_of_time(reason: Reason) -> bool {
    match reason {
        Reason::Dns
        | Reason::Connect
        | Reason::Tls
        | Reason::Timeout
        | Reason::AgentJoinTimeout
        | Reason::ReplyTimeout => true,
        Reason::Status
        | Reason::Expectation
        | Reason::Capture
        | Reason::Disconnected
        | Reason::Handshake
        | Reason::Closed
        | Reason::Protocol
        | Reason::Template
        | Reason::Internal => false,
    }
}
