//! Whose fault it is that an answer or an event did not come.

use std::time::Duration;

use tokio::time::Instant;

use super::{Performer, attempt::Refusal};
use crate::{
    driver::{HttpFailure, HttpFailureKind},
    inbox::WaitError,
    scenario::{Observation, Reason, Step, explain_failure},
    units::duration,
};

impl Performer {
    /// Why a wait did not pass. An event that did not come may be one that this process did not take: then
    /// nothing is known about the target.
    pub(super) async fn waited_in_vain(
        &self,
        step: &Step,
        since: Instant,
        timeout: Duration,
        error: &WaitError,
    ) -> Refusal {
        let reason = match (error, step.observe) {
            (WaitError::Disconnected, _) => {
                return Refusal::new(Reason::Disconnected, error.to_string());
            }
            (WaitError::Timeout { .. }, Some(Observation::AgentJoin)) => Reason::AgentJoinTimeout,
            (WaitError::Timeout { .. }, None) => Reason::ReplyTimeout,
        };
        let detail = format!("{error} (waited {})", duration::rounded(timeout));
        let exchange = &self.context.engine.exchange;
        match exchange.shortage_since(since).await {
            None => Refusal::new(reason, detail),
            Some(shortage) => Refusal::new(
                Reason::Internal,
                format!(
                    "{detail}; the listener for events could not take all that came: {shortage}"
                ),
            ),
        }
    }

    /// Why a request has no answer. That of a simulator in this process is ours.
    pub(super) async fn unanswered(&self, failure: HttpFailure) -> Refusal {
        let exchange = &self.context.engine.exchange;
        let (reason, detail) = explain_failure(&failure);
        let late = [HttpFailureKind::Connect, HttpFailureKind::Timeout].contains(&failure.kind);
        let shortage = if late {
            exchange.simulator_shortage_since(failure.sent_at).await
        } else {
            None
        };
        match shortage {
            None => Refusal::new(reason, detail),
            Some(shortage) => Refusal::new(
                Reason::Internal,
                format!(
                    "{detail}; the simulator in this process could not take all that came: {shortage}"
                ),
            ),
        }
    }
}
