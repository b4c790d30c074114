//! Documents are made one at a time, whoever asks: chats need the processor more.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::web::refusal::Refusal;

/// Documents that are made at once; any other core is left to chats.
const AT_ONCE: usize = 1;
/// How long a request waits for its turn, and how long whoever waited in vain is asked to stay away.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who makes a document now, and who comes next.
#[derive(Debug, Clone)]
pub(in crate::web) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// Leave to make a document. It goes along with the work, which ends later than the request if the client
/// leaves.
#[derive(Debug)]
pub(in crate::web) struct Turn {
    _place: OwnedSemaphorePermit,
}

impl Turns {
    /// Waits for a turn, in the order of the requests.
    pub(in crate::web) async fn next(&self) -> Result<Turn, Refusal> {
        let turn = timeout(PATIENCE, self.0.clone().acquire_owned()).await;
        // Never closed.
        let place = turn.ok().and_then(Result::ok);
        place
            .map(|place| Turn { _place: place })
            .ok_or_else(|| Refusal::Busy {
                error: format!(
                    "reports are made one at a time, and others wait; try again in {} seconds",
                    PATIENCE.as_secs()
                ),
                again: PATIENCE,
            })
    }
}
