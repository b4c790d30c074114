use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{ProbeStatus, RunEntry, RunRefused, cron::CronClock, probes::ProbeTask, runs::Runs};
use crate::{
    config::{Burst, Plan, Probe},
    document::{Problem, Problems, parse},
    event::{Mode, Observers, RunIdentity, ServiceEvent, Subject, Trigger},
    history::Intake,
    load::Profile,
    preflight::Machine,
    runner::{Engine, GracefulStop, RunHandle, RunRecord, RunSpec},
    units::seed,
};

/// Why a burst was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BurstRefused {
    /// The request is wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unusable(Vec<Problem>),
    /// The caps leave no room.
    #[error(
        "{wanted} chats at once do not fit: bursts in progress may have {reserved}, and `limits.max_active_chats` is {cap}; set a lower `load.max_active`, or wait until a burst has ended"
    )]
    NoRoom {
        /// What this one may have.
        wanted: u64,
        /// What those in progress may have together.
        reserved: u64,
        /// What all may have.
        cap: u64,
    },
    /// This machine has not what it takes.
    #[error("{0}")]
    TooMuch(String),
    /// The service is ending.
    #[error("the service is shutting down and starts nothing any more")]
    ShuttingDown,
}

/// Starts runs, and knows those in progress. Clones share everything.
#[derive(Debug, Clone)]
pub struct Scheduler {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) runs: Arc<Runs>,
    /// Where runs that begin are told, if they are kept.
    pub(super) intake: OnceLock<Intake>,
    pub(super) state: Mutex<State>,
    /// What the service was started with; what needs a restart is as it was there.
    pub(super) started_with: Arc<Plan>,
    /// One installation at a time.
    pub(super) cron: tokio::sync::Mutex<Option<CronClock>>,
    pub(super) tasks: TaskTracker,
    pub(super) closing: CancellationToken,
}

pub(super) struct State {
    pub(super) plan: Arc<Plan>,
    pub(super) probes: BTreeMap<Arc<str>, Arc<ProbeTask>>,
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
                engine,
                runs: Arc::default(),
                intake: OnceLock::new(),
                started_with: plan.clone(),
                state: Mutex::new(State {
                    plan,
                    probes: BTreeMap::new(),
                }),
                cron: tokio::sync::Mutex::default(),
                tasks: TaskTracker::new(),
                closing: CancellationToken::new(),
            }),
        }
    }

    /// Tells there of every run that begins from now on; the first call counts.
    pub fn tell_runs(&self, intake: Intake) {
        // It is called by whoever puts the service together, once.
        let _ = self.shared.intake.set(intake);
    }

    /// The plan in force.
    pub fn plan(&self) -> Arc<Plan> {
        self.shared.state().plan.clone()
    }

    /// Starts the burst that a request describes, in JSON or YAML.
    pub fn start_requested(&self, body: &str) -> Result<RunHandle, BurstRefused> {
        let burst = self.read_request(body)?;
        self.shared.start_burst(&burst, Trigger::Api)
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
        self.shared.runs.all()
    }

    /// A run by its id.
    pub fn run(&self, id: &str) -> Option<RunEntry> {
        self.shared.runs.find(id)
    }

    /// Everything about a run in progress, or one of the last that ended.
    pub fn record(&self, id: &str) -> Option<Arc<RunRecord>> {
        self.shared.runs.record(id)
    }

    /// Every probe.
    pub fn probes(&self) -> Vec<ProbeStatus> {
        let state = self.shared.state();
        state.probes.values().map(|task| task.status()).collect()
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
            Err(_) if self.shared.closing.is_cancelled() => Err(RunRefused::ShuttingDown),
            Err(refused) => Err(refused),
        }
    }

    /// Pauses or resumes a probe; `None` if there is no such probe.
    pub fn pause_probe(&self, name: &str, paused: bool) -> Option<ProbeStatus> {
        let task = self.probe(name)?;
        task.set_paused(paused, &self.shared);
        Some(task.status())
    }

    fn probe(&self, name: &str) -> Option<Arc<ProbeTask>> {
        self.shared.state().probes.get(name).cloned()
    }
}

impl Shared {
    pub(super) fn observers(&self) -> &Observers {
        &self.engine.observers
    }

