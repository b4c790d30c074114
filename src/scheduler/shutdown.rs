//! The end of everything in progress, within a given time.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::{Scheduler, handle::Shared, launcher::Launcher};
use crate::{
    event::EndedBy,
    runner::{Order, RunHandle, Stop},
    units::counted,
};

/// After the grace, answers of requests that are on their way are waited for so long.
const ANSWER_GRACE: Duration = Duration::from_secs(2);
/// Then chats get so long for their `always` steps, and the teardown as long again.
const CLEANUP_GRACE: Duration = Duration::from_millis(1_100);
/// Behind that nothing is waited for any more, and runs get so long to count what they gave up.
const ABORT_GRACE: Duration = Duration::from_millis(300);
/// How long runs may take to count what they had to give up at once.
const GIVE_UP_GRACE: Duration = Duration::from_millis(700);
/// How long the clock of the schedules may take to stop, and at the end the tasks of the scheduler.
const TASKS_GRACE: Duration = Duration::from_millis(100);

/// A shutdown that did not end everything in its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("some runs did not end in time and were cut off; something may be left at their targets")]
pub struct CutOff;

impl Scheduler {
    /// Starts nothing any more, gives chats in progress `grace` to finish, then ends them with
    /// their `always` steps and the teardown of their runs: within `grace` plus five seconds.
    ///
    /// # Errors
    /// Some runs did not end in that time and were cut off; something may be left at their targets.
    pub async fn shut_down(&self, grace: Duration) -> Result<(), CutOff> {
        let Shared { launcher, .. } = &*self.shared;
        let mut deadline = Instant::now() + grace;
        launcher.closing.cancel();
        for task in self.shared.probes().values() {
            task.cancel.cancel();
        }
        let clock_stopped =
            timeout_at(Instant::now() + TASKS_GRACE, self.shared.stop_clock()).await;
        if clock_stopped.is_err() {
            tracing::warn!("the clock of the schedules did not stop in time");
        }
        let mut outcome = Ok(());
        if !launcher.end_all(Stop::Finish, deadline).await {
            tracing::warn!("the grace is over: ending the chats in progress");
            let end = Stop::End {
                answers: ANSWER_GRACE,
                cleanup: CLEANUP_GRACE,
            };
            deadline = Instant::now() + ANSWER_GRACE + CLEANUP_GRACE * 2 + ABORT_GRACE;
            if !launcher.end_all(end, deadline).await {
                outcome = Err(CutOff);
                launcher.runs.active().iter().for_each(RunHandle::abort);
            }
        }
        launcher.tasks.close();
        let last = deadline.max(Instant::now()) + TASKS_GRACE;
        if timeout_at(last, launcher.tasks.wait()).await.is_err() {
            tracing::warn!("some tasks of the scheduler did not end in time");
        }
        outcome
    }

    /// Gives up everything in progress, for a shutdown that was asked at this moment to end at once. Each run logs what
    /// it may have left open at its target, unless it is stuck.
    pub async fn give_up(&self, asked: Instant) {
        let launcher = &self.shared.launcher;
        launcher.closing.cancel();
        let deadline = asked + GIVE_UP_GRACE;
        if !launcher.end_all(Stop::AT_ONCE, deadline).await {
            let runs = launcher.runs.active();
            let chats: u64 = runs.iter().map(|run| run.chats().in_progress).sum();
            let chats = counted(chats, "chat");
            tracing::warn!("cut off: {chats} in progress may be open at the target");
        }
    }
}

impl Shared {
    /// Starts no bursts on schedule any more, once an installation in progress is over.
    async fn stop_clock(&self) {
        if let Some(clock) = self.cron.lock().await.take() {
            clock.stop().await;
        }
    }
}

impl Launcher {
    /// Orders every run in progress to stop and waits for their ends, side by side: a run that follows no
    /// orders holds up no other. Whether all of them ended by the deadline.
    async fn end_all(&self, stop: Stop, deadline: Instant) -> bool {
        let runs = self.runs.active();
        let ends = runs.iter().map(|run| {
            timeout_at(deadline, async {
                // A run that has ended meanwhile needs no order.
                let _ = run.order(Order::Stop(stop, EndedBy::Shutdown)).await;
                run.ended().await;
            })
        });
        join_all(ends).await.iter().all(Result::is_ok)
    }
}

#[cfg(test)]
#[path = "shutdown_tests.rs"]
mod tests;
