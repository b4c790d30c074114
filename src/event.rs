//! What happened: the only thing that observers see.
//!
//! The code that does something tells [`Observers`] once, where the outcome is known; metrics, logs
//! and live views are made from that and stand on no branch of their own.

mod denial;
mod ending;
mod fate;
mod run;
mod run_id;
mod skip;
mod trace;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    config::Plan,
    driver::Phases,
    listener::{Figures, Name},
    scenario::{Observation, Reason, Scenario, StepId},
    vitals::Beat,
};

pub use denial::Denial;
pub use ending::{Ending, Failure, StepOutcome};
pub use fate::Fate;
pub use run::{EndedBy, Mode, RunIdentity, Subject, Trigger, Verdict};
#[cfg(test)]
pub(crate) use run_id::RunIds;
pub use run_id::RunPosition;
pub use skip::SkipReason;
pub use trace::{FailedChat, Trace, TracedStep};

/// What the time of a request went into, and what it showed of the target besides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// How much later than the customer would have sent it: chatprobe's own lateness.
    pub late: Duration,
    /// How long it then waited until there was a connection, or leave to open one. That belongs to its
    /// latency: it is long where the target is slow, or where its connections are too few.
    pub waited: Duration,
    /// How long it then took: the lookup and the connection, if one was opened, and the answer.
    pub phases: Phases,
    /// When the certificate of the target ends or ended, if this request opened a connection with TLS.
    pub certificate_expires: Option<SystemTime>,
}

/// What became of what was to be kept, since the process began.
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
    /// Whether the latest rows could not be written, or wait for a disk that hangs.
    pub broken: bool,
    /// Writes that took longer than 3 s, the one in progress among them.
    pub slow_writes: u64,
    /// How long the write in progress has taken; zero if there is none.
    pub write: Duration,
    /// How often a row could not be read and was left out.
    pub unreadable: u64,
    /// Readings that nobody waited for any longer.
    pub reads_given_up: u64,
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A run began; its setup comes next.
    RunStarted {
        /// Which run.
        run: Arc<RunIdentity>,
        /// What its chats do.
        scenario: Arc<Scenario>,
    },
    /// A chat began.
    ChatStarted {
        /// Its run.
        run: Arc<RunIdentity>,
        /// How long after its intended start.
        lateness: Duration,
    },
    /// A chat began to wait for something that is measured on its own.
    WaitStarted {
        /// Its run.
        run: Arc<RunIdentity>,
        /// The chat's number in its run.
        chat: u64,
        /// What it waits for.
        observation: Observation,
    },
    /// The wait is over, one way or the other; the outcome follows as [`Event::StepEnded`].
    WaitEnded {
        /// Its run.
        run: Arc<RunIdentity>,
        /// The chat's number in its run.
        chat: u64,
        /// What it waited for.
        observation: Observation,
    },
    /// A request was sent once more, because the server closed the connection under it.
    RequestResent {
        /// Its run.
        run: Arc<RunIdentity>,
        /// Whose request.
        step: StepId,
        /// The name of the step.
        name: Arc<str>,
        /// How often in this step: each of its redirects can be.
        times: u32,
    },
    /// A step came to its outcome.
    StepEnded {
        /// Its run.
        run: Arc<RunIdentity>,
        /// Which step.
        step: StepId,
        /// Its name.
        name: Arc<str>,
        /// What it measures besides.
        observation: Option<Observation>,
        /// How its request was sent; `None` if there was none, or if a stop cut it off.
        sent: Option<Sent>,
        /// What it came to.
        outcome: StepOutcome,
    },
    /// It is known, or better known than before, what the target calls a chat, or what the setup made there.
    ChatNamed {
        /// Its run.
        run: Arc<RunIdentity>,
        /// The chat's number in its run; zero for what the setup made and the teardown is to remove.
        chat: u64,
        /// What the target calls this chat: names and values. Of the setup: what it captured.
        correlation: Vec<(Arc<str>, String)>,
    },
    /// The steps of a chat are over and one of them failed; its end follows.
    ChatFailed(Arc<FailedChat>),
    /// A chat ended, its `always` steps included.
    ChatEnded {
        /// Its run.
        run: Arc<RunIdentity>,
        /// The chat's number in its run.
        chat: u64,
        /// How it ended.
        ending: Ending,
        /// From its start (under an open profile: its intended start) to the end of `steps`.
        duration: Duration,
        /// What the target calls this chat, for its own logs: names and values.
        correlation: Vec<(Arc<str>, String)>,
    },
    /// Something may still be open at the target: nothing confirmed that it was closed.
    LeftOpen {
        /// Its run.
        run: Arc<RunIdentity>,
        /// The chat's number in its run, whose end follows; zero for what the setup made, once the
        /// teardown is over.
        chat: u64,
        /// What the target calls this chat: names and values. Of the setup: what it captured.
        correlation: Vec<(Arc<str>, String)>,
        /// Why, in words.
        why: String,
    },
    /// The teardown of a run failed: something may be left at the target.
    TeardownFailed {
        /// Its run.
        run: Arc<RunIdentity>,
        /// The first of its steps that failed; `None` if it was cut short, because the time that it had after a stop
        /// was over.
        failure: Option<Failure>,
    },
    /// An arrival found no room and was not started.
    ArrivalDropped {
        /// Its run.
        run: Arc<RunIdentity>,
    },
    /// An inbound event arrived on a run's path.
    CallbackReceived {
        /// Whose path, or whose chat if the key is claimed.
        run: Arc<RunIdentity>,
        /// Whose path it was, if that of another run.
        through: Option<Arc<RunIdentity>>,
    },
    /// An inbound event that counted for one run belongs to another: some servers know one callback address only,
    /// or have callbacks of earlier runs.
    CallbackRerouted {
        /// For which it counted until now.
        from: Arc<RunIdentity>,
        /// Whose chat it is for, or which run is to find that out.
        to: Arc<RunIdentity>,
        /// On whose path it arrived.
        through: Arc<RunIdentity>,
    },
    /// A request came on a run's path that is no event: it only asked whether this is the right
    /// receiver.
    CallbackVerified {
        /// Whose path.
        run: Arc<RunIdentity>,
    },
    /// The id of an inbound event does not identify it: it came for another chat as well, or for this
    /// one with another content.
    CallbackIdRepeated {
        /// Whose it was.
        run: Arc<RunIdentity>,
    },
    /// It is known what became of an inbound event.
    CallbackSettled {
        /// Whose it was; `None` if no run knows it.
        run: Option<Arc<RunIdentity>>,
        /// What became of it.
        fate: Fate,
    },
    /// A run ended, its teardown included.
    RunEnded {
        /// Which run.
        run: Arc<RunIdentity>,
        /// What it came to.
        verdict: Verdict,
        /// Why, if it did not pass: the first reason.
        reason: Option<String>,
        /// Whether it was a success for whoever watches the target: all chats passed.
        all_passed: bool,
        /// For what most of its chats failed, if any did.
        failed_for: Option<Reason>,
    },
    /// Somebody paused or resumed a probe, or one began that was paused under an earlier plan.
    ProbePaused {
        /// Which probe.
        subject: Subject,
        /// Whether it starts no runs for now.
        paused: bool,
    },
    /// A probe left out a slot.
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
    ConfigurationAccepted {
        /// What it says.
        plan: Arc<Plan>,
    },
    /// Somebody asked for a new configuration that has problems; the old one stays in force.
    ConfigurationRefused,
    /// Somebody asked the web listener for something that they may not have.
    RequestDenied(Denial),
    /// How the listeners of the process stand, in the order of [`Name::ALL`].
    ListenersWatched([Figures; Name::ALL.len()]),
    /// How the history of runs stands.
    HistoryKept(HistoryFigures),
    /// The heartbeat of the runtime came so much late.
    SchedulerLag(Duration),
    /// The thread woke that watches the machine from outside the runtime.
    Beat(Beat),
}

