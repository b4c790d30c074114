//! What a chat, or the setup of a run, may have left open at the target.

use std::sync::Arc;

use crate::{
    event::StepOutcome,
    scenario::{Opened, Reason, Step},
};

/// What the requests so far may have opened, and what was closed again.
///
/// What the target holds is not known. A request that may change something may have opened something if it
/// was accepted, and if its answer is missing.
#[derive(Debug, Default)]
pub(in crate::runner) struct Leftover {
    /// A request that may change something was accepted, or its answer is missing.
    opened: bool,
    /// What became of the request of the step in progress, if it may have opened something.
    request: Option<Opened>,
    /// A request of `always` or `teardown` passed.
    closed: bool,
    /// The first step that speaks for something being open; one that was tolerated gives way to any other. In a box, because most chats have none.
    open_because: Option<Box<(Arc<str>, OpenBecause)>>,
}

#[derive(Debug, Clone, Copy)]
enum OpenBecause {
    /// Its answer would have said what it opened.
    NoAnswer,
    /// It was accepted, and what it opened is not known.
    Unnamed(Reason),
    /// Likewise, and the chat goes on without the step: it says something only if the steps do not pass.
    Tolerated(Reason),
    /// It belongs to `always` or `teardown`.
    Unclosed(Reason),
    /// Likewise, and was cut short.
    CutShort,
}

impl Leftover {
    /// Notes what the action of a step may have opened.
    pub(super) fn note_opened(&mut self, opened: Opened) {
        self.request = Some(opened);
        self.opened = true;
    }

    /// Notes the outcome of an attempt at a step of `setup` or `steps`.
    pub(super) fn note_step(&mut self, step: &Step, attempt: u32, outcome: StepOutcome) {
        let learns = !step.captures.is_empty() || step.claim.is_some();
        let open_because = match (self.request.take(), outcome) {
            (Some(Opened::Unanswered), _) | (Some(_), StepOutcome::Stopped) => {
                OpenBecause::NoAnswer
            }
            (Some(Opened::Accepted), StepOutcome::Failed(reason))
                if step.otherwise.tolerates(attempt) =>
            {
                OpenBecause::Tolerated(reason)
            }
            (Some(Opened::Accepted), StepOutcome::Failed(reason)) => OpenBecause::Unnamed(reason),
            (Some(Opened::Accepted), StepOutcome::Passed(_)) | (None, _) => return,
        };
        if learns {
            self.note(step, open_because);
        }
    }

    fn note(&mut self, step: &Step, open_because: OpenBecause) {
        let is_said = |said: &(_, OpenBecause)| !matches!(said.1, OpenBecause::Tolerated(_));
        if !self.open_because.as_deref().is_some_and(is_said) {
            self.open_because = Some(Box::new((step.name.clone(), open_because)));
        }
    }

    /// Adds what a track may have left open that went on beside others. What an earlier one may have left open is named
    /// first.
    pub(super) fn add(&mut self, track: Self) {
        let is_tolerated = |said: &(_, OpenBecause)| matches!(said.1, OpenBecause::Tolerated(_));
        self.opened |= track.opened;
        self.closed |= track.closed;
        if self.open_because.as_deref().is_none_or(is_tolerated) {
            self.open_because = track.open_because.or(self.open_because.take());
        }
    }

    /// Notes that the steps of `setup` or `steps` passed.
    pub(super) fn note_passed(&mut self) {
        let tolerated =
            |said: &mut Box<(_, OpenBecause)>| matches!(said.1, OpenBecause::Tolerated(_));
        self.open_because.take_if(tolerated);
    }

    /// Notes the outcome of a step of `always` or `teardown`.
    pub(super) fn note_cleanup(&mut self, step: &Step, outcome: StepOutcome) {
        self.request = None;
        match outcome {
            StepOutcome::Passed(_) => self.closed = true,
            StepOutcome::Failed(reason) => self.note(step, OpenBecause::Unclosed(reason)),
            StepOutcome::Stopped => self.note(step, OpenBecause::CutShort),
        }
    }

    /// Whether something may have been opened, whatever became of it since.
    pub(in crate::runner) fn has_opened(&self) -> bool {
        self.opened
    }

    /// What the setup left open, given what the teardown did.
    pub(in crate::runner) fn after(self, teardown: Self) -> Self {
        Self {
            closed: teardown.closed,
            open_because: self.open_because.or(teardown.open_because),
            ..self
        }
    }

    /// Why something may be open, if so. `named`: the target has a name for it, so that it is open unless
    /// something closed it.
    pub(in crate::runner) fn why(&self, named: bool) -> Option<String> {
        if !self.opened && !named {
            return None;
        }
        match self.open_because.as_deref() {
            Some((step, OpenBecause::NoAnswer)) => Some(format!("`{step}` got no answer")),
            Some((step, OpenBecause::Unnamed(reason) | OpenBecause::Tolerated(reason))) => {
                Some(format!("`{step}` was accepted and failed: {reason}"))
            }
            Some((step, OpenBecause::Unclosed(reason))) => {
                Some(format!("`{step}` failed: {reason}"))
            }
            Some((step, OpenBecause::CutShort)) => Some(format!("`{step}` was stopped")),
            None if named && !self.closed => Some("no step closed it".to_owned()),
            None => None,
        }
    }
}
