//! What a run measured: a plain value that can be written, read and merged.
//!
//! Everything that a run comes to is a function of such values: those of its seconds add up to the whole run and
//! to the steps of a search, however its events were divided among them.

mod chat_list;
mod deliveries;
mod inbound;
mod judged;
mod sockets;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use self::chat_list::ChatList;
pub(super) use self::{
    deliveries::DeliveryCounts, inbound::InboundCounts, judged::Judged, sockets::SocketCounts,
};
use super::{
    ChatCounts, Example, Mix, Orphan, health::GeneratorHealth, latencies::Latencies,
    outcomes::Outcomes,
};
use crate::{
    event::{Ending, Failure, RunEvent, RunIdentity, Sent, StepOutcome},
    load::{Measured, Threshold, ThresholdSubject},
    scenario::{Reason, StepId},
};

/// Failed chats that a report shows.
const EXAMPLES: usize = 20;
/// Chats that may be open at the target and that a report lists.
const MOST_ORPHANS: usize = 1_000;

/// What was measured in a part of a run, such as a second of it, or in all of it.
///
/// Sums, histograms, the first and the last moment, and lists of limited length whose order does not depend on who
/// recorded what: so values can be [merged](Self::merge) in any order and grouping, and it makes no difference
/// how the events were divided. How many chats were in progress at most is no part of it, because a
/// peak cannot be had from parts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Measurements {
    pub(super) started: u64,
    /// Arrivals that were dropped: the concurrency limit was reached.
    pub(super) dropped: u64,
    /// When the first chat began and when the last one ended, since the run began.
    pub(super) first_start: Option<Duration>,
    pub(super) last_end: Option<Duration>,
    /// Chats that ended.
    pub(super) chats: Outcomes,
    /// Those of each member of a mixed run.
    #[serde(default)]
    pub(super) members: Vec<Outcomes>,
    /// By the index of [`crate::scenario::StepId`].
    pub(super) steps: Vec<StepMeasurements>,
    pub(super) inbound: InboundCounts,
    pub(super) sockets: SocketCounts,
    pub(super) deliveries: DeliveryCounts,
    pub(super) start_lateness: Latencies,
    pub(super) send_lateness: Latencies,
    pub(super) connection_wait: Latencies,
    /// How long the system had had answers and requests with events when they were read. Frames have their own.
    pub(super) read_delay: Latencies,
    pub(super) scheduler_lag: Latencies,
    pub(super) health: GeneratorHealth,
    failures: ChatList<Example>,
    orphans: ChatList<Orphan>,
    /// How many there are, listed or not.
    pub(super) orphans_total: u64,
}

/// What was measured of a step.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct StepMeasurements {
    pub(super) outcomes: Outcomes,
    /// Requests that were sent once more.
    pub(super) resent: u64,
    /// Requests of a step that polls.
    #[serde(default)]
    pub(super) polled: u64,
}

impl Measurements {
    /// Nothing yet, of chats that do this.
    pub(super) fn of(mix: &Mix) -> Self {
        let members = if mix.is_mixed() {
            mix.members().len()
        } else {
            0
        };
        Self {
            members: vec![Outcomes::default(); members],
            steps: vec![StepMeasurements::default(); mix.steps().len()],
            ..Self::default()
        }
    }

    /// Records what happened to the run, so long after it began.
    pub(super) fn record(
        &mut self,
        run: &RunIdentity,
        event: &RunEvent,
        after: impl Fn() -> Duration,
    ) {
        match event {
            RunEvent::ChatStarted { lateness } => {
                self.started += 1;
                self.start_lateness.record(*lateness);
                self.first_start.get_or_insert_with(after);
            }
            RunEvent::StepEnded {
                step,
                sent,
                outcome,
            } => self.step_ended(*step, sent.as_ref(), *outcome),
            RunEvent::ChatEnded {
                chat,
                ending,
                duration,
                correlation,
            } => {
                let at = after();
                self.last_end = Some(at);
                let example = |failure: &Failure| example(run, *chat, failure, correlation);
                self.chat_ended(ending, *duration, at, example);
            }
            RunEvent::RequestResent { step, times } => {
                if let Some(measured) = self.steps.get_mut(step.index()) {
                    measured.resent += u64::from(*times);
                }
            }
            RunEvent::StepPolled { step, requests } => {
                if let Some(measured) = self.steps.get_mut(step.index()) {
                    measured.polled += u64::from(*requests);
                }
            }
            RunEvent::LeftOpen {
                chat,
                correlation,
                why,
            } => {
                self.orphans_total += 1;
                let orphan = || Orphan {
                    chat: *chat,
                    correlation: texts(correlation),
                    why: Some(why.clone()),
                };
                self.orphans.add_first(MOST_ORPHANS, after(), *chat, orphan);
            }
            RunEvent::ArrivalDropped => self.dropped += 1,
            RunEvent::CallbackReceived { through } => self.inbound.receive(through.as_deref()),
            RunEvent::CallbackTakenOver { through } => self.inbound.take_over(through.as_deref()),
            RunEvent::CallbackHandedOver { through } => self.inbound.hand_over(through.as_deref()),
            RunEvent::CallbackRead { delay } => self.read_delay.record(*delay),
            RunEvent::CallbackSettled(fate) => self.inbound.settle(*fate),
            RunEvent::Socket(event) => self.sockets.record(*event),
            RunEvent::Deliveries(event) => self.deliveries.record(*event),
            RunEvent::Started
            | RunEvent::MemberEnded
            | RunEvent::WaitStarted { .. }
            | RunEvent::WaitEnded { .. }
            | RunEvent::ChatNamed { .. }
            | RunEvent::ChatFailed(_)
            | RunEvent::TeardownFailed { .. }
            | RunEvent::CallbackVerified
            | RunEvent::CallbackIdRepeated
            | RunEvent::Ended { .. } => {}
        }
    }

