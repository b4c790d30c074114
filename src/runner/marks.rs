//! When steps passed from which waits count.

use tokio::time::Instant;

use crate::scenario::StepId;

/// The marks of the steps of a track, or of tracks that go on side by side.
#[derive(Debug, Default)]
pub(super) struct Marks(Vec<Mark>);

/// When the latest pass of a step sent its request, or when its event arrived.
#[derive(Debug)]
struct Mark {
    step: StepId,
    at: Instant,
}

impl Marks {
    /// Marks a step with a moment.
    pub(super) fn set(&mut self, step: StepId, at: Instant) {
        match self.0.iter_mut().find(|mark| mark.step == step) {
            Some(mark) => mark.at = at,
            None => self.0.push(Mark { step, at }),
        }
    }

    /// The moment of a step, if it has passed.
    pub(super) fn of(&self, step: StepId) -> Option<Instant> {
        let found = self.0.iter().find(|mark| mark.step == step);
        found.map(|mark| mark.at)
    }
}
