//! One second of a run, as reports and people see it.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    DeliverySample, MachineSample, SocketSample, latencies::Latencies, measurements::Measurements,
    outcomes::Outcomes, quantiles::quantile,
};
use crate::{event::Fate, scenario::Reason};

/// What happened in one second of a run; in more than one, if the generator could not look in time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sample {
    /// When it ended, in seconds since the run began.
    pub at: f64,
    /// How long it was, in seconds: counts divided by it are rates.
    pub seconds: f64,
    /// Chats that the load profile wanted to begin in it; null for one that says how many there
    /// are at a time.
    pub due: Option<u64>,
    /// Customers that the load profile wanted when the sample ended; null for a profile that says when chats begin.
    pub customers: Option<u64>,
    /// Chats that began in it.
    pub started: u64,
    /// Chats that passed in it.
    pub passed: u64,
    /// Chats that failed in it.
    pub failed: u64,
    /// The failed ones by reason; left out if none failed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, u64>)]
    pub failed_by_reason: BTreeMap<Reason, u64>,
    /// Chats that were stopped in it.
    pub stopped: u64,
    /// Chats that were due in it and were dropped: the concurrency limit was reached.
    pub dropped: u64,
    /// Chats in progress at its end.
    pub in_progress: u64,
    /// Events received in it.
    pub received: u64,
    /// Events whose fate was decided within the sample, by fate, whenever they were received; left out if there were
    /// none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, u64>)]
    pub by_fate: BTreeMap<Fate, u64>,
    /// The sockets; left out if nothing happened to any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sockets: Option<SocketSample>,
    /// What members of rooms were to receive; left out if nothing happened to deliveries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub deliveries: Option<DeliverySample>,
    /// How late chats started, 99th percentile, in seconds.
    pub start_late: Option<f64>,
    /// How late requests were sent, 99th percentile, in seconds.
    pub sent_late: Option<f64>,
    /// The steps, in the order in which the report has them.
    pub steps: Vec<StepSample>,
    /// The machine, if it was read; the mean, if that was done twice in this second.
    pub machine: Option<MachineSample>,
}

/// One step in one second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepSample {
    /// How often it passed.
    pub passed: u64,
    /// How often it failed.
    pub failed: u64,
    /// The failures by reason; left out if there were none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, u64>)]
    pub failed_by_reason: BTreeMap<Reason, u64>,
    /// How often it was cut short because the run was stopped.
    #[serde(default)]
    pub stopped: u64,
    /// The median of those that passed, in seconds.
    pub p50: Option<f64>,
    /// 95 of 100 that passed were as quick, in seconds.
    pub p95: Option<f64>,
    /// The slowest that passed, in seconds.
    pub max: Option<f64>,
}

/// What a load profile wants of a second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AskedFor {
    /// See [`Sample::due`].
    pub(super) due: Option<u64>,
    /// See [`Sample::customers`].
    pub(super) customers: Option<u64>,
}

impl Sample {
    /// What was measured in so many seconds which ended `at`, with so many chats in progress.
    pub(super) fn of(
        measured: &Measurements,
        asked: AskedFor,
        at: Duration,
        length: Duration,
        in_progress: u64,
    ) -> Self {
        let chats = &measured.chats;
        let p99 = |latencies: &Latencies| quantile(latencies, 0.99);
        let steps = measured.steps.iter();
        Self {
            at: at.as_secs_f64(),
            seconds: length.as_secs_f64(),
            due: asked.due,
            customers: asked.customers,
            started: measured.started,
            passed: chats.passed(),
            failed: chats.failed(),
            failed_by_reason: chats.failed_by_reason.clone(),
            stopped: chats.stopped,
            dropped: measured.dropped,
            in_progress,
            received: measured.inbound.arrived,
            by_fate: measured.inbound.by_fate.clone(),
            sockets: SocketSample::of(&measured.sockets),
            deliveries: DeliverySample::of(&measured.deliveries),
            start_late: p99(&measured.start_lateness),
            sent_late: p99(&measured.send_lateness),
            steps: steps.map(|step| StepSample::of(&step.outcomes)).collect(),
            machine: measured.health.sample(),
        }
    }
}

impl StepSample {
    fn of(outcomes: &Outcomes) -> Self {
        let latency = &outcomes.latency;
        Self {
            passed: outcomes.passed(),
            failed: outcomes.failed(),
            failed_by_reason: outcomes.failed_by_reason.clone(),
            stopped: outcomes.stopped,
            p50: quantile(latency, 0.5),
            p95: quantile(latency, 0.95),
            max: quantile(latency, 1.0),
        }
    }
}
