use super::measurements::Measurements;

/// What was measured since a step of a search began, and nothing of what was before.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Of its first part, which is not judged.
    warm_up: Measurements,
    /// Of the rest.
    judged: Measurements,
    is_judged: bool,
}

impl Window {
    /// Adds what was measured next.
    pub(super) fn add(&mut self, measured: &Measurements) {
        let part = if self.is_judged {
            &mut self.judged
        } else {
            &mut self.warm_up
        };
        part.merge(measured);
    }

    /// What was measured so far is not judged.
    pub(super) fn begin_judged(&mut self) {
        self.is_judged = true;
    }

    /// What ended in the judged part, whenever it began.
    pub(super) fn judged(&self) -> &Measurements {
        &self.judged
    }

    /// Of the whole step: a generator that was late at first has not asked for what it should have.
    pub(super) fn whole(&self) -> Measurements {
        let mut whole = self.warm_up.clone();
        whole.merge(&self.judged);
        whole
    }
}
