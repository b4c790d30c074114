//! How a run stood at one moment, and what can be made of that.

use std::{sync::Arc, time::Duration};

use super::{
    Batches, DeliveryReport, Histogram, MemberReport, Pace, Quantiles, ReceivedEvents,
    RequestFigures, RunRecord, RunReport, RunSpec, RunState, Sample, SearchReport, SocketReport,
    StepReport, TeardownFailure, ThresholdReport, ThresholdState, failed_frames::FailedFrames,
    measurements::Measurements,
};
use crate::{
    event::{EndedBy, Verdict},
    load::{Measured, Threshold},
};

/// How a run stood at one moment. It does not change, and needs nothing of the run: whoever looks makes a report of
/// it where that takes nothing from chats.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) origin: Arc<RunOrigin>,
    pub(super) state: RunState,
    pub(super) notes: RunNotes,
    /// How long the run took, or has taken so far.
    pub(super) elapsed: Duration,
    /// What is asked for and achieved at the moment.
    pub(super) pace: Pace,
    pub(super) most_in_progress: u64,
    pub(super) measured: Arc<Measurements>,
    pub(super) failed_frames: FailedFrames,
}

/// What a run is to do, and when it began.
#[derive(Debug)]
pub(super) struct RunOrigin {
    pub(super) spec: Arc<RunSpec>,
    pub(super) started_at: jiff::Timestamp,
}

/// What a run notes of itself besides what is measured.
#[derive(Debug, Clone, Default)]
pub(super) struct RunNotes {
    /// How long it took.
    pub(super) ended: Option<Duration>,
    /// How long chats were to start so far.
    pub(super) scheduled: Duration,
    pub(super) verdict: Option<Verdict>,
    pub(super) verdict_reasons: Vec<String>,
    /// What told it to end, or ended it.
    pub(super) ended_by: Option<EndedBy>,
    /// The graceful stop has passed with chats in flight.
    pub(super) graceful_stop_exceeded: bool,
    /// An order told the chats in progress to end.
    pub(super) ends_chats: bool,
    pub(super) teardown_failed: Option<TeardownFailure>,
    pub(super) load_changed_to: Option<String>,
    pub(super) search: Option<SearchReport>,
}

impl Snapshot {
    /// The figures as they stood.
    pub fn report(&self) -> RunReport {
        let mut failures = self.measured.failures();
        self.failed_frames.add_to(&mut failures);
        RunReport {
            failures,
            orphans: self.measured.orphans().cloned().collect(),
            ..self.without_lists()
        }
    }

    /// The report without the lists of failures and of chats that may be open.
    pub fn without_lists(&self) -> RunReport {
        let (spec, notes, measured) = (&self.origin.spec, &self.notes, &*self.measured);
        let identity = &spec.identity;
        RunReport {
            id: identity.id.clone(),
            name: identity.name.to_string(),
            scenario: identity.subject.scenario.to_string(),
            target: identity.subject.target.to_string(),
            mode: identity.subject.mode,
            trigger: identity.trigger,
            asked_by: spec.asked_by.clone(),
            configuration: (spec.configuration).map(|hash| format!("{hash:016x}")),
            state: self.state,
            verdict: notes.verdict,
            verdict_reasons: notes.verdict_reasons.clone(),
            ended_by: notes.ended_by,
            load: spec.load.to_string(),
            load_changed_to: notes.load_changed_to.clone(),
            search: notes.search.clone(),
            warnings: (spec.warnings.iter().cloned())
                .chain(measured.health.warnings())
                .collect(),
            inputs: spec.mix.inputs(),
            members: self.members(),
            seed: spec.seed,
            started_at: self.origin.started_at.to_string(),
            elapsed_seconds: self.elapsed.as_secs_f64(),
            scheduled_seconds: Some(notes.scheduled.as_secs_f64()),
            pace: (!self.is_over()).then(|| self.pace.clone()),
            first_chat_began_at: measured.first_start.and_then(|after| self.moment(after)),
            last_chat_ended_at: measured.last_end.and_then(|after| self.moment(after)),
            chats: measured.chats(self.most_in_progress),
            graceful_stop: (spec.graceful_stop)
                .map(|stop| stop.report(notes.graceful_stop_exceeded, measured.chats.stopped)),
            requests: RequestFigures::over(measured.send_lateness.count(), self.elapsed),
            chat_duration: Quantiles::of(&measured.chats.latency),
            steps: StepReport::all(&spec.mix, measured),
            thresholds: self.thresholds(),
            events: self.events(),
            sockets: (spec.mix.connects()).then(|| SocketReport::of(&measured.sockets)),
            deliveries: (spec.mix.expects_deliveries())
                .then(|| DeliveryReport::of(&measured.deliveries)),
            start_lateness: Quantiles::of(&measured.start_lateness),
            send_lateness: Quantiles::of(&measured.send_lateness),
            connection_wait: Quantiles::of(&measured.connection_wait),
            scheduler_lag: Quantiles::of(&measured.scheduler_lag),
            read_delay: Quantiles::of(&measured.read_delay),
            precision: measured.health.precision(
                &measured.scheduler_lag,
                &measured.send_lateness,
                [&measured.read_delay, &measured.sockets.read_delay],
            ),
            machine: measured.health.report(),
            failures: Vec::new(),
            orphans: Vec::new(),
            orphans_total: measured.orphans_total,
            teardown_failed: notes.teardown_failed.clone(),
        }
    }

