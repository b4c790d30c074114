//! What the log hears of those who are refused, which anybody can be as often as they like.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::line_budget::LineBudget;

/// Lines of the log about refusals of one kind.
#[derive(Debug, Default)]
pub(super) struct RefusalLog(Mutex<LineBudget>);

impl RefusalLog {
    /// If the log may have a line about this one: how many it had none about before.
    pub(super) fn admit(&self) -> Option<u64> {
        self.lines().admit()
    }

    /// Tells how many there were that no line told of.
    pub(super) fn tell_rest(&self, what: &str) {
        let untold = self.lines().take_left_out();
        if untold > 0 {
            tracing::warn!(untold, "{what} besides those above");
        }
    }

    fn lines(&self) -> MutexGuard<'_, LineBudget> {
        // A budget that is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
