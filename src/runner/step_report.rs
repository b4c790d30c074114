use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Mix, Quantiles, measurements::Measurements};
use crate::scenario::{Observation, Reason};

/// One step of the scenario over the whole run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepReport {
    /// The step.
    pub step: String,
    /// What it measures besides, such as the wait for an agent.
    pub observes: Option<Observation>,
    /// How often it passed.
    pub passed: u64,
    /// How often it failed.
    pub failed: u64,
    /// The failures by reason.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub failed_by_reason: BTreeMap<Reason, u64>,
    /// How often it was cut short because the run was stopped: neither passed nor failed.
    #[serde(default)]
    pub stopped: u64,
    /// How many of its requests were sent once more, because the target closed the connection under them.
    #[serde(default)]
    pub resent: u64,
    /// How many requests it sent to poll; zero of a step that does not.
    #[serde(default)]
    pub polled: u64,
    /// How long it took when it passed.
    pub latency: Quantiles,
}

impl StepReport {
    /// The steps of these chats as they were measured, in the order of their scenarios.
    pub(super) fn all(mix: &Mix, measured: &Measurements) -> Vec<Self> {
        let steps = mix.steps().into_iter().zip(&measured.steps);
        let reports = steps.map(|(step, measured)| {
            let outcomes = &measured.outcomes;
            Self {
                step: step.name,
                observes: step.step.observe,
                passed: outcomes.passed(),
                failed: outcomes.failed(),
                failed_by_reason: outcomes.failed_by_reason.clone(),
                stopped: outcomes.stopped,
                resent: measured.resent,
                polled: measured.polled,
                latency: Quantiles::of(&outcomes.latency),
            }
        });
        reports.collect()
    }
}
