//! Whose fault it is that an answer or an event did not come.

use std::time::Duration;

use tokio::time::Instant;

use super::{Track, attempt::StepFailure};
use crate::{
    inbox::WaitError,
    scenario::{Awaited, Failed, Reason, Step, WaitAction},
    units::duration,
};

impl Track<'_> {
    /// Why a wait did not pass. An event that did not come may be one that this process did not take: then
    /// nothing is known about the target.
    pub(super) async fn waited_in_vain(
        &self,
        step: &Step,
        since: Instant,
        timeout: Duration,
        error: &WaitError,
    ) -> StepFailure {
        let reason = match error {
            WaitError::Disconnected => {
                return StepFailure::new(Reason::Disconnected, error.to_string());
            }
            WaitError::Ended { reason, .. } => {
                return StepFailure::new(*reason, error.to_string());
            }
            WaitError::Exceeded(error) => return error.as_ref().clone().into(),
            WaitError::Timeout { .. } => WaitAction::reason_late(step.observe),
        };
        let detail = format!("{error} (waited {})", duration::rounded(timeout));
        if !is_of_callbacks(step) {
            return StepFailure::new(reason, detail);
        }
        let exchange = &self.context().engine.exchange;
        match exchange.shortage_since(since).await {
            None => StepFailure::new(reason, detail),
            Some(shortage) => StepFailure::new(
                Reason::Internal,
                format!(
                    "{detail}; the listener for events could not take all that came: {shortage}"
                ),
            ),
        }
    }

    /// Why an action failed. That a simulator in this process was not reached is our fault.
    pub(super) async fn blame(&self, failed: Failed) -> StepFailure {
        let quoted = failed.quote.map(|text| self.quote(text));
        let detail = failed.detail + &quoted.unwrap_or_default();
        let exchange = &self.context().engine.exchange;
        let shortage = match failed.unreached_since {
            Some(since) => exchange.simulator_shortage_since(since).await,
            None => None,
        };
        match shortage {
            None => StepFailure::new(failed.reason, detail),
            Some(shortage) => StepFailure::new(
                Reason::Internal,
                format!(
                    "{detail}; the simulator in this process could not take all that came: {shortage}"
                ),
            ),
        }
    }
}

/// Whether it is events of callbacks that the step waits for, which come through a listener of this process.
fn is_of_callbacks(step: &Step) -> bool {
    let wait = step.action.as_wait();
    wait.is_none_or(|wait| wait.source == Awaited::Callbacks)
}
