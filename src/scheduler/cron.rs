use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use uuid::Uuid;

use super::{
    launcher::Launcher,
    starts::{Planned, Starts, TimerAction},
};
use crate::config::Burst;

/// The clock of a computer may be set: no job sleeps longer than this without a look at it.
const LONGEST_SLEEP: Duration = Duration::from_mins(10);
/// Why a start is skipped that cannot be made up for.
const TOO_LATE: &str =
    "it was due more than 3 hours ago: this process stood still, or the clock was set forward";

/// The bursts of a plan that start by themselves.
///
/// The job scheduler keeps a fixed offset from UTC and would be an hour off after a clock change,
/// so each job runs once, at a time that [`Starts`] knows, and then makes its successor. There is one
/// job scheduler a process: its own tasks never end.
pub(super) struct CronClock {
    launcher: Arc<Launcher>,
    jobs: JobScheduler,
    armed: Mutex<Armed>,
}

/// The starts of one plan and the jobs that wait for them.
#[derive(Default)]
struct Armed {
    starts: Starts,
    jobs: BTreeMap<Arc<str>, Uuid>,
}

impl CronClock {
    pub(super) async fn start(launcher: Arc<Launcher>) -> Result<Arc<Self>, JobSchedulerError> {
        let clock = Self {
            launcher,
            jobs: JobScheduler::new().await?,
            armed: Mutex::default(),
        };
        clock.jobs.start().await?;
        Ok(Arc::new(clock))
    }

    /// Starts these bursts when they are due, and no others. What was due under the plan before
    /// and did not get to start is made up for, or reported if it is too late.
    pub(super) async fn follow(
        self: &Arc<Self>,
        bursts: &[Arc<Burst>],
    ) -> Result<(), JobSchedulerError> {
        let now = Utc::now();
        let (Planned { plan, too_late }, before) = {
            let mut armed = self.armed();
            let schedules = bursts
                .iter()
                .filter_map(|burst| Some((burst.name.clone(), burst.schedule.clone()?)));
            (
                armed.starts.follow(schedules, now),
                std::mem::take(&mut armed.jobs),
            )
        };
        for burst in bursts {
            if too_late.contains(&burst.name) {
                self.launcher.skip_scheduled(burst, TOO_LATE);
            }
        }
        for job in before.values() {
            // It may have fired by now, and be gone.
            if let Err(error) = self.jobs.remove(job).await {
                tracing::debug!("a job was not removed: {error}");
            }
        }
        for burst in bursts.iter().filter(|burst| burst.schedule.is_some()) {
            let due = self.due(&burst.name);
            self.arm(plan, burst, due).await?;
        }
        Ok(())
    }

    /// When a burst starts next by itself.
    pub(super) fn due(&self, burst: &str) -> Option<DateTime<Utc>> {
        self.armed().starts.due(burst)
    }

    /// Starts nothing any more.
    pub(super) async fn stop(&self) {
        self.armed().starts.clear();
        if let Err(error) = self.jobs.clone().shutdown().await {
            tracing::warn!("the cron clock did not stop cleanly: {error}");
        }
    }

    async fn arm(
        self: &Arc<Self>,
        plan: u64,
        burst: &Arc<Burst>,
        due: Option<DateTime<Utc>>,
    ) -> Result<(), JobSchedulerError> {
        let Some(due) = due else {
            tracing::warn!(burst = %burst.name, "the schedule is never due");
            return Ok(());
        };
        let wait = (due - Utc::now()).to_std().unwrap_or_default();
        // The job scheduler, which the clock owns, keeps the job.
        let (clock, fired) = (Arc::downgrade(self), burst.clone());
        let work = move |_, _| Self::on_timer(clock.clone(), plan, fired.clone());
        let job = Job::new_one_shot_async(wait.min(LONGEST_SLEEP), work)?;
        {
            let mut armed = self.armed();
            if armed.starts.plan() != plan {
                return Ok(());
            }
            armed.jobs.insert(burst.name.clone(), job.guid());
        }
        self.jobs.add(job).await?;
        Ok(())
    }

    /// What a job does when its time has come: start the burst if it is due, and arm the next job.
    fn on_timer(clock: Weak<Self>, plan: u64, burst: Arc<Burst>) -> Work {
        Box::pin(async move {
            let Some(clock) = clock.upgrade() else {
                return;
            };
            let Ok(next) = clock.start_due(plan, &burst) else {
                return;
            };
            if let Err(error) = clock.arm(plan, &burst, next).await {
                tracing::error!(burst = %burst.name, "the schedule is lost until the next reload: {error}");
            }
        })
    }

    /// Starts the burst if it is due, and tells when it is due again.
    fn start_due(&self, plan: u64, burst: &Burst) -> Result<Option<DateTime<Utc>>, Outdated> {
        // No other plan begins before the burst has started.
        let mut armed = self.armed();
        match armed.starts.on_timer(plan, &burst.name, Utc::now()) {
            TimerAction::Outdated => Err(Outdated),
            TimerAction::Early(due) => Ok(Some(due)),
            TimerAction::Again(next) => Ok(next),
            TimerAction::Start(next) => {
                self.launcher.start_scheduled(burst);
                Ok(next)
            }
            TimerAction::TooLate(next) => {
                self.launcher.skip_scheduled(burst, TOO_LATE);
                Ok(next)
            }
        }
    }

    fn armed(&self) -> MutexGuard<'_, Armed> {
        // Times and numbers of jobs: usable whatever happened to a thread that held them.
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The plan has gone meanwhile.
struct Outdated;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;
