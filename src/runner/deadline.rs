use std::time::Duration;

use tokio::time::Instant;

use super::forever::FOREVER;

/// When a chat has failed that is still at its steps, or what is around them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    /// How long they may take.
    pub(super) limit: Duration,
}

impl Deadline {
    /// That of steps which may take so long, counted from `since`.
    pub(super) fn after(since: Instant, limit: Duration) -> Self {
        Self {
            at: since + limit.min(FOREVER),
            limit,
        }
    }

    /// How long they may still take; nothing once the deadline has passed.
    pub(super) fn time_left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}
