use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use uuid::Uuid;

use super::handle::Shared;
use crate::config::{Burst, Schedule};

/// The clock of a computer may be set: no job sleeps longer than this without a look at it.
const LONGEST_SLEEP: Duration = Duration::from_mins(10);

/// The bursts of a plan that start by themselves.
///
/// The job scheduler keeps a fixed offset from UTC and would be an hour off after a clock change,
/// so each job runs once, at a time that croner finds in the time zone, and then makes its
/// successor. There is one job scheduler a process: its own tasks never end.
#[derive(Clone)]
pub(super) struct CronClock {
    shared: Arc<Shared>,
    jobs: JobScheduler,
    armed: Arc<Mutex<Armed>>,
}

/// The jobs of one plan.
#[derive(Default)]
struct Armed {
    /// Counts the plans. A job may fire for half a second after it was removed; it is of an older
    /// plan then, and starts nothing.
    plan: u64,
    bursts: BTreeMap<Arc<str>, Alarm>,
}

#[derive(Clone, Copy)]
struct Alarm {
    due: DateTime<Utc>,
    job: Uuid,
}

impl CronClock {
    pub(super) async fn start(shared: &Arc<Shared>) -> Result<Self, JobSchedulerError> {
        let clock = Self {
            shared: shared.clone(),
            jobs: JobScheduler::new().await?,
            armed: Arc::default(),
        };
        clock.jobs.start().await?;
        Ok(clock)
    }

    /// Starts these bursts when they are due, and no others. What was due under the plan before
    /// and did not get to start is made up for.
    pub(super) async fn follow(&self, bursts: &[Arc<Burst>]) -> Result<(), JobSchedulerError> {
        let (plan, before) = self.disarm();
        for alarm in before.values() {
            // It may have fired by now, and be gone.
            if let Err(error) = self.jobs.remove(&alarm.job).await {
                tracing::debug!("a job was not removed: {error}");
            }
        }
        let now = Utc::now();
        for burst in bursts {
            if let Some(schedule) = &burst.schedule {
                let before = before.get(&burst.name).map(|alarm| alarm.due);
                self.arm(plan, burst, next(schedule, now, before)).await?;
            }
        }
        Ok(())
    }

    /// Starts nothing any more.
    pub(super) async fn stop(mut self) {
        self.disarm();
        if let Err(error) = self.jobs.shutdown().await {
            tracing::warn!("the cron clock did not stop cleanly: {error}");
        }
    }

    /// From here on every job is one of an older plan.
    fn disarm(&self) -> (u64, BTreeMap<Arc<str>, Alarm>) {
        let mut armed = self.armed();
        armed.plan += 1;
        (armed.plan, std::mem::take(&mut armed.bursts))
    }

    async fn arm(
        &self,
        plan: u64,
        burst: &Arc<Burst>,
        due: Option<DateTime<Utc>>,
    ) -> Result<(), JobSchedulerError> {
        let Some(due) = due else {
            tracing::warn!(burst = %burst.name, "the schedule is never due");
            return Ok(());
        };
        let wait = (due - Utc::now()).to_std().unwrap_or_default();
        let (clock, rung) = (self.clone(), burst.clone());
        let work = move |_, _| clock.clone().ring(plan, rung.clone(), due);
        let job = Job::new_one_shot_async(wait.min(LONGEST_SLEEP), work)?;
        {
            let mut armed = self.armed();
            if armed.plan != plan {
                return Ok(());
            }
            let job = job.guid();
            armed.bursts.insert(burst.name.clone(), Alarm { due, job });
        }
        self.jobs.add(job).await?;
        Ok(())
    }

    /// What a job does when its time has come: start the burst if it is due, and arm the next job.
    fn ring(self, plan: u64, burst: Arc<Burst>, due: DateTime<Utc>) -> Work {
        Box::pin(async move {
            let next = if Utc::now() < due {
                Some(due)
            } else {
                match self.start_due(plan, &burst) {
                    Ok(next) => next,
                    Err(Outdated) => return,
                }
            };
            if let Err(error) = self.arm(plan, &burst, next).await {
                tracing::error!(burst = %burst.name, "the schedule is lost until the next reload: {error}");
            }
        })
    }

    /// Starts the burst, and tells when it is due again.
    fn start_due(&self, plan: u64, burst: &Burst) -> Result<Option<DateTime<Utc>>, Outdated> {
        let mut armed = self.armed();
        if armed.plan != plan {
            return Err(Outdated);
        }
        // Started, so that the next plan does not make up for it.
        armed.bursts.remove(&burst.name);
        self.shared.start_scheduled(burst);
        let schedule = burst.schedule.as_ref();
        Ok(schedule.and_then(|schedule| next(schedule, Utc::now(), None)))
    }

    fn armed(&self) -> MutexGuard<'_, Armed> {
        // A number and a map: usable whatever happened to a thread that held them.
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The plan has changed meanwhile.
struct Outdated;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// When a schedule is due next: at once, if the clock before did not get to start what was due.
fn next(
    schedule: &Schedule,
    now: DateTime<Utc>,
    before: Option<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    let missed = before.filter(|due| {
        let shortly_before = *due - TimeDelta::milliseconds(1);
        *due <= now && schedule.next_due(shortly_before) == Some(*due)
    });
    missed.or_else(|| schedule.next_due(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(cron: &str, zone: &str) -> Schedule {
        Schedule {
            cron: cron.parse().unwrap(),
            text: cron.to_owned(),
            time_zone: zone.parse().unwrap(),
        }
    }

    fn due(cron: &str, zone: &str, after: &str) -> String {
        let now: DateTime<Utc> = after.parse().unwrap();
        schedule(cron, zone).next_due(now).unwrap().to_rfc3339()
    }

    #[test]
    fn a_start_that_a_reload_overtook_is_made_up_for_unless_the_schedule_changed() {
        let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
        let now = at("2026-01-01T03:00:00.4Z");
        let overtaken = at("2026-01-01T03:00:00Z");
        let tomorrow = at("2026-01-02T03:00:00Z");
        let daily = schedule("0 3 * * *", "UTC");
        assert_eq!(next(&daily, now, Some(overtaken)), Some(overtaken));
        assert_eq!(next(&daily, now, None), Some(tomorrow));
        assert_eq!(next(&daily, now, Some(tomorrow)), Some(tomorrow));
        let later = at("2026-01-01T04:00:00Z");
        assert_eq!(
            next(&schedule("0 4 * * *", "UTC"), now, Some(overtaken)),
            Some(later)
        );
    }

    #[test]
    fn a_schedule_follows_the_clocks_of_its_time_zone_over_their_change() {
        // Central Europe leaves summer time on 2026-10-25 at 03:00.
        let at = |after| due("0 3 * * *", "Europe/Berlin", after);
        assert_eq!(at("2026-10-23T12:00:00Z"), "2026-10-24T01:00:00+00:00");
        assert_eq!(at("2026-10-24T12:00:00Z"), "2026-10-25T02:00:00+00:00");
        assert_eq!(at("2026-10-25T12:00:00Z"), "2026-10-26T02:00:00+00:00");
    }

    #[test]
    fn the_moment_itself_is_not_due_again() {
        assert_eq!(
            due("*/5 * * * *", "UTC", "2026-01-01T00:05:00Z"),
            "2026-01-01T00:10:00+00:00"
        );
    }
}
