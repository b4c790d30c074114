//! Log lines about refused requests. Their number is bounded, since anybody can send as many such requests as they
//! like.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::line_budget::LineBudget;

/// The budget of log lines about refusals of one kind.
#[derive(Debug, Default)]
pub(super) struct RefusalLog(Mutex<LineBudget>);

impl RefusalLog {
    /// If the log may have a line about this refusal: the number of refusals since the last line that got none.
    pub(super) fn admit(&self) -> Option<u64> {
        self.lines().admit()
    }

    /// Logs the number of refusals since the last line that got none.
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
