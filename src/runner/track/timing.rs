use tokio::time::Instant;

use crate::runner::marks::Marks;

/// Where a track stands in time.
#[derive(Debug)]
pub(super) struct Timing {
    /// When the customer can do what comes next: what it waited for is there, its pause is over.
    pub(super) due: Instant,
    /// When the latest request was sent.
    pub(super) last_sent: Instant,
    /// Those of its steps. While tracks go on side by side, they have theirs in common.
    pub(super) marks: Marks,
}

impl Timing {
    /// That of a track which begins.
    pub(super) fn begin() -> Self {
        let now = Instant::now();
        Self {
            due: now,
            last_sent: now,
            marks: Marks::default(),
        }
    }
}
