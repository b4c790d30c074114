//! The end of everything in progress, within a given time.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Scheduler, handle::Shared};
use crate::runner::{Order, RunHandle, Stop};

/// After the grace, chats get so long for their `always` steps, and the teardown as long again.
const CLEANUP: Duration = Duration::from_secs(2);
/// Behind that nothing is waited for any more.
const LAST_MOMENT: Duration = Duration::from_millis(500);

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
        shared.order_all(Order::Stop(Stop::Finish)).await;
        let mut outcome = Ok(());
        let deadline = Instant::now() + grace;
        if !shared.all_ended(deadline).await {
            tracing::warn!("the grace is over: ending the chats in progress");
            shared
                .order_all(Order::Stop(Stop::End { cleanup: CLEANUP }))
                .await;
            let deadline = Instant::now() + CLEANUP * 2 + LAST_MOMENT;
            if !shared.all_ended(deadline).await {
                outcome = Err(CutOff);
                shared.runs.active().iter().for_each(RunHandle::abort);
            }
        }
        shared.tasks.close();
        shared.tasks.wait().await;
        outcome
    }
}

impl Shared {
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
}
