//! The chats in flight once no more start.

use tokio::time::Instant;

use super::{ANSWERS_AFTER_END, RunTask};
use crate::{runner::forever::FOREVER, units::duration};

impl RunTask {
    /// For a run that starts no more chats: stops those in flight once its graceful stop has passed, unless
    /// something has ended them already. Until then the moment at which it passes.
    pub(super) fn stop_gracefully(&mut self, now: Instant) -> Option<Instant> {
        let since = *self.finishing_since.get_or_insert(now);
        let stop = self.graceful_stop?;
        let passes = since + stop.limit.min(FOREVER);
        if now < passes {
            return Some(passes);
        }
        self.graceful_stop = None;
        let ending = &self.ending;
        if ending.give_to_chats(ANSWERS_AFTER_END, stop.cleanup) {
            tracing::warn!(
                run = %self.spec.identity.id,
                chats = self.chats.len(),
                "the graceful stop of {} has passed: stopping the chats in flight",
                duration::exact(stop.limit)
            );
            self.tally.note_graceful_stop();
        }
        None
    }
}
