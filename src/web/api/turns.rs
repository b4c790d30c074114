//! What takes the processor is done one at a time, whoever asks: chats need it more.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
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
            .map(|permit| WorkTurn { _permit: permit })
            .ok_or_else(|| Refusal::Busy {
                error: format!(
                    "{} one at a time, and others wait; try again in {} seconds",
                    self.work,
                    LONGEST_WAIT.as_secs()
                ),
                again: LONGEST_WAIT,
            })
    }
}