    fn step_ended(&mut self, step: StepId, sent: Option<&Sent>, outcome: StepOutcome) {
        if let Some(sent) = sent {
            self.send_lateness.record(sent.late);
            self.connection_wait.record(sent.waited);
            if let Some(delay) = sent.read_delay {
                self.read_delay.record(delay);
            }
        }
        if let Some(measured) = self.steps.get_mut(step.index()) {
            measured.outcomes.record(outcome);
        }
    }

    fn chat_ended(
        &mut self,
        ending: &Ending,
        duration: Duration,
        at: Duration,
        example: impl Fn(&Failure) -> Example,
    ) {
        self.chats.chat_ended(ending, duration);
        if let Ending::Failed(failure) = ending {
            let example = example(failure);
            (self.failures).add_latest(EXAMPLES, at, example.chat, example);
        }
    }

    /// A chat of one member of a mixed run has ended.
    pub(super) fn chat_of_member_ended(&mut self, member: usize, ending: &Ending, took: Duration) {
        if let Some(outcomes) = self.members.get_mut(member) {
            outcomes.chat_ended(ending, took);
        }
    }

    /// Adds what others measured: afterwards it is as if all of it had been recorded here.
    pub(super) fn merge(&mut self, others: &Self) {
        self.started += others.started;
        self.dropped += others.dropped;
        let first = [self.first_start, others.first_start];
        self.first_start = first.into_iter().flatten().min();
        self.last_end = self.last_end.max(others.last_end);
        self.chats.merge(&others.chats);
        if self.members.len() < others.members.len() {
            self.members
                .resize_with(others.members.len(), Outcomes::default);
        }
        for (member, other) in self.members.iter_mut().zip(&others.members) {
            member.merge(other);
        }
        if self.steps.len() < others.steps.len() {
            let steps = others.steps.len();
            self.steps.resize_with(steps, StepMeasurements::default);
        }
        for (step, other) in self.steps.iter_mut().zip(&others.steps) {
            step.outcomes.merge(&other.outcomes);
            step.resent += other.resent;
            step.polled += other.polled;
        }
        self.inbound.merge(&others.inbound);
        self.sockets.merge(&others.sockets);
        self.deliveries.merge(&others.deliveries);
        self.start_lateness.merge(&others.start_lateness);
        self.send_lateness.merge(&others.send_lateness);
        self.connection_wait.merge(&others.connection_wait);
        self.read_delay.merge(&others.read_delay);
        self.scheduler_lag.merge(&others.scheduler_lag);
        self.health.merge(&others.health);
        self.failures.merge_latest(EXAMPLES, &others.failures);
        self.orphans.merge_first(MOST_ORPHANS, &others.orphans);
        self.orphans_total += others.orphans_total;
    }

    /// Whether nothing was recorded.
    pub(super) fn is_empty(&self) -> bool {
        let idle = |step: &StepMeasurements| step.outcomes.ended() + step.resent + step.polled == 0;
        let latencies = [
            &self.start_lateness,
            &self.send_lateness,
            &self.read_delay,
            &self.scheduler_lag,
        ];
        let counts = [self.started, self.dropped, self.orphans_total];
        counts == [0; 3]
            && self.chats.ended() == 0
            && self.steps.iter().all(idle)
            && self.inbound.is_empty()
            && self.sockets.is_empty()
            && self.deliveries.is_empty()
            && latencies.iter().all(|latencies| latencies.count() == 0)
            && self.health.is_empty()
    }

