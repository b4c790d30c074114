use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    event::{DeliveryFate, Verdict},
    runner::{Histogram, RunRecord, add_counts},
    scenario::Reason,
};

/// The runs of a probe within one hour, added up. Those that are invalid are in `runs` and `verdicts` alone: their
/// figures say nothing about the target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProbeHour {
    /// When the hour began, RFC 3339.
    pub hour: String,
    /// The scenario.
    pub scenario: String,
    /// The target.
    pub target: String,
    /// Runs that ended, of one chat each, or of none if the setup failed.
    pub runs: u64,
    /// The runs by verdict; one that broke off has none.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, u64>)]
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Chats that passed.
    pub passed: u64,
    /// Chats that failed.
    pub failed: u64,
    /// The failed ones by reason.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub failed_by_reason: BTreeMap<Reason, u64>,
    /// Chats that were stopped.
    pub stopped: u64,
    /// Deliveries to members of rooms by disposition; left out if there were none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, u64>)]
    pub deliveries: BTreeMap<DeliveryFate, u64>,
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
    /// Reads an hour of the file. Earlier versions counted chats and no verdicts: a run was as its chat then.
    pub(super) fn read(sums: &str) -> Result<Self, serde_json::Error> {
        let mut hour: Self = serde_json::from_str(sums)?;
        if hour.verdicts.is_empty() {
            let chats = [
                (Verdict::Passed, hour.passed),
                (Verdict::Failed, hour.failed),
                (Verdict::Stopped, hour.stopped),
            ];
            hour.verdicts = { chats.into_iter() }
                .filter(|(_, count)| *count > 0)
                .collect();
        }
        Ok(hour)
    }

    /// How many runs have this verdict.
    pub fn with(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(&verdict).copied().unwrap_or_default()
    }

    /// How many runs broke off.
    pub fn broken_off(&self) -> u64 {
        self.runs.saturating_sub(self.verdicts.values().sum())
    }

    /// One more run.
    pub(super) fn add(&mut self, record: &RunRecord) {
        let chats = &record.report.chats;
        self.runs += 1;
        if let Some(verdict) = record.report.verdict {
            *self.verdicts.entry(verdict).or_default() += 1;
        }
        if record.report.verdict == Some(Verdict::Invalid) {
            return;
        }
        self.passed += chats.passed;
        self.failed += chats.failed;
        self.stopped += chats.stopped;
        add_counts(&mut self.failed_by_reason, &chats.failed_by_reason);
        if let Some(deliveries) = &record.report.deliveries {
            add_counts(&mut self.deliveries, &deliveries.by_fate);
        }
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
