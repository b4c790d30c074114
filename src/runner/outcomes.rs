//! How chats or a step ended.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::latencies::Latencies;
use crate::{
    event::{Ending, StepOutcome},
    load::{Measure, Measured},
    scenario::Reason,
};

/// How something ended, how often, and how long it took where it passed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Outcomes {
    pub(super) failed_by_reason: BTreeMap<Reason, u64>,
    /// Cut short by the stop of the run; in no share of what failed.
    pub(super) stopped: u64,
    /// Of those that passed.
    pub(super) latency: Latencies,
}

impl Outcomes {
    pub(super) fn record(&mut self, outcome: StepOutcome) {
        match outcome {
            StepOutcome::Passed(latency) => self.latency.record(latency),
            StepOutcome::Failed(reason) => self.fail(reason),
            StepOutcome::Stopped => self.stopped += 1,
        }
    }

    pub(super) fn chat_ended(&mut self, ending: &Ending, took: Duration) {
        match ending {
            Ending::Passed => self.latency.record(took),
            Ending::Stopped => self.stopped += 1,
            Ending::Failed(failure) => self.fail(failure.reason),
        }
    }

    pub(super) fn fail(&mut self, reason: Reason) {
        *self.failed_by_reason.entry(reason).or_default() += 1;
    }

    pub(super) fn passed(&self) -> u64 {
        self.latency.count()
    }

    pub(super) fn failed(&self) -> u64 {
        self.failed_by_reason.values().sum()
    }

    /// However they ended.
    pub(super) fn ended(&self) -> u64 {
        self.passed() + self.failed() + self.stopped
    }

    pub(super) fn merge(&mut self, others: &Self) {
        add_counts(&mut self.failed_by_reason, &others.failed_by_reason);
        self.stopped += others.stopped;
        self.latency.merge(&others.latency);
    }

    /// Forgets all of them and keeps the memory for the next.
    pub(super) fn clear(&mut self) {
        self.failed_by_reason.clear();
        self.stopped = 0;
        self.latency.clear();
    }

    /// What a measure makes of them.
    pub(super) fn measured(&self, measure: Measure) -> Measured {
        let (latency, failed) = (&self.latency, self.failed());
        let of = self.passed() + failed;
        match measure {
            Measure::Failed(_) if of > 0 => Measured::Share { failed, of },
            Measure::Failed(_) => Measured::Nothing,
            Measure::Latency { statistic, .. } => latency.measured(statistic),
        }
    }
}

/// Adds up what is counted by reason or fate.
pub fn add_counts<K: Copy + Ord>(sum: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, count) in more {
        *sum.entry(*key).or_default() += count;
    }
}
