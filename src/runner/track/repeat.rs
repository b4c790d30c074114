//! `repeat`: entries that are performed several times.

use std::sync::Arc;

use tokio::{task::consume_budget, time::Instant};

use super::{Interrupt, Track};
use crate::scenario::Repeat;

impl Track<'_> {
    pub(super) async fn repeat(&mut self, repeat: &Repeat) -> Result<(), Interrupt> {
        if !self.entry_applies("repeat", repeat.when.as_ref())? {
            return Ok(());
        }
        let count = repeat
            .count
            .evaluate(&self.scope)
            .map_err(|error| Interrupt::Failed(self.failed_outside_steps("repeat", &error)))?;
        let sequence = self.scope.sequence();
        for index in 1..=count {
            // A round may have no step that waits, or none that applies.
            consume_budget().await;
            if self.ending().is_over(self.grace) {
                return Err(self.cut_short());
            }
            if self.deadline_before(Instant::now()).is_some() {
                return Err(Interrupt::Failed(self.failed_repeating(index)));
            }
            let scope = Arc::make_mut(&mut self.scope);
            let around = scope.set_round(Some(index));
            scope.set_sequence(sequence.wrapping_add(index - 1));
            let result = self.perform_all(&repeat.items).await;
            let scope = Arc::make_mut(&mut self.scope);
            scope.set_round(around);
            scope.set_sequence(sequence);
            result?;
        }
        Ok(())
    }
}
