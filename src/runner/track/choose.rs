//! `choose`: one of several lists of entries.

use std::sync::Arc;

use super::{Interrupt, Track};
use crate::scenario::Choose;

impl Track<'_> {
    pub(super) async fn choose(&mut self, choice: &Choose) -> Result<(), Interrupt> {
        if !self.entry_applies("choose", choice.when.as_ref())? {
            return Ok(());
        }
        let sequence = self.scope.sequence();
        let turn = choice.turn(sequence, &mut self.random);
        Arc::make_mut(&mut self.scope).set_sequence(turn.sequence);
        let result = self.perform_all(&choice.branches[turn.index].items).await;
        Arc::make_mut(&mut self.scope).set_sequence(sequence);
        result
    }
}
