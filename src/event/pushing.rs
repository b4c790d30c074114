//! How results of runs reach a time-series database, as observers see it.

use std::time::Duration;

/// Why samples of runs did not reach the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushLoss {
    /// They fell out of the queue, because the database did not take them for so long.
    QueueFull,
    /// The database refused them.
    Refused,
    /// They waited when the time to write the rest was over.
    Unsent,
    /// Their run had too many series already.
    TooManySeries,
    /// The run, or one of its seconds, was asked for too late; each counts as one sample.
    Overload,
}

impl PushLoss {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::QueueFull,
        Self::Refused,
        Self::Unsent,
        Self::TooManySeries,
        Self::Overload,
    ];

    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Refused => "refused",
            Self::Unsent => "unsent",
            Self::TooManySeries => "too_many_series",
            Self::Overload => "overload",
        }
    }
}

/// The state of what is pushed; counts are since the process began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PushFigures {
    /// Samples that the database took.
    pub written: u64,
    /// Samples that it did not take, in the order of [`PushLoss::ALL`].
    pub lost: [u64; PushLoss::ALL.len()],
    /// Requests that were sent once more.
    pub retries: u64,
    /// How long the oldest sample has waited that the database has not taken.
    pub behind: Duration,
}

impl PushFigures {
    /// Each reason for which samples were lost, and how many.
    pub fn losses(&self) -> impl Iterator<Item = (PushLoss, u64)> {
        PushLoss::ALL.into_iter().zip(self.lost)
    }
}
