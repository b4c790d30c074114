use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use prometheus::{Gauge, Histogram, IntCounter, IntGauge};

use super::{
    Boundaries, MetricsError,
    family::{Family, Maker, SUBJECT},
    seconds_since_epoch,
};
use crate::{event::StepOutcome, scenario::Reason};

/// The metrics about waiting for an agent.
pub(super) struct AgentFamilies {
    join: Family<Histogram>,
    timeouts: Family<IntCounter>,
    waiting: Family<IntGauge>,
    oldest: Family<Gauge>,
}

impl AgentFamilies {
    pub(super) fn new(make: &Maker<'_>, boundaries: &Boundaries) -> Result<Self, MetricsError> {
        Ok(Self {
            join: make.histograms(
                "chatprobe_agent_join_seconds",
                "How long customers waited for an agent, where one joined. Waits that timed out are not in: see chatprobe_agent_join_timeouts_total.",
                SUBJECT,
                &boundaries.agent_join_seconds(),
            )?,
            timeouts: make.counters(
                "chatprobe_agent_join_timeouts_total",
                "Chats in which no agent joined in time.",
                SUBJECT,
            )?,
            waiting: make.int_gauges(
                "chatprobe_chats_waiting_for_agent",
                "Chats that wait for an agent now.",
                SUBJECT,
            )?,
            oldest: make.gauges(
                "chatprobe_agent_wait_oldest_start_timestamp_seconds",
                "Unix time at which the chat that has been waiting for an agent the longest began to wait; 0 if none waits.",
                SUBJECT,
            )?,
        })
    }

    pub(super) fn series(&self, subject: &[&str]) -> AgentSeries {
        AgentSeries {
            join: self.join.child(subject),
            timeouts: self.timeouts.child(subject),
            waiting: self.waiting.child(subject),
            oldest: self.oldest.child(subject),
            waits: Mutex::default(),
        }
    }

    pub(super) fn remove(&self, subject: &[&str]) {
        self.join.remove(subject);
        self.timeouts.remove(subject);
        self.waiting.remove(subject);
        self.oldest.remove(subject);
    }
}

/// Waiting for an agent, of one subject.
pub(super) struct AgentSeries {
    join: Histogram,
    timeouts: IntCounter,
    waiting: IntGauge,
    oldest: Gauge,
    /// The two gauges above are made from this when somebody asks.
    waits: Mutex<Waits>,
}

impl AgentSeries {
    pub(super) fn ended(&self, outcome: StepOutcome) {
        match outcome {
            StepOutcome::Passed(wait) => self.join.observe(wait.as_secs_f64()),
            StepOutcome::Failed(Reason::AgentJoinTimeout) => self.timeouts.inc(),
            StepOutcome::Failed(_) | StepOutcome::Stopped => {}
        }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Waits)) {
        change(&mut self.waits.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Brings the gauges up to date.
    pub(super) fn refresh(&self) {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting
            .set(i64::try_from(waits.count()).unwrap_or(i64::MAX));
        self.oldest
            .set(waits.oldest().map_or(0.0, seconds_since_epoch));
    }
}

/// Since when which chats wait. Those whose wait is over are not in.
#[derive(Default)]
pub(super) struct Waits(HashMap<String, HashMap<u64, SystemTime>>);

impl Waits {
    pub(super) fn begin(&mut self, run: &str, chat: u64, now: SystemTime) {
        if let Some(chats) = self.0.get_mut(run) {
            chats.insert(chat, now);
        } else {
            self.0.insert(run.to_owned(), HashMap::from([(chat, now)]));
        }
    }

    pub(super) fn end(&mut self, run: &str, chat: u64) {
        if let Some(chats) = self.0.get_mut(run) {
            chats.remove(&chat);
        }
    }

    /// With its run, every wait that was cut short is over.
    pub(super) fn end_run(&mut self, run: &str) {
        self.0.remove(run);
    }

    fn count(&self) -> usize {
        self.0.values().map(HashMap::len).sum()
    }

    fn oldest(&self) -> Option<SystemTime> {
        self.0.values().flat_map(HashMap::values).min().copied()
    }
}
