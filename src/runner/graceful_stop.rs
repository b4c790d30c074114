//! How long the chats in flight of a run may go on after the last start.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    load::{Profile, graceful_time_for},
    scenario::Cost,
};

/// How the chats in flight of a run are bounded after the last start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GracefulStop {
    /// From the last start until chats in flight are stopped.
    pub(super) limit: Duration,
    /// How long the `always` steps of those may take.
    pub(super) cleanup: Duration,
}

impl GracefulStop {
    /// That of a load whose chats cost so much; `None` if they may take as long as they need.
    pub fn of(load: &Profile, cost: &Cost) -> Option<Self> {
        Some(Self {
            limit: load.graceful_stop(cost.longest_chat)?,
            cleanup: graceful_time_for(cost.longest_cleanup),
        })
    }

    /// For people: whether it was exceeded, of a run with so many stopped chats. All of them were
    /// stopped by it then: it leaves none at its steps, and is exceeded only where nothing had stopped one before.
    pub(super) fn report(self, exceeded: bool, stopped: u64) -> GracefulStopReport {
        GracefulStopReport {
            limit_seconds: self.limit.as_secs_f64(),
            exceeded,
            stopped: if exceeded { stopped } else { 0 },
        }
    }
}

/// How long chats in flight could go on after the last start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GracefulStopReport {
    /// In seconds.
    pub limit_seconds: f64,
    /// Whether chats were in flight when that time had passed.
    pub exceeded: bool,
    /// How many of the stopped chats were stopped because it had passed.
    pub stopped: u64,
}