    /// Forgets everything and keeps the memory of histograms, so that recording anew allocates nothing.
    pub(super) fn clear(&mut self) {
        let mut kept = std::mem::take(self);
        kept.chats.clear();
        kept.members.iter_mut().for_each(Outcomes::clear);
        for step in &mut kept.steps {
            step.outcomes.clear();
            step.resent = 0;
            step.polled = 0;
        }
        let latencies = [
            &mut kept.start_lateness,
            &mut kept.send_lateness,
            &mut kept.connection_wait,
            &mut kept.read_delay,
            &mut kept.scheduler_lag,
        ];
        latencies.into_iter().for_each(Latencies::clear);
        kept.health.clear();
        kept.sockets.clear();
        kept.deliveries.clear();
        *self = Self {
            chats: kept.chats,
            members: kept.members,
            steps: kept.steps,
            start_lateness: kept.start_lateness,
            send_lateness: kept.send_lateness,
            connection_wait: kept.connection_wait,
            read_delay: kept.read_delay,
            scheduler_lag: kept.scheduler_lag,
            health: kept.health,
            sockets: kept.sockets,
            deliveries: kept.deliveries,
            ..Self::default()
        };
    }

    /// The chats, of which so many were in progress at most.
    pub(super) fn chats(&self, most_in_progress: u64) -> ChatCounts {
        let chats = &self.chats;
        ChatCounts {
            started: self.started,
            passed: chats.passed(),
            failed: chats.failed(),
            failed_by_reason: chats.failed_by_reason.clone(),
            stopped: chats.stopped,
            // Of a part of a run more may have ended than began.
            in_progress: self.started.saturating_sub(chats.ended()),
            most_in_progress,
            dropped: self.dropped,
        }
    }

    /// Chats that failed because of this machine.
    pub(super) fn internal(&self) -> u64 {
        let failed = &self.chats.failed_by_reason;
        failed.get(&Reason::Internal).copied().unwrap_or_default()
    }

    /// The last failures, the latest behind the others.
    pub(super) fn failures(&self) -> Vec<Example> {
        self.failures.all().cloned().collect()
    }

    /// The first of the chats that may be open at the target.
    pub(super) fn orphans(&self) -> impl Iterator<Item = &Orphan> {
        self.orphans.all()
    }

    /// What a threshold of a run with such chats is about.
    pub(super) fn about(&self, threshold: &Threshold, mix: &Mix) -> Option<Judged<'_>> {
        let scenario = threshold.scenario().filter(|_| mix.is_mixed());
        Some(match (threshold.subject(), scenario) {
            (ThresholdSubject::Chats, None) => Judged::Outcomes(&self.chats),
            (ThresholdSubject::Chats, Some(scenario)) => {
                Judged::Outcomes(self.members.get(mix.member_named(scenario)?)?)
            }
            (ThresholdSubject::Step(name), scenario) => {
                let step = self.steps.get(mix.step_named(scenario, name)?.index())?;
                Judged::Outcomes(&step.outcomes)
            }
            (ThresholdSubject::Deliveries, _) => Judged::Deliveries(&self.deliveries),
        })
    }

    /// The same as measured.
    pub(super) fn measure(&self, threshold: &Threshold, mix: &Mix) -> Measured {
        let about = self.about(threshold, mix);
        about.map_or(Measured::Nothing, |judged| {
            judged.measured(threshold.measure())
        })
    }

    /// Sums over a run that is over which should be equal and are not. At its end no event waits in an inbox.
    pub(super) fn differences(&self) -> Vec<String> {
        let (chats, accounted) = (&self.chats, self.chats.ended());
        let mut differences = Vec::new();
        if self.started != accounted {
            differences.push(format!(
                "{} chats started, {accounted} ended: {} passed, {} failed, {} stopped",
                self.started,
                chats.passed(),
                chats.failed(),
                chats.stopped
            ));
        }
        let (received, settled) = (self.inbound.received(), self.inbound.settled());
        if received != settled {
            differences.push(format!(
                "{received} events received, {settled} settled: {:?}",
                self.inbound.by_fate
            ));
        }
        let (expected, settled) = (self.deliveries.expected, self.deliveries.settled());
        if expected != settled {
            differences.push(format!(
                "{expected} deliveries expected, {settled} settled: {:?}",
                self.deliveries.by_fate
            ));
        }
        differences
    }
}

fn example(
    run: &RunIdentity,
    chat: u64,
    failure: &Failure,
    correlation: &[(Arc<str>, String)],
) -> Example {
    Example {
        id: run.chat_id(chat),
        chat,
        step: failure.step.to_string(),
        reason: failure.reason,
        detail: failure.detail.clone(),
        correlation: texts(correlation),
        frames: Vec::new(),
    }
}

fn texts(correlation: &[(Arc<str>, String)]) -> BTreeMap<String, String> {
    let pairs = correlation.iter();
    pairs
        .map(|(name, value)| (name.to_string(), value.clone()))
        .collect()
}
