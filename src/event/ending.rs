//! Outcomes of steps and endings of chats.

use std::{fmt, sync::Arc, time::Duration};

use crate::scenario::Reason;

/// Why a chat or a run failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The step that failed.
    pub step: Arc<str>,
    /// The reason, a label.
    pub reason: Reason,
    /// What exactly went wrong, in one line, without secrets; never a label.
    pub detail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step `{}`: {}: {}", self.step, self.reason, self.detail)
    }
}

/// The outcome of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// It passed, and took so long.
    Passed(Duration),
    /// It failed.
    Failed(Reason),
    /// It was cut short because its run was stopped: it has neither passed nor failed.
    Stopped,
}

/// How a chat ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Every step passed.
    Passed,
    /// A step failed.
    Failed(Failure),
    /// Its run was stopped first.
    Stopped,
}
