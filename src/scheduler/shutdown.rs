//! The end of everything in progress, within a given time.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::{Scheduler, handle::Shared};
use crate::{
    event::EndedBy,
    runner::{Order, RunHandle, Stop},
};

/// After the grace, answers of requests that are on their way are waited for so long.
const ANSWER_GRACE: Duration = Duration::from_secs(2);
/// Then chats get so long for their `always` steps, and the teardown as long again.
const CLEANUP_GRACE: Duration = Duration::from_millis(1_100);
/// Behind that nothing is waited for any more, and runs get so long to count what they gave up.
const ABORT_GRACE: Duration = Duration::from_millis(300);
/// How long runs may take to count what they had to give up at once.
const GIVE_UP_GRACE: Duration = Duration::from_millis(700);

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
        let shared = &self.shared;
        shared.closing.cancel();
        for task in shared.state().probes.values() {
            task.cancel.cancel();
        }
        if let Some(cron) = shared.cron.lock().await.take() {
            cron.stop().await;
        }
        shared.stop_all(Stop::Finish).await;
        let mut outcome = Ok(());
        let deadline = Instant::now() + grace;
        if !shared.all_ended(deadline).await {
            tracing::warn!("the grace is over: ending the chats in progress");
            shared
                .stop_all(Stop::End {
                    answers: ANSWER_GRACE,
                    cleanup: CLEANUP_GRACE,
                })
                .await;
            let deadline = Instant::now() + ANSWER_GRACE + CLEANUP_GRACE * 2 + ABORT_GRACE;
            if !shared.all_ended(deadline).await {
                outcome = Err(CutOff);
                shared.runs.active().iter().for_each(RunHandle::abort);
            }
        }
        shared.tasks.close();
        shared.tasks.wait().await;
        outcome
    }

    /// Gives up everything in progress, for a shutdown that is to end at once. Each run logs what it may have left
    /// open at its target, unless it is stuck.
    pub async fn give_up(&self) {
        self.shared.closing.cancel();
        let giving_up = async {
            self.shared.stop_all(Stop::AT_ONCE).await;
            self.shared.all_ended(Instant::now() + GIVE_UP_GRACE).await
        };
        if timeout(GIVE_UP_GRACE, giving_up).await != Ok(true) {
            let runs = self.shared.runs.active();
            let chats: u64 = runs.iter().map(|run| run.chats().in_progress).sum();
            tracing::warn!("cut off: {chats} chats in progress may be open at their targets");
        }
    }
}

impl Shared {
    async fn stop_all(&self, stop: Stop) {
        for run in self.runs.active() {
            // A run that has ended meanwhile needs no order.
            let _ = run.order(Order::Stop(stop, EndedBy::Shutdown)).await;
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
}
