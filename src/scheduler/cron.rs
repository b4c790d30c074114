use std::{pin::Pin, sync::Arc, time::Duration};

use chrono::Utc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::handle::Shared;
use crate::config::{Burst, Schedule};

/// The clock of a computer may be set: no job sleeps longer than this without a look at it.
const LONGEST_SLEEP: Duration = Duration::from_mins(10);

/// The bursts of a plan that start by themselves.
///
/// The job scheduler keeps a fixed offset from UTC and would be an hour off after a clock change,
/// so each job runs once, at a time that croner finds in the time zone, and then makes its
/// successor.
pub(super) struct CronClock {
    jobs: JobScheduler,
}

impl CronClock {
    pub(super) async fn start(
        shared: &Arc<Shared>,
        bursts: &[Arc<Burst>],
    ) -> Result<Self, JobSchedulerError> {
        let jobs = JobScheduler::new().await?;
        for burst in bursts {
            if let Some(schedule) = &burst.schedule {
                arm(&jobs, shared, burst, schedule).await?;
            }
        }
        jobs.start().await?;
        Ok(Self { jobs })
    }

    pub(super) async fn stop(mut self) {
        if let Err(error) = self.jobs.shutdown().await {
            tracing::warn!("the cron clock did not stop cleanly: {error}");
        }
    }
}

async fn arm(
    jobs: &JobScheduler,
    shared: &Arc<Shared>,
    burst: &Arc<Burst>,
    schedule: &Schedule,
) -> Result<(), JobSchedulerError> {
    let now = Utc::now();
    let Some(due) = schedule.next_due(now) else {
        tracing::warn!(burst = %burst.name, "the schedule `{}` is never due", schedule.text);
        return Ok(());
    };
    let wait = (due - now).to_std().unwrap_or_default();
    let sleep = wait.min(LONGEST_SLEEP);
    let job = Job::new_one_shot_async(sleep, successor(jobs, shared, burst, sleep == wait))?;
    jobs.add(job).await?;
    Ok(())
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a job does when its time has come: start the burst if it is due, and arm the next job.
fn successor(
    jobs: &JobScheduler,
    shared: &Arc<Shared>,
    burst: &Arc<Burst>,
    is_due: bool,
) -> impl FnMut(uuid::Uuid, JobScheduler) -> Work + Send + Sync + use<> {
    let (jobs, shared, burst) = (jobs.clone(), shared.clone(), burst.clone());
    move |_, _| {
        let (jobs, shared, burst) = (jobs.clone(), shared.clone(), burst.clone());
        Box::pin(async move {
            if is_due {
                shared.start_scheduled(&burst);
            }
            let Some(schedule) = &burst.schedule else {
                return;
            };
            if let Err(error) = arm(&jobs, &shared, &burst, schedule).await {
                tracing::error!(burst = %burst.name, "the schedule is lost until the next reload: {error}");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn due(cron: &str, zone: &str, after: &str) -> String {
        let schedule = Schedule {
            cron: cron.parse().unwrap(),
            text: cron.to_owned(),
            time_zone: zone.parse().unwrap(),
        };
        let now: DateTime<Utc> = after.parse().unwrap();
        schedule.next_due(now).unwrap().to_rfc3339()
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
