use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

use super::{
    BurstRefused, ProbeStatus, RunEntry, RunRefused, cron::CronClock, launcher::Launcher,
    probes::ProbeTask,
};
use crate::{
    config::{Burst, Plan},
    document::{Problems, parse},
    event::Trigger,
    history::RunIntake,
    push::PushIntake,
    runner::{Engine, RunHandle, RunRecord},
};

/// Starts runs, and knows those in progress. Clones share everything.
#[derive(Debug, Clone)]
pub struct Scheduler {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) launcher: Arc<Launcher>,
    /// By name.
    probes: Mutex<BTreeMap<Arc<str>, Arc<ProbeTask>>>,
    /// What the service was started with; what needs a restart is as it was there.
    pub(super) started_with: Arc<Plan>,
    /// One installation at a time.
    pub(super) cron: tokio::sync::Mutex<Option<Arc<CronClock>>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler").finish_non_exhaustive()
    }
}

impl Scheduler {
    /// A scheduler that knows a plan and has started nothing of it yet.
    pub fn new(engine: Engine, plan: Arc<Plan>) -> Self {
        Self {
            shared: Arc::new(Shared {
                started_with: plan.clone(),
                launcher: Arc::new(Launcher::new(engine, plan)),
                probes: Mutex::default(),
                cron: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// Tells there of every run that begins from now on; the first call counts.
    pub fn tell_runs(&self, intake: RunIntake) {
        self.shared.launcher.tell_runs(intake);
    }

    /// Pushes every run that begins from now on; the first call counts.
    pub fn push_runs(&self, intake: PushIntake) {
        self.shared.launcher.push_runs(intake);
    }

    /// The plan in force.
    pub fn plan(&self) -> Arc<Plan> {
        self.shared.launcher.plan()
    }

    /// Starts the burst that a request describes, in JSON or YAML.
    pub fn start_requested(&self, body: &str) -> Result<RunHandle, BurstRefused> {
        let burst = self.read_request(body)?;
        self.shared.launcher.start_burst(&burst, Trigger::Api)
    }

    pub(super) fn read_request(&self, body: &str) -> Result<Burst, BurstRefused> {
        let plan = self.plan();
        let caps = &plan.settings.caps;
        let problems = Problems::default();
        let burst = match parse("request", body) {
            Ok(node) => Burst::read_request(&node, &plan.bursts, &plan.catalogue, caps, &problems),
            Err(problem) => return Err(BurstRefused::Unusable(vec![problem])),
        };
        problems.into_result().map_err(BurstRefused::Unusable)?;
        burst.ok_or_else(|| BurstRefused::Unusable(Vec::new()))
    }

    /// Every run that is known, the latest first.
    pub fn runs(&self) -> Vec<RunEntry> {
        self.shared.launcher.runs.all()
    }

    /// A run by its id.
    pub fn run(&self, id: &str) -> Option<RunEntry> {
        self.shared.launcher.runs.find(id)
    }

    /// Everything about a run in progress, or one of the last that ended.
    pub fn record(&self, id: &str) -> Option<Arc<RunRecord>> {
        self.shared.launcher.runs.record(id)
    }

    /// Every probe.
    pub fn probes(&self) -> Vec<ProbeStatus> {
        let probes = self.shared.probes();
        probes.values().map(|task| task.status()).collect()
    }

    /// Runs a probe besides its interval; its status has the run that began.
    ///
    /// # Errors
    /// Nothing was started.
    pub async fn run_probe(&self, name: &str) -> Result<ProbeStatus, RunRefused> {
        let task = self.probe(name);
        let task = task.ok_or_else(|| RunRefused::Unknown(name.to_owned()))?;
        match task.run_now().await {
            Ok(()) => Ok(task.status()),
            Err(_) if self.shared.launcher.closing.is_cancelled() => Err(RunRefused::ShuttingDown),
            Err(refused) => Err(refused),
        }
    }

    /// Pauses or resumes a probe; `None` if there is no such probe.
    pub fn pause_probe(&self, name: &str, paused: bool) -> Option<ProbeStatus> {
        let task = self.probe(name)?;
        task.set_paused(paused, &self.shared.launcher);
        Some(task.status())
    }

    /// When a burst of the configuration starts next by itself; `None` if never.
    pub async fn next_start(&self, burst: &str) -> Option<DateTime<Utc>> {
        self.shared.cron.lock().await.as_ref()?.due(burst)
    }

    fn probe(&self, name: &str) -> Option<Arc<ProbeTask>> {
        self.shared.probes().get(name).cloned()
    }
}

impl Shared {
    pub(super) fn probes(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<ProbeTask>>> {
        // A map of tasks: usable whatever happened to a thread that held it.
        self.probes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
