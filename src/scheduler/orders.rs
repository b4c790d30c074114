//! Orders to runs in progress, which cannot exceed the caps any more than a new run can.

use super::{Scheduler, launcher::Launcher};
use crate::runner::{Order, OrderError, RunHandle};

/// Why an order was not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefused {
    /// The run does not follow it.
    #[error(transparent)]
    Run(#[from] OrderError),
    /// No run may do this.
    #[error("{0}")]
    AboveCaps(String),
    /// The other runs leave no capacity.
    #[error(
        "{wanted} customers do not fit: the other bursts in progress may have {reserved} chats at once, and `limits.max_active_chats` is {cap}"
    )]
    NoCapacity {
        /// What this one is to have.
        wanted: u64,
        /// What the others may have together.
        reserved: u64,
        /// What all may have.
        cap: u64,
    },
}

impl Scheduler {
    /// Gives an order to a run, unless it exceeds the caps of the plan in force.
    pub async fn order(&self, run: &RunHandle, order: Order) -> Result<(), OrderRefused> {
        let caps = self.plan().settings.caps;
        match order {
            Order::Rate(rate) => caps.check_rate(rate).map_err(OrderRefused::AboveCaps)?,
            Order::Customers(wanted) => {
                return self
                    .order_customers(run, wanted, caps.max_active_chats)
                    .await;
            }
            Order::Stop(..) | Order::Pause | Order::Resume => {}
        }
        Ok(run.order(order).await?)
    }

    async fn order_customers(
        &self,
        run: &RunHandle,
        wanted: u64,
        cap: u64,
    ) -> Result<(), OrderRefused> {
        if wanted > cap {
            return Err(OrderRefused::AboveCaps(format!(
                "{wanted} customers are too many; `limits.max_active_chats` allows {cap}"
            )));
        }
        let Launcher { runs, tasks, .. } = &*self.shared.launcher;
        // Promised before the order is given, so that no other run takes the capacity meanwhile.
        runs.raise(run.id(), wanted, cap)
            .map_err(|reserved| OrderRefused::NoCapacity {
                wanted,
                reserved,
                cap,
            })?;
        let (runs, run) = (runs.clone(), run.clone());
        // Whoever asks may go away; what the run answers counts all the same.
        let order = tasks.spawn(async move {
            let followed = run.order(Order::Customers(wanted)).await;
            runs.settle(run.id(), wanted, followed.is_ok());
            followed
        });
        // A task that neither panics nor is aborted always answers.
        Ok(order.await.unwrap_or(Err(OrderError::Ended))?)
    }
}
