use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

    /// For a run that keeps who waits there.
    pub(super) fn series(&self, subject: &[&str], waits: Arc<Waits>) -> AgentSeries {
        AgentSeries {
            join: self.join.child(subject),
            timeouts: self.timeouts.child(subject),
            waits,
        }
    }

    /// Lets all series of a subject begin at 0; gives those that are made when somebody asks.
    pub(super) fn waiting(&self, subject: &[&str]) -> Waiting {
        self.join.child(subject);
        self.timeouts.child(subject);
        Waiting {
            chats: self.waiting.child(subject),
            oldest: self.oldest.child(subject),
            runs: Vec::new(),
        }
    }

    pub(super) fn remove(&self, subject: &[&str]) {
        self.join.remove(subject);
        self.timeouts.remove(subject);
        self.waiting.remove(subject);
        self.oldest.remove(subject);
    }
}

/// Waiting for an agent, in one run.
pub(super) struct AgentSeries {
    join: Histogram,
    timeouts: IntCounter,
    pub(super) waits: Arc<Waits>,
}

impl AgentSeries {
    pub(super) fn ended(&self, outcome: StepOutcome) {
        match outcome {
            StepOutcome::Passed(wait) => self.join.observe(wait.as_secs_f64()),
            StepOutcome::Failed(Reason::AgentJoinTimeout) => self.timeouts.inc(),
            StepOutcome::Failed(_) | StepOutcome::Stopped => {}
        }
    }
}

/// Since when which chats of a run wait, by their numbers. Those whose wait is over are not in.
#[derive(Default)]
pub(super) struct Waits(Mutex<HashMap<u64, SystemTime>>);

impl Waits {
    pub(super) fn begin(&self, chat: u64, now: SystemTime) {
        self.chats().insert(chat, now);
    }

    pub(super) fn end(&self, chat: u64) {
        self.chats().remove(&chat);
    }

    fn chats(&self) -> MutexGuard<'_, HashMap<u64, SystemTime>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits for an agent, of one subject: gauges that are made when somebody asks.
pub(super) struct Waiting {
    chats: IntGauge,
    oldest: Gauge,
    /// Of the runs in progress.
    runs: Vec<Arc<Waits>>,
}

impl Waiting {
    pub(super) fn begin_run(&mut self) -> Arc<Waits> {
        let waits = Arc::<Waits>::default();
        self.runs.push(waits.clone());
        waits
    }

    /// With its run, every wait that was cut short is over.
    pub(super) fn end_run(&mut self, waits: &Arc<Waits>) {
        self.runs.retain(|run| !Arc::ptr_eq(run, waits));
    }

    /// Brings the gauges up to date.
    pub(super) fn refresh(&self) {
        let mut count = 0;
        let mut oldest = None;
        for run in &self.runs {
            let chats = run.chats();
            count += chats.len();
            let first = chats.values().min().copied();
            oldest = oldest.into_iter().chain(first).min();
        }
        self.chats.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.oldest.set(oldest.map_or(0.0, seconds_since_epoch));
    }
}
