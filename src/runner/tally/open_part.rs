//! The part of a run that is open: what the events of chats are recorded into.

use std::time::Duration;

use crate::{
    event::{RunEvent, RunIdentity},
    runner::{RunState, measurements::Measurements},
};

/// What was measured since somebody looked last, and how the run stands at this moment.
#[derive(Debug)]
pub(super) struct OpenPart {
    pub(super) measured: Measurements,
    pub(super) state: RunState,
    pub(super) chats: InProgress,
}

/// Chats at this moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct InProgress {
    pub(super) started: u64,
    pub(super) now: u64,
    /// At once so far.
    pub(super) most: u64,
}

impl OpenPart {
    /// Of a run that begins.
    pub(super) fn new(nothing: Measurements) -> Self {
        Self {
            measured: nothing,
            state: RunState::SettingUp,
            chats: InProgress::default(),
        }
    }

    /// Records what happened to the run, so long after it began.
    pub(super) fn record(
        &mut self,
        run: &RunIdentity,
        event: &RunEvent,
        after: impl Fn() -> Duration,
    ) {
        match event {
            RunEvent::ChatStarted { .. } => self.chats.begin(),
            RunEvent::ChatEnded { .. } => self.chats.now -= 1,
            _ => {}
        }
        self.measured.record(run, event, after);
    }
}

impl InProgress {
    fn begin(&mut self) {
        self.started += 1;
        self.now += 1;
        self.most = self.most.max(self.now);
    }
}