    /// Starts one run of a probe; `None` if the service is ending.
    pub(super) fn start_probe(
        &self,
        probe: &Probe,
        subject: Subject,
        trigger: Trigger,
    ) -> Option<RunHandle> {
        let spec = RunSpec {
            identity: Arc::new(RunIdentity::new(probe.name.clone(), subject, trigger)),
            scenario: probe.scenario.clone(),
            target: probe.target.clone(),
            inputs: probe.inputs.clone(),
            load: Profile::one_chat(),
            graceful_stop: None,
            capacity: None,
            max_rate: None,
            thresholds: Vec::new(),
            seed: seed::draw(),
            warnings: Vec::new(),
            asked_by: None,
            configuration: Some(self.state().plan.fingerprint),
        };
        // One chat at a time is no load: probes go on whatever the bursts take.
        self.launch(spec, 0, u64::MAX).ok()
    }

    pub(super) fn probes_in_progress(&self, subject: &Subject) -> Vec<RunHandle> {
        let mut runs = self.runs.active();
        runs.retain(|run| run.identity().subject == *subject);
        runs
    }

    pub(super) fn start_scheduled(&self, burst: &Burst) {
        let running = self
            .runs
            .active()
            .iter()
            .any(|run| run.identity().name == burst.name);
        let refused = if running {
            Some("its last run is still in progress".to_owned())
        } else {
            self.start_burst(burst, Trigger::Schedule)
                .err()
                .map(|error| error.to_string())
        };
        if let Some(reason) = refused {
            self.skip_scheduled(burst, &reason);
        }
    }

    pub(super) fn skip_scheduled(&self, burst: &Burst, reason: &str) {
        tracing::warn!(burst = %burst.name, "not started on schedule: {reason}");
        self.observers().emit(&ServiceEvent::BurstSkipped {
            burst: burst.name.clone(),
        });
    }

    fn start_burst(&self, burst: &Burst, trigger: Trigger) -> Result<RunHandle, BurstRefused> {
        let max_rate = self.state().plan.settings.caps.max_rate;
        let (room, peak, cap) = self.room_for(burst);
        let subject = Subject {
            scenario: burst.scenario.name.clone(),
            target: burst.target.name.clone(),
            mode: Mode::Burst,
        };
        let mut spec = RunSpec {
            identity: Arc::new(RunIdentity::new(burst.name.clone(), subject, trigger)),
            scenario: burst.scenario.clone(),
            target: burst.target.clone(),
            inputs: burst.inputs.clone(),
            load: burst.load.clone(),
            graceful_stop: GracefulStop::of(&burst.load, &burst.cost),
            capacity: room,
            max_rate: Some(max_rate),
            thresholds: burst.thresholds.clone(),
            seed: burst.seed.unwrap_or_else(seed::draw),
            warnings: Vec::new(),
            asked_by: burst.asked_by.clone(),
            configuration: Some(self.state().plan.fingerprint),
        };
        let findings = Machine::look().examine(
            &burst.cost,
            &spec.target.connections,
            &spec.load,
            Some(peak),
        );
        if !findings.refusals.is_empty() {
            return Err(BurstRefused::TooMuch(findings.refusals.join("; ")));
        }
        spec.warnings.clone_from(&findings.warnings);
        let run = self.launch(spec, peak, cap)?;
        for warning in findings.warnings {
            tracing::warn!(burst = %burst.name, run = run.id(), "{warning}");
        }
        Ok(run)
    }

    /// The most chats at once that a burst's open load may have, that it may have in any case, and that
    /// all may have together.
    pub(super) fn room_for(&self, burst: &Burst) -> (Option<u64>, u64, u64) {
        let cap = self.state().plan.settings.caps.max_active_chats;
        let load = &burst.load;
        let room = load.is_open().then(|| load.max_active().unwrap_or(cap));
        (room, room.or(load.peak_active()).unwrap_or(cap), cap)
    }

    fn launch(&self, spec: RunSpec, peak: u64, cap: u64) -> Result<RunHandle, BurstRefused> {
        if self.closing.is_cancelled() {
            return Err(BurstRefused::ShuttingDown);
        }
        let handle = self
            .runs
            .admit(peak, cap, || self.engine.start(spec))
            .map_err(|reserved| BurstRefused::NoRoom {
                wanted: peak,
                reserved,
                cap,
            })?;
        if let Some(intake) = self.intake.get() {
            intake.take(&handle);
        }
        let (runs, run) = (self.runs.clone(), handle.clone());
        self.tasks.spawn(async move {
            run.ended().await;
            runs.retire(run.id());
        });
        Ok(handle)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A plan and a map of tasks: usable whatever happened to a thread that held them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
