//! What takes the processor is done one at a time of each kind, on threads where no chat waits for it.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

use crate::web::refusal::Refusal;

/// How much is done at once; any other core is left to chats.
const AT_ONCE: usize = 1;
/// How long a request waits for its turn, and how long whoever waited in vain is asked to stay away.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Whose request is worked on now, and whose comes next.
#[derive(Debug, Clone)]
pub(in crate::web) struct Turns {
    permits: Arc<Semaphore>,
    /// What is done one at a time, in words.
    work: &'static str,
}

/// Leave to begin. It goes along with the work, which ends later than the request if the client
/// leaves.
#[derive(Debug)]
pub(in crate::web) struct WorkTurn {
    _permit: OwnedSemaphorePermit,
    work: &'static str,
}

impl Turns {
    /// Nobody's turn is taken; the work in words is such as `reports are made`.
    pub(in crate::web) fn of(work: &'static str) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            work,
        }
    }

    /// Waits for a turn, in the order of the requests.
    pub(in crate::web) async fn next(&self) -> Result<WorkTurn, Refusal> {
        let turn = timeout(LONGEST_WAIT, self.permits.clone().acquire_owned()).await;
        // Never closed.
        let permit = turn.ok().and_then(Result::ok);
        permit
            .map(|permit| WorkTurn {
                _permit: permit,
                work: self.work,
            })
            .ok_or_else(|| Refusal::Busy {
                error: format!(
                    "{} one at a time, and others wait; try again in {} seconds",
                    self.work,
                    LONGEST_WAIT.as_secs()
                ),
                again: LONGEST_WAIT,
            })
    }

    /// Waits for a turn and [takes](WorkTurn::take) it.
    pub(in crate::web) async fn take<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        self.next().await?.take(work).await
    }
}

impl WorkTurn {
    /// Does the work on a thread of its own: it takes longer than chats that wait for a worker should.
    pub(in crate::web) async fn take<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let words = self.work;
        let done = spawn_blocking(move || {
            let done = work();
            drop(self);
            done
        });
        let done = done.await;
        done.map_err(|error| Refusal::Internal(format!("{words}, and this time it broke: {error}")))
    }
}
