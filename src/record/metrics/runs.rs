//! The series of a run at hand: its events find them without a lock, without labels and without a look-up by name.

use std::{
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use prometheus::IntCounter;

use super::{
    Metrics, bursts::BurstPart, callbacks::CallbackSeries, chats::ChatSeries,
    deliveries::DeliverySeries, own::LatenessSeries, phases::PhaseSeries, sockets::SocketSeries,
    steps::StepSeries, subjects::owned_labels, waits::AgentSeries,
};
use crate::{
    event::{
        Fate, Mode, RunEvent, RunIdentity, RunObserver, ScenarioDeclaration, Sent, StepOutcome,
    },
    scenario::{Observation, Reason, StepId},
};

/// Counts what happens in one run.
pub(super) struct RunMetrics {
    metrics: Arc<Metrics>,
    chats: ChatSeries,
    /// One a step, by its id.
    steps: Vec<StepSeries>,
    phases: PhaseSeries,
    lateness: LatenessSeries,
    /// If the scenario measures the wait for an agent.
    agent: Option<AgentSeries>,
    /// If the scenario has events coming in.
    callbacks: Option<Arc<CallbackSeries>>,
    /// If the scenario opens sockets.
    sockets: Option<SocketSeries>,
    /// If the scenario expects deliveries.
    deliveries: Option<DeliverySeries>,
    /// As soon as an arrival was dropped.
    dropped: OnceLock<IntCounter>,
}

impl RunMetrics {
    /// For a run that starts now.
    pub(super) fn start(
        metrics: Arc<Metrics>,
        run: &RunIdentity,
        declaration: &ScenarioDeclaration,
        now: SystemTime,
    ) -> Self {
        let subject = &run.subject;
        let waits = metrics.subjects.run_started(subject, declaration);
        let callbacks = (declaration.callbacks).then(|| metrics.callbacks.declare(&subject.into()));
        if subject.mode == Mode::Burst {
            metrics.bursts.run_started(run, BurstPart::of(run), now);
        }
        let families = &metrics.subjects.families;
        let labels = owned_labels(subject);
        let values = [&*labels[0], &*labels[1], &*labels[2]];
        let steps = declaration.steps.iter();
        Self {
            chats: families.chats.series(&labels),
            steps: steps
                .map(|step| families.steps.series(&labels, step))
                .collect(),
            phases: families.phases.series(&labels),
            lateness: metrics.own.lateness(subject.mode),
            agent: waits.map(|waits| families.agent.series(&values, waits)),
            callbacks,
            sockets: (declaration.sockets.has_sockets()).then(|| families.sockets.series(&labels)),
            deliveries: (declaration.sockets.has_deliveries())
                .then(|| families.deliveries.series(&values)),
            dropped: OnceLock::new(),
            metrics,
        }
    }

    /// `now` is asked for by the few events that need the time.
    pub(super) fn observe_at(
        &self,
        run: &RunIdentity,
        event: &RunEvent,
        now: impl FnOnce() -> SystemTime,
    ) {
        match event {
            RunEvent::ChatStarted { lateness } => {
                self.chats.started();
                self.lateness.chat_started(*lateness);
            }
            RunEvent::WaitStarted { chat, observation } => match observation {
                Observation::AgentJoin => self.wait_started(*chat, now()),
            },
            RunEvent::WaitEnded { chat, observation } => match observation {
                Observation::AgentJoin => self.wait_ended(*chat),
            },
            RunEvent::StepEnded {
                step,
                sent,
                outcome,
            } => self.step_ended(run, *step, sent.as_ref(), *outcome),
            RunEvent::RequestResent { step, times } => self.request_resent(*step, *times),
            RunEvent::StepPolled { step, requests } => self.step_polled(*step, *requests),
            RunEvent::ChatEnded {
                ending, duration, ..
            } => self.chats.ended(ending, *duration),
            RunEvent::ArrivalDropped => self.arrival_dropped(run),
            // It is counted once it is settled.
            RunEvent::CallbackReceived { .. } => {
                self.count_callback(run, |series| series.received(now()));
            }
            RunEvent::CallbackVerified => {
                self.count_callback(run, CallbackSeries::verified);
            }
            RunEvent::CallbackIdRepeated => {
                self.count_callback(run, CallbackSeries::id_repeated);
            }
            RunEvent::CallbackSettled(fate) => self.callback_settled(run, *fate),
            RunEvent::Socket(event) => {
                if let Some(sockets) = &self.sockets {
                    sockets.count(*event);
                }
            }
            RunEvent::Deliveries(event) => {
                if let Some(deliveries) = &self.deliveries {
                    deliveries.count(*event);
                }
            }
            RunEvent::Ended {
                verdict,
                all_passed,
                failed_for,
                ..
            } => {
                // Without a chat that came to an end, something broke in here.
                let reason = failed_for.unwrap_or(Reason::Internal);
                let outcome = if *all_passed { Ok(()) } else { Err(reason) };
                let waits = self.agent.as_ref().map(|agent| &agent.waits);
                (self.metrics).run_ended(run, *verdict, outcome, waits, now());
            }
            RunEvent::MemberEnded => {
                let waits = self.agent.as_ref().map(|agent| &agent.waits);
                self.metrics.member_ended(run, waits, now());
            }
            // What a chat is called and did is for people, and a run is counted as soon as it is observed. How late
            // requests were read stands in the report of the run.
            RunEvent::Started
            | RunEvent::CallbackRead { .. }
            | RunEvent::CallbackHandedOver { .. }
            | RunEvent::CallbackTakenOver { .. }
            | RunEvent::TeardownFailed { .. }
            | RunEvent::ChatNamed { .. }
            | RunEvent::ChatFailed(_)
            | RunEvent::LeftOpen { .. } => {}
        }
    }

    fn arrival_dropped(&self, run: &RunIdentity) {
        let dropped = || self.metrics.bursts.dropped(run);
        self.dropped.get_or_init(dropped).inc();
    }

    fn wait_started(&self, chat: u64, now: SystemTime) {
        if let Some(agent) = &self.agent {
            agent.waits.begin(chat, now);
        }
    }

    fn wait_ended(&self, chat: u64) {
        if let Some(agent) = &self.agent {
            agent.waits.end(chat);
        }
    }

    fn request_sent(&self, run: &RunIdentity, sent: &Sent) {
        self.lateness.request_sent(sent.late);
        self.phases.observe(&sent.phases);
        if let Some(expires) = sent.certificate_expires {
            // Looked up anew, because there is one with every TLS handshake alone.
            let targets = &self.metrics.targets;
            targets.certificate_shown(&run.subject.target, expires);
        }
    }

    fn step_ended(
        &self,
        run: &RunIdentity,
        step: StepId,
        sent: Option<&Sent>,
        outcome: StepOutcome,
    ) {
        if let Some(sent) = sent {
            self.request_sent(run, sent);
        }
        let Some(series) = self.steps.get(step.index()) else {
            return;
        };
        series.ended(outcome);
        if let (Some(Observation::AgentJoin), Some(agent)) = (series.observes, &self.agent) {
            agent.ended(outcome);
        }
        if let (Mode::Probe, StepOutcome::Passed(latency)) = (run.subject.mode, outcome) {
            let objectives = &self.metrics.objectives;
            objectives.step_passed(&run.subject, &series.name, series.observes, latency);
        }
    }

    fn step_polled(&self, step: StepId, requests: u32) {
        if let Some(series) = self.steps.get(step.index()) {
            series.polled(requests);
        }
    }

    fn request_resent(&self, step: StepId, times: u32) {
        if let Some(series) = self.steps.get(step.index()) {
            series.resent(times);
        }
    }

    fn callback_settled(&self, run: &RunIdentity, fate: Fate) {
        if !self.count_callback(run, |series| series.settled(fate)) {
            self.metrics.callbacks.settled_without_source(fate);
        }
    }

    /// Whether there is a series in which an event of the run counts.
    fn count_callback(&self, run: &RunIdentity, count: impl FnOnce(&CallbackSeries)) -> bool {
        let source = || (&run.subject).into();
        let all = &self.metrics.callbacks;
        let held = self.callbacks.as_ref();
        held.is_some_and(|held| all.count(source, held, count))
    }
}

impl RunObserver for RunMetrics {
    fn observe(&self, run: &Arc<RunIdentity>, event: &RunEvent) {
        self.observe_at(run, event, SystemTime::now);
    }
}