/// Somebody who wants to know what happened. Called from within the chats: it must be quick and
/// must not block.
pub trait Observer: Send + Sync {
    /// Takes note.
    fn observe(&self, event: &Event);
}

/// Everybody who wants to know.
#[derive(Clone, Default)]
pub struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    /// The same observers and one more.
    #[must_use]
    pub fn and(&self, observer: Arc<dyn Observer>) -> Self {
        let mut all = self.0.clone();
        all.push(observer);
        Self(all)
    }

    /// These and those others, each of them once.
    #[must_use]
    pub fn with(&self, others: &Self) -> Self {
        let mut all = self.0.clone();
        for other in &others.0 {
            if !all.iter().any(|known| Arc::ptr_eq(known, other)) {
                all.push(other.clone());
            }
        }
        Self(all)
    }

    /// Tells everybody.
    pub fn tell(&self, event: &Event) {
        for observer in &self.0 {
            observer.observe(event);
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Observers({})", self.0.len())
    }
}

#[cfg(test)]
impl Event {
    /// The beginning of a run whose chats do nothing.
    pub(crate) fn run_started(run: &Arc<RunIdentity>) -> Self {
        let text = format!(
            "scenario: {}\ncallbacks: {{ key: event.key }}\nsteps: [{{ think: 0s }}]\n",
            run.subject.scenario
        );
        let node = crate::document::parse("chat.yaml", &text).unwrap();
        let problems = crate::document::Problems::default();
        Self::RunStarted {
            run: run.clone(),
            scenario: Arc::new(Scenario::read(&node, &problems).unwrap()),
        }
    }
}
