//! A new plan in place of the old one, without a gap for what it does not change.

use std::sync::Arc;

use serde::Serialize;
use tokio::task::JoinError;
use utoipa::ToSchema;

use super::{Scheduler, cron::CronClock, handle::Shared, probes::ProbeTask};
use crate::{
    config::{Plan, Probe},
    document::{Place, Problem},
    event::ServiceEvent,
};

/// What a new plan changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Installed {
    /// Probes that go on as they were.
    pub kept: Vec<String>,
    /// Probes that started, or started anew because something about them changed.
    pub started: Vec<String>,
    /// Probes that are gone.
    pub stopped: Vec<String>,
    /// Settings that are not as at the start and take effect when the service is started anew.
    pub needs_restart: Vec<String>,
}

impl Installed {
    fn log(&self) {
        tracing::info!(
            kept = self.kept.join(", "),
            started = self.started.join(", "),
            stopped = self.stopped.join(", "),
            needs_restart = self.needs_restart.join(", "),
            "the configuration was reloaded"
        );
    }
}

impl Scheduler {
    /// Reads the configuration anew and puts it in force, if it has no problem at all. Counters go
    /// on, and so do probes in which nothing changed.
    ///
    /// # Errors
    /// The problems; the old configuration stays in force.
    ///
    /// It goes on if the caller goes: half an installation would be none.
    pub async fn reload(&self) -> Result<Installed, Vec<Problem>> {
        let scheduler = self.clone();
        let reloading = async move { scheduler.read_and_install().await };
        let reloaded = self.shared.launcher.tasks.spawn(reloading).await;
        reloaded.unwrap_or_else(|error| Err(vec![broken(&error)]))
    }

    async fn read_and_install(&self) -> Result<Installed, Vec<Problem>> {
        match self.load_anew().await {
            Ok(plan) => {
                let installed = self.install(plan).await;
                installed.log();
                Ok(installed)
            }
            Err(problems) => {
                self.shared
                    .launcher
                    .observers()
                    .emit(&ServiceEvent::ConfigurationRefused);
                for problem in &problems {
                    tracing::error!("{problem}");
                }
                tracing::error!("the configuration was not reloaded; the old one stays in force");
                Err(problems)
            }
        }
    }

    /// Reads the configuration that is in force once more from its files.
    pub(super) async fn load_anew(&self) -> Result<Arc<Plan>, Vec<Problem>> {
        let plan = self.plan();
        let loaded = tokio::task::spawn_blocking(move || plan.load_anew()).await;
        let loaded = loaded.unwrap_or_else(|error| Err(vec![broken(&error)]));
        loaded.map(Arc::new)
    }

    /// Puts a plan in force. Probes in which nothing changed are not touched; the rest start anew.
    pub async fn install(&self, plan: Arc<Plan>) -> Installed {
        let mut cron = self.shared.cron.lock().await;
        let accepted = ServiceEvent::ConfigurationAccepted(plan.declarations());
        self.shared.launcher.observers().emit(&accepted);
        let installed = self.shared.install_probes(&plan);
        let followed = match &*cron {
            Some(clock) => clock.follow(&plan.bursts).await,
            None => match CronClock::start(self.shared.launcher.clone()).await {
                Ok(clock) => {
                    let watching = self.shared.clone().watch_clock();
                    self.shared.launcher.tasks.spawn(watching);
                    cron.insert(clock).follow(&plan.bursts).await
                }
                Err(error) => Err(error),
            },
        };
        if let Err(error) = followed {
            tracing::error!("not every burst will start on its schedule: {error}");
        }
        installed
    }
}

impl Shared {
    fn install_probes(&self, plan: &Arc<Plan>) -> Installed {
        let mut installed = Installed {
            needs_restart: self.needs_restart(plan),
            ..Installed::default()
        };
        let mut probes = self.probes();
        self.launcher.follow(plan.clone());
        let mut old = std::mem::take(&mut *probes);
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
            probes.insert(probe.name.clone(), task);
        }
        for (name, task) in old {
            task.cancel.cancel();
            installed.stopped.push(name.to_string());
        }
        installed
    }

    /// The sections that are not as at the start and take effect when the service is started anew.
    pub(super) fn needs_restart(&self, plan: &Plan) -> Vec<String> {
        let in_force = &self.started_with.settings;
        let changed = in_force.changed_for_restart(&plan.settings);
        changed.into_iter().map(str::to_owned).collect()
    }

    fn start_task(&self, probe: &Arc<Probe>, before: Option<&ProbeTask>) -> Arc<ProbeTask> {
        let closing = self.launcher.closing.child_token();
        let (task, requests) = ProbeTask::new(probe.clone(), closing, before);
        let task = Arc::new(task);
        let probing = task.clone().keep_probing(self.launcher.clone(), requests);
        self.launcher.tasks.spawn(probing);
        task
    }
}

/// Only a panic leaves no answer.
fn broken(error: &JoinError) -> Problem {
    Problem {
        place: Place::whole("configuration"),
        message: format!("reloading it broke, which is a bug of chatprobe: {error}"),
    }
}