    /// Everything that is worth keeping, with these seconds.
    pub(super) fn record(&self, samples: Vec<Arc<Sample>>, batches: &Batches) -> RunRecord {
        let measured = &self.measured;
        let steps = self.origin.spec.mix.steps();
        let steps = steps.into_iter().zip(&measured.steps);
        let histogram =
            |step: &super::measurements::StepMeasurements| Histogram::from(&step.outcomes.latency);
        RunRecord {
            report: self.report(),
            samples,
            chat_duration: Histogram::from(&measured.chats.latency),
            steps: steps
                .map(|(step, measured)| (step.name, histogram(measured)))
                .collect(),
            batches: batches.all(),
        }
    }

    /// The id of the run.
    pub(super) fn id(&self) -> &str {
        &self.origin.spec.identity.id
    }

    /// What a threshold is about, as measured.
    pub(super) fn measure(&self, threshold: &Threshold) -> Measured {
        self.measured.measure(threshold, &self.origin.spec.mix)
    }

    /// The thresholds as they stood.
    pub(super) fn thresholds(&self) -> Vec<ThresholdReport> {
        let unmeasured = match self.notes.verdict {
            None => ThresholdState::Pending,
            Some(Verdict::Stopped) => ThresholdState::NotJudged,
            Some(_) => ThresholdState::Broken,
        };
        let spec = &self.origin.spec;
        let is_search = spec.load.search().is_some();
        let thresholds = spec.thresholds.iter().map(|threshold| {
            let mut judged = ThresholdReport::of(threshold, self.measure(threshold), unmeasured);
            if is_search {
                judged.state = ThresholdState::NotJudged;
            }
            judged
        });
        thresholds.collect()
    }

    fn members(&self) -> Vec<MemberReport> {
        let members = self.origin.spec.mix.members().iter();
        let measured = members.zip(&self.measured.members);
        let reports = measured.map(|(member, outcomes)| MemberReport::of(member, outcomes));
        reports.collect()
    }

    fn events(&self) -> ReceivedEvents {
        let inbound = &self.measured.inbound;
        ReceivedEvents {
            received: inbound.received(),
            by_fate: inbound.by_fate.clone(),
            waiting: inbound.received().saturating_sub(inbound.settled()),
            through_other_callbacks: inbound.other_callbacks.total(),
            other_callbacks: inbound.other_callbacks.report(),
            differences: if self.is_over() {
                self.measured.differences()
            } else {
                Vec::new()
            },
        }
    }

    fn is_over(&self) -> bool {
        self.notes.ended.is_some()
    }

    /// So long after the run began.
    fn moment(&self, after: Duration) -> Option<String> {
        let moment = self.origin.started_at.checked_add(after).ok()?;
        Some(moment.to_string())
    }
}
