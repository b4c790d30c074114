use std::time::Duration;

use crate::{event::EndedBy, load::LoadError, units::Rate};

/// How a run is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// No new chats; those in progress finish.
    Finish,
    /// No new chats and no new steps. Chats in progress end as soon as the answer of a request that is on
    /// its way has come, the others at once; their `always` steps and the teardown follow.
    End {
        /// How long those answers are waited for: what they say may be needed to clean up.
        answers: Duration,
        /// How long the `always` steps may take after that, and the teardown once more.
        cleanup: Duration,
    },
}

/// What can be asked of a run in progress.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Order {
    /// Start no more chats, and for whom. A [`Stop::End`] may follow a [`Stop::Finish`], and the first of them is what
    /// ended the run. Of a run whose load is through, only a [`Stop::End`] that cuts a chat short ends it.
    Stop(Stop, EndedBy),
    /// Start no chats for now; the schedule waits.
    Pause,
    /// Go on where the schedule stood.
    Resume,
    /// From now on so many starts a second.
    Rate(Rate),
    /// From now on so many customers at any time.
    Customers(u64),
}

/// Why an order was not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The run is over.
    #[error("the run has ended")]
    Ended,
    /// The run starts no more chats, so that nothing about their starts can be changed.
    #[error("the run is finishing and starts no more chats")]
    Finishing,
    /// There would be no end to wait for.
    #[error("a rate of 0 would end the run; pause it instead")]
    NoStarts,
    /// The profile has no rate.
    #[error("this run keeps a number of customers and has no rate; change `customers`")]
    NoRate,
    /// The profile has no customers.
    #[error("this run starts chats at a rate and has no number of customers; change `rate`")]
    NoCustomers,
    /// The search decides what it asks for.
    #[error(
        "this run searches for the limit and changes its load itself; stop it and start another"
    )]
    Searching,
    /// The profile cannot have this rate.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl Stop {
    /// Waits for nothing: whatever is on its way is given up, and nothing is cleaned up.
    pub const AT_ONCE: Self = Self::End {
        answers: Duration::ZERO,
        cleanup: Duration::ZERO,
    };
}
