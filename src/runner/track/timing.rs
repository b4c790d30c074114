use tokio::time::Instant;

use crate::scenario::StepId;

/// Where a track stands in time.
#[derive(Debug)]
pub(super) struct Timing {
    /// When the customer can do what comes next: what it waited for is there, its pause is over.
    pub(super) due: Instant,
    /// When the latest request was sent.
    pub(super) last_sent: Instant,
    marks: Vec<Mark>,
}

/// When the latest pass of a step sent its request, or when its event arrived.
#[derive(Debug)]
struct Mark {
    step: StepId,
    at: Instant,
}

impl Timing {
    /// That of a track which begins.
    pub(super) fn begin() -> Self {
        let now = Instant::now();
        Self {
            due: now,
            last_sent: now,
            marks: Vec::new(),
        }
    }

    /// Marks a step with a moment.
    pub(super) fn mark(&mut self, step: StepId, at: Instant) {
        match self.marks.iter_mut().find(|mark| mark.step == step) {
            Some(mark) => mark.at = at,
            None => self.marks.push(Mark { step, at }),
        }
    }

    /// From when a wait counts that answers this step; the latest request without one, or if it has not passed.
    pub(super) fn since(&self, step: Option<StepId>) -> Instant {
        let mark = step.and_then(|step| self.marks.iter().find(|mark| mark.step == step));
        mark.map_or(self.last_sent, |mark| mark.at)
    }
}
