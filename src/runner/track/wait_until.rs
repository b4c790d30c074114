//! `wait_until`: a pause of a track until something holds that other tracks capture.

use std::{pin::pin, sync::Arc};

use tokio::time::{Instant, sleep_until};

use super::{Interrupt, Track};
use crate::{
    event::Failure,
    runner::forever::FOREVER,
    scenario::{Reason, WaitUntil},
    units::duration,
};

const KEY: &str = "wait_until";

impl Track<'_> {
    pub(super) async fn wait_until(&mut self, wait: &WaitUntil) -> Result<(), Interrupt> {
        if !self.entry_applies(KEY, wait.when.as_ref())? {
            return Ok(());
        }
        let failed = |error| Interrupt::Failed(self.failed_outside_steps(KEY, &error));
        let timeout = wait.timeout.evaluate(&self.scope).map_err(failed)?;
        // The reader takes it in tracks only.
        let Some((group, position)) = self.group() else {
            return Ok(());
        };
        let end = Instant::now() + timeout.min(FOREVER);
        let deadline = self.deadline_before(end);
        loop {
            let mut changed = pin!(group.changed());
            // What is captured from here on is not missed.
            changed.as_mut().enable();
            let captures = group.count_captures();
            Arc::make_mut(&mut self.scope).renew_moment();
            let holds = wait.condition.decide(&self.scope);
            let failed = |error| Interrupt::Failed(self.failed_outside_steps(KEY, &error));
            if holds.map_err(failed)? {
                group.go_on(position);
                self.timing.due = Instant::now();
                return Ok(());
            }
            if !group.wait(position, captures) {
                let why = "cannot hold any more: the other tracks are over or wait, too";
                return Err(Interrupt::Failed(self.waited_for(wait, why)));
            }
            tokio::select! {
                biased;
                () = &mut self.stop => return Err(self.cut_short()),
                () = changed => {}
                () = sleep_until(deadline.unwrap_or(end)) => {
                    return Err(Interrupt::Failed(if deadline.is_some() {
                        let place = wait.condition.place();
                        self.failed_by_deadline(KEY, &format!("in a `wait_until` ({place})"))
                    } else {
                        let waited = duration::exact(timeout);
                        self.waited_for(wait, &format!("did not hold within {waited}"))
                    }));
                }
            }
        }
    }

    fn waited_for(&self, wait: &WaitUntil, why: &str) -> Failure {
        let (place, source) = (wait.condition.place(), wait.condition.source());
        Failure {
            step: KEY.into(),
            reason: Reason::Timeout,
            detail: self.presentable(format!("{place}: `{source}` {why}")),
        }
    }
}
