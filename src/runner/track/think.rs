//! `think`: a pause.

use tokio::time::sleep_until;

use super::{Interrupt, Track};
use crate::{runner::forever::FOREVER, scenario::Pause};

impl Track<'_> {
    pub(super) async fn think(&mut self, pause: &Pause) -> Result<(), Interrupt> {
        if !self.entry_applies("think", pause.when.as_ref())? {
            return Ok(());
        }
        let length = pause
            .sample(&self.scope, &mut self.random)
            .map_err(|error| Interrupt::Failed(self.failed_outside_steps("think", &error)))?;
        // Not from now: whoever heard late of what came before pauses as much shorter.
        self.timing.due += length.min(FOREVER);
        let deadline = self.deadline_before(self.timing.due);
        tokio::select! {
            biased;
            () = &mut self.stop => Err(self.cut_short()),
            () = sleep_until(deadline.unwrap_or(self.timing.due)) => match deadline {
                Some(_) => Err(Interrupt::Failed(self.failed_thinking(pause))),
                None => Ok(()),
            },
        }
    }
}
