use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::outcomes::add_counts;
use crate::scenario::Reason;

/// started = passed + failed + stopped + in progress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatCounts {
    /// Chats that began.
    pub started: u64,
    /// All of whose steps passed.
    pub passed: u64,
    /// One of whose steps failed.
    pub failed: u64,
    /// The failed ones by reason.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub failed_by_reason: BTreeMap<Reason, u64>,
    /// Stopped in progress, with the run or by its graceful stop.
    pub stopped: u64,
    /// Not ended.
    pub in_progress: u64,
    /// The most that were in progress at once.
    pub most_in_progress: u64,
    /// Arrivals that were dropped: the concurrency limit was reached.
    pub dropped: u64,
}

impl ChatCounts {
    /// Adds the chats of another part of the run; how many are in progress, and were at most, stays.
    pub(super) fn add(&mut self, part: &Self) {
        self.started += part.started;
        self.passed += part.passed;
        self.failed += part.failed;
        add_counts(&mut self.failed_by_reason, &part.failed_by_reason);
        self.stopped += part.stopped;
        self.dropped += part.dropped;
    }
}
