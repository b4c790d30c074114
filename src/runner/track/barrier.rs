//! `barrier`: a place where the chats of a run wait for each other.

use std::pin::pin;

use tokio::time::{Instant, sleep_until};

use super::{Interrupt, Track};
use crate::{
    event::Failure,
    runner::{barriers::WaitingChat, forever::FOREVER},
    scenario::{Barrier, Reason},
    units::duration,
};

const KEY: &str = "barrier";

impl Track<'_> {
    pub(super) async fn wait_at(&mut self, barrier: &Barrier) -> Result<(), Interrupt> {
        if !self.entry_applies(KEY, barrier.when.as_ref())? {
            return Ok(());
        }
        let timeout = barrier
            .timeout
            .evaluate(&self.scope)
            .map_err(|error| Interrupt::Failed(self.failed_outside_steps(KEY, &error)))?;
        // A run of a scenario with barriers has them.
        let Some(barriers) = &self.context().barriers else {
            return Ok(());
        };
        let end = Instant::now() + timeout.min(FOREVER);
        let deadline = self.deadline_before(end);
        let waiting = barriers.come(&barrier.name, self.chat.number);
        let mut came_about = pin!(waiting.came_about());
        // What comes about from here on is not missed.
        came_about.as_mut().enable();
        if waiting.complete().is_none() {
            tokio::select! {
                biased;
                () = &mut self.stop => return Err(self.cut_short()),
                () = came_about => {}
                () = sleep_until(deadline.unwrap_or(end)) => {}
            }
        }
        if let Some(complete) = waiting.complete() {
            self.timing.due = self.timing.due.max(complete);
            return Ok(());
        }
        Err(Interrupt::Failed(if deadline.is_some() {
            let (name, place) = (&barrier.name, &barrier.place);
            self.failed_by_deadline(KEY, &format!("at the barrier `{name}` ({place})"))
        } else {
            let waited = duration::exact(timeout);
            self.waited_in_vain_at(barrier, &waiting, &waited)
        }))
    }

    fn waited_in_vain_at(
        &self,
        barrier: &Barrier,
        waiting: &WaitingChat<'_>,
        waited: &str,
    ) -> Failure {
        let (name, place) = (&barrier.name, &barrier.place);
        let turnout = waiting.turnout();
        let (come, of) = (turnout.come, turnout.of);
        Failure {
            step: KEY.into(),
            reason: Reason::Timeout,
            detail: self.presentable(format!(
                "{place}: {come} of {of} chats in progress had come to the barrier `{name}` within {waited}"
            )),
        }
    }
}
