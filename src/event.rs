//! What happened: the only thing that observers see.
//!
//! The code that does something emits one event, where the outcome is known; metrics, logs and live views are made
//! from events and stand on no branch of their own. What happens in a run goes to its [`RunObservers`] as a
//! [`RunEvent`], and everything else to [`Observers`] as a [`ServiceEvent`].

mod close_code;
mod declarations;
mod deliveries;
mod denial;
mod ending;
mod fate;
mod frames;
mod objectives;
mod observers;
mod pushing;
mod run;
mod run_event;
mod run_id;
mod service_event;
mod skip;
mod trace;

use std::time::{Duration, SystemTime};

use crate::driver::Phases;

pub use close_code::CloseCode;
pub use declarations::{
    BurstDeclaration, Declarations, LatencyLimit, LimitSubject, MemberDeclaration,
    ProbeDeclaration, ScenarioDeclaration, SocketDeclaration, StepDeclaration,
};
pub use deliveries::{DeliveryEvent, DeliveryFate};
pub use denial::Denial;
pub use ending::{Ending, Failure, StepOutcome};
pub use fate::Fate;
pub use frames::{FrameTrace, Passage, TracedFrame, TracedFrames};
pub use objectives::{InTime, Objectives};
pub use observers::{Observer, Observers, RunObserver, RunObservers};
pub use pushing::{PushFigures, PushLoss};
pub use run::{EndedBy, Mode, RunIdentity, Subject, Trigger, Verdict};
pub use run_event::RunEvent;
#[cfg(test)]
pub(crate) use run_id::RunIds;
pub use run_id::RunPosition;
pub use service_event::ServiceEvent;
pub use skip::SkipReason;
pub use trace::{FailedChat, Trace, TracedStep};

/// How a request was sent: its lateness, its phases, and the certificate that it was shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// How much later than the customer would have sent it: the lateness of the generator.
    pub late: Duration,
    /// How long it then waited for a connection, or for permission to open one. That belongs to its
    /// latency: it is long where the target is slow, or where its connections are too few.
    pub waited: Duration,
    /// How long it then took: the lookup and the connection, if one was opened, and the answer.
    pub phases: Phases,
    /// When the certificate of the target ends or ended, if this request opened a connection with TLS.
    pub certificate_expires: Option<SystemTime>,
    /// How long the system had had the answer when it was read; `None` if that is not known.
    pub read_delay: Option<Duration>,
}

/// The state of the history of runs; counts are since the process began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HistoryFigures {
    /// Rows that were written.
    pub written: u64,
    /// Rows that could not be written, or not whole.
    pub lost: u64,
    /// Damaged files that were set aside.
    pub set_aside: u64,
    /// How often expired rows, or the oldest ones of a file that is too large, could not be deleted.
    pub tidy_failed: u64,
    /// The size of the file and its log.
    pub bytes: u64,
    /// Whether the latest rows could not be written, or wait for a disk that does not answer.
    pub broken: bool,
    /// Writes that took longer than 3 s, the one in progress among them.
    pub slow_writes: u64,
    /// How long the write in progress has taken; zero if there is none.
    pub write: Duration,
    /// How often a row could not be read and was left out.
    pub unreadable: u64,
    /// Reads that were given up, because they took too long.
    pub reads_given_up: u64,
}
