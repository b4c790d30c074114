//! The start of runs, within the limits of the plan in force.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::runs::Runs;
use crate::{
    config::{Burst, Plan, Probe},
    document::Problem,
    event::{Mode, Observers, ServiceEvent, Subject, Trigger},
    history::RunIntake,
    load::Profile,
    preflight::Machine,
    push::PushIntake,
    runner::{ChatSpec, Engine, GracefulStop, Mix, RunHandle, RunSpec},
};

/// Why a burst was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BurstRefused {
    /// The request is wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unusable(Vec<Problem>),
    /// The caps leave no capacity.
    #[error(
        "{wanted} chats at once do not fit: bursts in progress may have {reserved}, and `limits.max_active_chats` is {cap}; set a lower `load.max_active`, or wait until a burst has ended"
    )]
    NoCapacity {
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

/// Starts runs: for probes, for schedules and for whoever asks.
pub(super) struct Launcher {
    engine: Engine,
    pub(super) runs: Arc<Runs>,
    /// Where runs that begin are told, if they are kept.
    intake: OnceLock<RunIntake>,
    /// Where they are told, if they are pushed.
    pushed: OnceLock<PushIntake>,
    /// The one in force.
    plan: Mutex<Arc<Plan>>,
    pub(super) tasks: TaskTracker,
    /// Cancelled when the service starts nothing any more.
    pub(super) closing: CancellationToken,
}

/// How many chats at once a burst may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChatLimits {
    /// Of an open load: arrivals beyond it are dropped.
    pub(super) max_active: Option<u64>,
    /// Of any load.
    pub(super) peak: u64,
    /// Of all bursts together.
    pub(super) cap: u64,
}

impl Launcher {
    /// One that starts runs of this plan.
    pub(super) fn new(engine: Engine, plan: Arc<Plan>) -> Self {
        Self {
            engine,
            runs: Arc::default(),
            intake: OnceLock::new(),
            pushed: OnceLock::new(),
            plan: Mutex::new(plan),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        }
    }

    /// Tells there of every run that begins from now on; the first call counts.
    pub(super) fn tell_runs(&self, intake: RunIntake) {
        // The composition of the service calls it once, so that it is not set yet.
        let _ = self.intake.set(intake);
    }

    /// Pushes every run that begins from now on; the first call counts.
    pub(super) fn push_runs(&self, intake: PushIntake) {
        // As above.
        let _ = self.pushed.set(intake);
    }

    /// The plan in force.
    pub(super) fn plan(&self) -> Arc<Plan> {
        // Held for a clone or an assignment only.
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.clone()
    }

    /// Starts runs of this plan from now on.
    pub(super) fn follow(&self, plan: Arc<Plan>) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    pub(super) fn observers(&self) -> &Observers {
        &self.engine.observers
    }

    /// Starts one run of a probe; `None` if the service is ending.
    pub(super) fn start_probe(&self, probe: &Probe, trigger: Trigger) -> Option<RunHandle> {
        let chats = ChatSpec {
            scenario: probe.scenario.clone(),
            target: probe.target.clone(),
            inputs: probe.inputs.clone(),
        };
        let (name, load) = (probe.name.clone(), Profile::one_chat());
        let spec = RunSpec {
            configuration: Some(self.plan().fingerprint),
            ..RunSpec::new(name, Mode::Probe, trigger, Mix::of_one(chats), load)
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

    pub(super) fn start_burst(
        &self,
        burst: &Burst,
        trigger: Trigger,
    ) -> Result<RunHandle, BurstRefused> {
        let plan = self.plan();
        let ChatLimits {
            max_active,
            peak,
            cap,
        } = self.limits_of(burst);
        let (name, load) = (burst.name.clone(), burst.load.clone());
        let mut spec = RunSpec {
            graceful_stop: GracefulStop::of(&burst.load, &burst.cost),
            capacity: max_active,
            max_rate: Some(plan.settings.caps.max_rate),
            thresholds: burst.thresholds.clone(),
            asked_by: burst.asked_by.clone(),
            configuration: Some(plan.fingerprint),
            ..RunSpec::new(name, Mode::Burst, trigger, burst.mix.clone(), load)
        };
        if let Some(seed) = burst.seed {
            spec.seed = seed;
        }
        let targets = spec.mix.targets().into_iter();
        let connections: Vec<_> = targets.map(|target| &target.connections).collect();
        let findings = Machine::look().examine(&burst.cost, &connections, &spec.load, Some(peak));
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

    /// How many chats at once this burst may have.
    pub(super) fn limits_of(&self, burst: &Burst) -> ChatLimits {
        let cap = self.plan().settings.caps.max_active_chats;
        let load = &burst.load;
        let max_active = load.is_open().then(|| load.max_active().unwrap_or(cap));
        ChatLimits {
            max_active,
            peak: max_active.or(load.peak_active()).unwrap_or(cap),
            cap,
        }
    }

    fn launch(&self, spec: RunSpec, peak: u64, cap: u64) -> Result<RunHandle, BurstRefused> {
        if self.closing.is_cancelled() {
            return Err(BurstRefused::ShuttingDown);
        }
        let handle = self
            .runs
            .admit(peak, cap, || self.engine.start(spec))
            .map_err(|reserved| BurstRefused::NoCapacity {
                wanted: peak,
                reserved,
                cap,
            })?;
        if let Some(intake) = self.intake.get() {
            intake.take(&handle);
        }
        if let Some(pushed) = self.pushed.get() {
            pushed.take(&handle);
        }
        let (runs, run) = (self.runs.clone(), handle.clone());
        self.tasks.spawn(async move {
            run.ended().await;
            runs.retire(run.id());
        });
        Ok(handle)
    }
}
