//! `else`: what happens where a step has failed.

use std::sync::Arc;

use tokio::task::consume_budget;

use super::{Interrupt, Track, attempt::StepFailure};
use crate::{
    event::Failure,
    scenario::{Otherwise, Retry, Step},
};

impl Track<'_> {
    /// Goes on after this attempt at a step, counted from one, has failed, as the step says.
    pub(super) async fn go_on_after(
        &mut self,
        step: &Step,
        attempt: u32,
        failure: StepFailure,
    ) -> Result<(), Interrupt> {
        if self.ends_anyway(&failure) {
            return Err(self.interrupt(step, failure));
        }
        match &step.otherwise {
            Otherwise::End => Err(self.interrupt(step, failure)),
            Otherwise::Continue => Ok(()),
            Otherwise::Perform(items) => self.perform_all(items).await,
            Otherwise::Retry(retry) => self.retry(step, retry, attempt, failure).await,
        }
    }

    /// Attempts the step until it passes; its failure is that of the last attempt.
    async fn retry(
        &mut self,
        step: &Step,
        retry: &Retry,
        failed: u32,
        mut failure: StepFailure,
    ) -> Result<(), Interrupt> {
        for attempt in failed.saturating_add(1)..=step.otherwise.attempts() {
            // An attempt may fail without waiting for anything.
            consume_budget().await;
            if let Some(pause) = &retry.pause {
                let late = |track: &Self| track.failed_before_attempt(step, attempt);
                self.pause(pause, &step.name, late).await?;
            }
            if self.ending().is_over(self.grace) {
                return Err(self.cut_short());
            }
            Arc::make_mut(&mut self.scope).renew_moment();
            self.begin_attempt();
            let outcome = self.attempt(step).await;
            failure = match self.end_attempt(step, attempt, outcome) {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            if self.ends_anyway(&failure) {
                break;
            }
        }
        Err(self.interrupt(step, failure))
    }

    /// The end of the steps because one of them has failed.
    fn interrupt(&self, step: &Step, failure: StepFailure) -> Interrupt {
        match failure {
            StepFailure::Failed { reason, detail } if !self.is_stopped() => {
                Interrupt::Failed(Failure {
                    step: step.name.clone(),
                    reason,
                    detail: self.presentable(detail),
                })
            }
            // Whatever the step came to, the stop is why the rest is missing.
            StepFailure::Failed { .. } | StepFailure::Stopped => self.cut_short(),
        }
    }
}
