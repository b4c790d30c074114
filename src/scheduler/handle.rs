use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use utoipa::ToSchema;

use super::{
    ProbeStatus, RunEntry,
    cron::{CronClock, Due},
    probes::ProbeTask,
    runs::Runs,
};
use crate::{
    config::{Burst, Plan, Probe},
    document::{Place, Problem, Problems, parse},
    event::{Event, Mode, Observers, RunIdentity, Subject, Trigger},
    load::Profile,
    runner::{Engine, Order, RunHandle, RunSpec, Stop},
};

/// After the grace, chats get so long for their `always` steps, and the teardown as long again.
const CLEANUP: Duration = Duration::from_secs(2);
/// Behind that nothing is waited for any more.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// Why a burst was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BurstRefused {
    /// The request is wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unusable(Vec<Problem>),
    /// The caps leave no room.
    #[error(
        "{wanted} chats at once do not fit: bursts in progress may have {promised}, and `limits.max_active_chats` is {cap}"
    )]
    NoRoom {
        /// What this one may have.
        wanted: u64,
        /// What those in progress may have together.
        promised: u64,
        /// What all may have.
        cap: u64,
    },
    /// The service is ending.
    #[error("the service is shutting down and starts nothing any more")]
    ShuttingDown,
}

/// What a new plan changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Installed {
    /// Probes that go on as they were.
    pub kept: Vec<String>,
    /// Probes that started, or started anew because something about them changed.
    pub started: Vec<String>,
    /// Probes that are gone.
    pub stopped: Vec<String>,
    /// Settings that changed and take effect when the service is started anew.
    pub needs_restart: Vec<String>,
}

/// Starts runs, and knows those in progress. Clones share everything.
#[derive(Debug, Clone)]
pub struct Scheduler {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    engine: Engine,
    runs: Arc<Runs>,
    state: Mutex<State>,
    /// One installation at a time.
    cron: tokio::sync::Mutex<Option<CronClock>>,
    tasks: TaskTracker,
    closing: CancellationToken,
}

struct State {
    plan: Arc<Plan>,
    probes: BTreeMap<Arc<str>, Arc<ProbeTask>>,
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

    /// Reads the configuration anew and puts it in force, if it has no problem at all. Counters go
    /// on, and so do probes in which nothing changed.
    ///
    /// # Errors
    /// The problems; the old configuration stays in force.
    pub async fn reload(&self) -> Result<Installed, Vec<Problem>> {
        let path = self.plan().path.clone();
        let loaded = tokio::task::spawn_blocking(move || Plan::load(&path)).await;
        // Only a panic while reading leaves no answer.
        let loaded = loaded.unwrap_or_else(|error| {
            Err(vec![Problem {
                place: Place::whole("configuration"),
                message: format!("reading it broke, which is a bug of chatprobe: {error}"),
            }])
        });
        match loaded {
            Ok(plan) => {
                let installed = self.install(Arc::new(plan)).await;
                tracing::info!(?installed, "the configuration was reloaded");
                Ok(installed)
            }
            Err(problems) => {
                self.shared.observers().tell(&Event::ConfigurationRefused);
                for problem in &problems {
                    tracing::error!("{problem}");
                }
                tracing::error!("the configuration was not reloaded; the old one stays in force");
                Err(problems)
            }
        }
    }

    /// Puts a plan in force. Probes in which nothing changed are not touched; the rest start anew.
    pub async fn install(&self, plan: Arc<Plan>) -> Installed {
        let mut cron = self.shared.cron.lock().await;
        let accepted = Event::ConfigurationAccepted { plan: plan.clone() };
        self.shared.observers().tell(&accepted);
        let installed = self.shared.install_probes(&plan);
        let due = match cron.take() {
            Some(old) => old.stop().await,
            None => Due::new(),
        };
        match CronClock::start(&self.shared, &plan.bursts, &due).await {
            Ok(clock) => *cron = Some(clock),
            Err(error) => tracing::error!("no burst will start on its schedule: {error}"),
        }
        installed
    }

    /// The plan in force.
    pub fn plan(&self) -> Arc<Plan> {
        self.shared.state().plan.clone()
    }

    /// Starts the burst that a request describes, in JSON or YAML.
    pub fn start_requested(&self, body: &str) -> Result<RunHandle, BurstRefused> {
        let plan = self.plan();
        let caps = &plan.settings.caps;
        let problems = Problems::default();
        let burst = match parse("request", body) {
            Ok(node) => Burst::read_request(&node, &plan.bursts, &plan.catalogue, caps, &problems),
            Err(problem) => return Err(BurstRefused::Unusable(vec![problem])),
        };
        problems.into_result().map_err(BurstRefused::Unusable)?;
        let burst = burst.ok_or_else(|| BurstRefused::Unusable(Vec::new()))?;
        self.shared.start_burst(&burst, Trigger::Api)
    }

    /// Every run that is known, the latest first.
    pub fn runs(&self) -> Vec<RunEntry> {
        self.shared.runs.all()
    }

    /// A run by its id.
    pub fn run(&self, id: &str) -> Option<RunEntry> {
        self.shared.runs.find(id)
    }

    /// Every probe.
    pub fn probes(&self) -> Vec<ProbeStatus> {
        let state = self.shared.state();
        state.probes.values().map(|task| task.status()).collect()
    }

    /// Asks a probe for a run besides its interval; `None` if there is no such probe.
    pub fn run_probe(&self, name: &str) -> Option<ProbeStatus> {
        self.with_probe(name, ProbeTask::run_now)
    }

