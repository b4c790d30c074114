//! `think`: a pause.

use tokio::time::sleep_until;

use super::{Interrupt, Track};
use crate::{event::Failure, runner::forever::FOREVER, scenario::Pause};

impl Track<'_> {
    pub(super) async fn think(&mut self, pause: &Pause) -> Result<(), Interrupt> {
        if !self.entry_applies("think", pause.when.as_ref())? {
            return Ok(());
        }
        self.pause(pause, "think", |track| track.failed_thinking(pause))
            .await
    }

    /// Pauses, as part of the step or the entry with this name. `late`: what has failed if the deadline passes before.
    pub(super) async fn pause(
        &mut self,
        pause: &Pause,
        name: &str,
        late: impl FnOnce(&Self) -> Failure,
    ) -> Result<(), Interrupt> {
        let length = pause
            .sample(&self.scope, &mut self.random)
            .map_err(|error| Interrupt::Failed(self.failed_outside_steps(name, &error)))?;
        // Counted from the answer or event before, and not from now: if that was handled late, the pause is shorter by as much.
        self.timing.due += length.min(FOREVER);
        let deadline = self.deadline_before(self.timing.due);
        tokio::select! {
            biased;
            () = &mut self.stop => Err(self.cut_short()),
            () = sleep_until(deadline.unwrap_or(self.timing.due)) => match deadline {
                Some(_) => Err(Interrupt::Failed(late(self))),
                None => Ok(()),
            },
        }
    }
}
