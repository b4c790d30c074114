use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    runner::{Histogram, RunRecord},
    scenario::Reason,
};

/// The chats of a probe within one hour, added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProbeHour {
    /// When the hour began, RFC 3339.
    pub hour: String,
    /// The scenario.
    pub scenario: String,
    /// The target.
    pub target: String,
    /// Runs that ended, of one chat each.
    pub runs: u64,
    /// Chats that passed.
    pub passed: u64,
    /// Chats that failed.
    pub failed: u64,
    /// The failed ones by reason.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub failed_by_reason: BTreeMap<Reason, u64>,
    /// Chats that were stopped.
    pub stopped: u64,
    /// How long passed chats took.
    pub chat_duration: Histogram,
    /// The steps by name.
    pub steps: BTreeMap<String, StepHour>,
}

/// One step within one hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepHour {
    /// How often it passed.
    pub passed: u64,
    /// The failures by reason.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub failed_by_reason: BTreeMap<Reason, u64>,
    /// How often it was cut short because its run was stopped.
    #[serde(default)]
    pub stopped: u64,
    /// How long it took when it passed.
    pub latency: Histogram,
}

impl ProbeHour {
    /// One more run.
    pub(super) fn add(&mut self, record: &RunRecord) {
        let chats = &record.report.chats;
        self.runs += 1;
        self.passed += chats.passed;
        self.failed += chats.failed;
        self.stopped += chats.stopped;
        add_counts(&mut self.failed_by_reason, &chats.failed_by_reason);
        self.chat_duration = Histogram::merged(&[&self.chat_duration, &record.chat_duration]);
        for step in &record.report.steps {
            let sum = self.steps.entry(step.step.clone()).or_default();
            sum.passed += step.passed;
            sum.stopped += step.stopped;
            add_counts(&mut sum.failed_by_reason, &step.failed_by_reason);
            if let Some(latency) = record.steps.get(&step.step) {
                sum.latency = Histogram::merged(&[&sum.latency, latency]);
            }
        }
    }
}

/// Adds up what is counted by reason or fate.
pub(super) fn add_counts<K: Copy + Ord>(sum: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, count) in more {
        *sum.entry(*key).or_default() += count;
    }
}