    /// Pauses or resumes a probe; `None` if there is no such probe.
    pub fn pause_probe(&self, name: &str, paused: bool) -> Option<ProbeStatus> {
        self.with_probe(name, |task| task.set_paused(paused))
    }

    pub(super) fn known_runs(&self) -> &Runs {
        &self.shared.runs
    }

    fn with_probe(&self, name: &str, act: impl FnOnce(&ProbeTask)) -> Option<ProbeStatus> {
        let task = self.shared.state().probes.get(name).cloned()?;
        act(&task);
        Some(task.status())
    }

    /// Starts nothing any more, gives chats in progress `grace` to finish, then ends them with
    /// their `always` steps and the teardown of their runs: within `grace` plus five seconds.
    pub async fn shut_down(&self, grace: Duration) {
        let shared = &self.shared;
        shared.closing.cancel();
        for task in shared.state().probes.values() {
            task.cancel.cancel();
        }
        if let Some(cron) = shared.cron.lock().await.take() {
            cron.stop().await;
        }
        shared.order_all(Order::Stop(Stop::Finish)).await;
        let deadline = Instant::now() + grace;
        if !shared.all_ended(deadline).await {
            tracing::warn!("the grace is over: ending the chats in progress");
            shared
                .order_all(Order::Stop(Stop::End { cleanup: CLEANUP }))
                .await;
            let deadline = Instant::now() + CLEANUP * 2 + LAST_MOMENT;
            if !shared.all_ended(deadline).await {
                tracing::error!("some runs did not end in time and are cut off");
                shared.runs.active().iter().for_each(RunHandle::abort);
            }
        }
        shared.tasks.close();
        shared.tasks.wait().await;
    }
}

impl Shared {
    fn install_probes(self: &Arc<Self>, plan: &Arc<Plan>) -> Installed {
        let mut installed = Installed {
            kept: Vec::new(),
            started: Vec::new(),
            stopped: Vec::new(),
            needs_restart: Vec::new(),
        };
        let mut state = self.state();
        let mut old = std::mem::take(&mut state.probes);
        for probe in &plan.probes {
            let before = old.remove(&probe.name);
            let task = match before {
                Some(task) if task.probe.fingerprint == probe.fingerprint => {
                    installed.kept.push(probe.name.to_string());
                    task
                }
                before => {
                    if let Some(before) = &before {
                        before.cancel.cancel();
                    }
                    installed.started.push(probe.name.to_string());
                    self.start_task(probe, before.as_deref())
                }
            };
            state.probes.insert(probe.name.clone(), task);
        }
        for (name, task) in old {
            task.cancel.cancel();
            installed.stopped.push(name.to_string());
        }
        let changed = state.plan.settings.changed_for_restart(&plan.settings);
        installed.needs_restart = changed.into_iter().map(str::to_owned).collect();
        state.plan = plan.clone();
        installed
    }

    fn start_task(
        self: &Arc<Self>,
        probe: &Arc<Probe>,
        before: Option<&ProbeTask>,
    ) -> Arc<ProbeTask> {
        let closing = self.closing.child_token();
        let task = Arc::new(ProbeTask::new(probe.clone(), closing, before));
        self.tasks.spawn(task.clone().keep_probing(self.clone()));
        task
    }

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
            room: None,
            thresholds: Vec::new(),
            seed: fastrand::u64(..),
        };
        // One chat at a time is no load: probes go on whatever the bursts take.
        self.launch(spec, 0, u64::MAX).ok()
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
            tracing::warn!(burst = %burst.name, "not started on schedule: {reason}");
            self.observers().tell(&Event::BurstSkipped {
                burst: burst.name.clone(),
            });
        }
    }

    fn start_burst(&self, burst: &Burst, trigger: Trigger) -> Result<RunHandle, BurstRefused> {
        let cap = self.state().plan.settings.caps.max_active_chats;
        let room = burst
            .load
            .is_open()
            .then(|| burst.load.max_active().unwrap_or(cap));
        let peak = room.or(burst.load.peak_active()).unwrap_or(cap);
        let subject = Subject {
            scenario: burst.scenario.name.clone(),
            target: burst.target.name.clone(),
            mode: Mode::Burst,
        };
        let spec = RunSpec {
            identity: Arc::new(RunIdentity::new(burst.name.clone(), subject, trigger)),
            scenario: burst.scenario.clone(),
            target: burst.target.clone(),
            inputs: burst.inputs.clone(),
            load: burst.load.clone(),
            room,
            thresholds: burst.thresholds.clone(),
            seed: burst.seed.unwrap_or_else(|| fastrand::u64(..)),
        };
        self.launch(spec, peak, cap)
    }

    fn launch(&self, spec: RunSpec, peak: u64, cap: u64) -> Result<RunHandle, BurstRefused> {
        if self.closing.is_cancelled() {
            return Err(BurstRefused::ShuttingDown);
        }
        let handle = self
            .runs
            .admit(peak, cap, || self.engine.start(spec))
            .map_err(|promised| BurstRefused::NoRoom {
                wanted: peak,
                promised,
                cap,
            })?;
        let (runs, run) = (self.runs.clone(), handle.clone());
        self.tasks.spawn(async move {
            run.ended().await;
            runs.retire(run.id());
        });
        Ok(handle)
    }

    async fn order_all(&self, order: Order) {
        for run in self.runs.active() {
            // A run that has ended meanwhile needs no order.
            let _ = run.order(order).await;
        }
    }

    /// Whether every run in progress ended by then.
    async fn all_ended(&self, deadline: Instant) -> bool {
        for run in self.runs.active() {
            if timeout_at(deadline, run.ended()).await.is_err() {
                return false;
            }
        }
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A plan and a map of tasks: usable whatever happened to a thread that held them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
