//! What concerns the whole of a run with chats of several scenarios.

use std::{
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use prometheus::IntCounter;

use super::{Metrics, bursts::BurstPart};
use crate::event::{RunEvent, RunIdentity, RunObserver};

/// Counts the end of one mixed run and the arrivals that it dropped; its chats count under their own scenarios.
pub(super) struct MixedRunMetrics {
    metrics: Arc<Metrics>,
    /// As soon as an arrival was dropped.
    dropped: OnceLock<IntCounter>,
}

impl MixedRunMetrics {
    /// For a run that starts now.
    pub(super) fn start(metrics: Arc<Metrics>, run: &RunIdentity, now: SystemTime) -> Self {
        metrics.bursts.run_started(run, BurstPart::Frame, now);
        Self {
            metrics,
            dropped: OnceLock::new(),
        }
    }
}

impl RunObserver for MixedRunMetrics {
    fn observe(&self, run: &Arc<RunIdentity>, event: &RunEvent) {
        let bursts = &self.metrics.bursts;
        match event {
            RunEvent::ArrivalDropped => self.dropped.get_or_init(|| bursts.dropped(run)).inc(),
            RunEvent::Ended { verdict, .. } => {
                let now = SystemTime::now();
                bursts.run_ended(run, BurstPart::Frame, Some(*verdict), now);
            }
            _ => {}
        }
    }
}
