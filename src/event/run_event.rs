use std::{sync::Arc, time::Duration};

use super::{
    DeliveryEvent, Ending, FailedChat, Failure, Fate, RunIdentity, Sent, StepOutcome, Verdict,
};
use crate::scenario::{Observation, Reason, SocketEvent, StepId};

/// Something that happened in a run, which is named beside it: see [`RunObserver`](super::RunObserver).
#[derive(Debug)]
pub enum RunEvent {
    /// The run began; its setup comes next.
    Started,
    /// The part of a mixed run that has one scenario is over; the end of the run follows.
    MemberEnded,
    /// A chat began.
    ChatStarted {
        /// How long after its intended start.
        lateness: Duration,
    },
    /// A chat began to wait for something that is measured on its own.
    WaitStarted {
        /// The chat's number in its run.
        chat: u64,
        /// What it waits for.
        observation: Observation,
    },
    /// The wait is over, one way or the other; the outcome follows as [`RunEvent::StepEnded`].
    WaitEnded {
        /// The chat's number in its run.
        chat: u64,
        /// What it waited for.
        observation: Observation,
    },
    /// A request was sent once more, because the server closed the connection under it.
    RequestResent {
        /// Whose request.
        step: StepId,
        /// How often in this step: each of its redirects can be.
        times: u32,
    },
    /// A step that polls sent so many requests, the first one included; its outcome follows.
    StepPolled {
        /// Which step.
        step: StepId,
        /// How many.
        requests: u32,
    },
    /// A step ended.
    StepEnded {
        /// Which step.
        step: StepId,
        /// How its request was sent; `None` if there was none, or if a stop cut it off.
        sent: Option<Sent>,
        /// Its outcome.
        outcome: StepOutcome,
    },
    /// It is known, or better known than before, what the target calls a chat, or what the setup made there.
    ChatNamed {
        /// The chat's number in its run; zero for what the setup made and the teardown is to remove.
        chat: u64,
        /// What the target calls this chat: names and values. Of the setup: what it captured.
        correlation: Vec<(Arc<str>, String)>,
    },
    /// The steps of a chat are over and one of them failed; its end follows.
    ChatFailed(Arc<FailedChat>),
    /// A chat ended, its `always` steps included.
    ChatEnded {
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
        /// The chat's number in its run, whose end follows; zero for what the setup made, once the
        /// teardown is over.
        chat: u64,
        /// What the target calls this chat: names and values. Of the setup: what it captured.
        correlation: Vec<(Arc<str>, String)>,
        /// Why, for people.
        why: String,
    },
    /// The teardown failed: something may be left at the target.
    TeardownFailed {
        /// The first of its steps that failed; `None` if it was cut short, because the time that it had after a stop
        /// was over.
        failure: Option<Failure>,
    },
    /// An arrival was dropped: as many chats as allowed were active.
    ArrivalDropped,
    /// An inbound event arrived on the path of the run, or for a chat of it that claims its key.
    CallbackReceived {
        /// Whose path it was, if that of another run.
        through: Option<Arc<RunIdentity>>,
    },
    /// An inbound event that was received for this run is for another: some servers know one callback address only,
    /// or have callbacks of earlier runs. It is [taken over](Self::CallbackTakenOver) there.
    CallbackHandedOver {
        /// On whose path it arrived, if that of another run.
        through: Option<Arc<RunIdentity>>,
    },
    /// An inbound event that was received for another run is for this one.
    CallbackTakenOver {
        /// On whose path it arrived, if that of another run.
        through: Option<Arc<RunIdentity>>,
    },
    /// A request came on the path of the run that is no event: it only asked whether this is the right receiver.
    CallbackVerified,
    /// A request on the path of the run was read.
    CallbackRead {
        /// How long the system had had the last of it by then.
        delay: Duration,
    },
    /// The id of an inbound event does not identify it: it came for another chat as well, or for this
    /// one with another content.
    CallbackIdRepeated,
    /// An inbound event was settled: its disposition is known.
    CallbackSettled(Fate),
    /// Something happened to a socket of a chat.
    Socket(SocketEvent),
    /// Something happened to the messages that chats publish to rooms.
    Deliveries(DeliveryEvent),
    /// The run ended, its teardown included.
    Ended {
        /// Its verdict.
        verdict: Verdict,
        /// Why, if it did not pass: the first reason.
        reason: Option<String>,
        /// Whether all chats passed and no delivery was lost, which is what success means to the monitoring of a target.
        all_passed: bool,
        /// For what most of its chats failed, if any did; where deliveries alone were lost, for the timeout.
        failed_for: Option<Reason>,
    },
}
