use std::{sync::Arc, time::Duration};

use super::{Declarations, Denial, Fate, HistoryFigures, PushFigures, SkipReason, Subject};
use crate::{
    listener::{Figures, Name},
    vitals::Beat,
};

/// Something that happened to the service, and in no run.
#[derive(Debug)]
pub enum ServiceEvent {
    /// Somebody paused or resumed a probe, or one began that was paused under an earlier plan.
    ProbePaused {
        /// Which probe.
        subject: Subject,
        /// Whether it starts no runs for now.
        paused: bool,
    },
    /// A probe skipped a slot.
    ProbeSkipped {
        /// Which probe.
        subject: Subject,
        /// Why.
        reason: SkipReason,
    },
    /// A burst was due on its schedule and was not started.
    BurstSkipped {
        /// Which burst.
        burst: Arc<str>,
    },
    /// A configuration is in force from now on.
    ConfigurationAccepted(Declarations),
    /// Somebody asked for a new configuration that has problems; the old one stays in force.
    ConfigurationRefused,
    /// Somebody asked the web listener for something that they may not have.
    RequestDenied(Denial),
    /// An inbound event was settled that no run knows.
    StrayCallback(Fate),
    /// The state of the listeners of the process, in the order of [`Name::ALL`].
    ListenersWatched(Box<[Figures; Name::ALL.len()]>),
    /// The state of the history of runs.
    HistoryKept(HistoryFigures),
    /// The state of what is pushed to a time-series database.
    ResultsPushed(PushFigures),
    /// The lateness of a heartbeat of the runtime.
    SchedulerLag(Duration),
    /// A heartbeat of the thread that watches the machine from outside the runtime.
    Beat(Beat),
}
