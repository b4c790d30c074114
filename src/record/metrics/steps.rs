use std::sync::{Arc, OnceLock};

use prometheus::{Histogram, IntCounter};

use super::{
    Boundaries, MetricsError,
    family::{Family, Maker, STEP, STEP_REASON, begins_with},
};
use crate::{
    event::{StepDeclaration, StepOutcome},
    scenario::{Observation, Reason},
};

/// Counters of one thing, one a reason. Those that are not known in advance begin with the first
/// failure for that reason.
pub(super) struct ByReason {
    family: Family<IntCounter>,
    labels: Vec<Arc<str>>,
    counters: [OnceLock<IntCounter>; Reason::ALL.len()],
}

impl ByReason {
    /// `labels` are those before the reason.
    pub(super) fn new(family: Family<IntCounter>, labels: Vec<Arc<str>>) -> Self {
        Self {
            family,
            labels,
            counters: Default::default(),
        }
    }

    pub(super) fn inc(&self, reason: Reason) {
        let counter = self.counters[reason as usize].get_or_init(|| {
            let mut labels: Vec<&str> = self.labels.iter().map(|label| &**label).collect();
            labels.push(reason.as_str());
            self.family.child(&labels)
        });
        counter.inc();
    }
}

/// The metrics about steps.
pub(super) struct StepFamilies {
    passed: Family<IntCounter>,
    failed: Family<IntCounter>,
    stopped: Family<IntCounter>,
    duration: Family<Histogram>,
    resent: Family<IntCounter>,
    polled: Family<IntCounter>,
}

impl StepFamilies {
    pub(super) fn new(make: &Maker<'_>, boundaries: &Boundaries) -> Result<Self, MetricsError> {
        Ok(Self {
            passed: make.counters(
                "chatprobe_steps_passed_total",
                "Steps that passed.",
                STEP,
            )?,
            failed: make.counters(
                "chatprobe_steps_failed_total",
                "Steps that failed, by reason.",
                STEP_REASON,
            )?,
            stopped: make.counters(
                "chatprobe_steps_stopped_total",
                "Steps that were cut short because their run was stopped; they neither passed nor failed.",
                STEP,
            )?,
            duration: make.histograms(
                "chatprobe_step_duration_seconds",
                "How long steps took that passed. Steps that failed are not in, so that an outage cannot look like an improvement: see chatprobe_steps_failed_total.",
                STEP,
                &boundaries.step_seconds(),
            )?,
            resent: make.counters(
                "chatprobe_requests_resent_total",
                "Requests that were sent once more, because the target closed the connection under them.",
                STEP,
            )?,
            polled: make.counters(
                "chatprobe_poll_requests_total",
                "Requests of steps that poll, until what they wait for held or their time was over.",
                STEP,
            )?,
        })
    }

    /// Lets the series of a step begin at 0.
    pub(super) fn declare(&self, subject: &[Arc<str>; 3], step: &StepDeclaration) {
        let labels: [&str; 4] = [&subject[0], &subject[1], &subject[2], &step.name];
        self.passed.child(&labels);
        self.stopped.child(&labels);
        self.duration.child(&labels);
        if step.is_request {
            self.resent.child(&labels);
        }
        if step.polls {
            self.polled.child(&labels);
        }
        for reason in &step.reasons {
            let [scenario, target, mode, name] = labels;
            let failed = [scenario, target, mode, name, reason.as_str()];
            self.failed.child(&failed);
        }
    }

    pub(super) fn series(&self, subject: &[Arc<str>; 3], step: &StepDeclaration) -> StepSeries {
        let labels: [&str; 4] = [&subject[0], &subject[1], &subject[2], &step.name];
        let mut before_reason = subject.to_vec();
        before_reason.push(step.name.clone());
        StepSeries {
            name: step.name.clone(),
            observes: step.observes,
            passed: self.passed.child(&labels),
            stopped: self.stopped.child(&labels),
            duration: self.duration.child(&labels),
            failed: ByReason::new(self.failed.clone(), before_reason),
            resent: step.is_request.then(|| self.resent.child(&labels)),
            polled: step.polls.then(|| self.polled.child(&labels)),
        }
    }

    /// Removes the series of a subject's steps and reasons that are not among `steps`.
    pub(super) fn keep(&self, subject: &[&str], steps: &[StepDeclaration]) {
        let find = |name: &str| steps.iter().find(|step| *step.name == *name);
        let keep =
            |labels: &[Box<str>]| !begins_with(labels, subject) || find(&labels[3]).is_some();
        self.passed.retain(keep);
        self.stopped.retain(keep);
        self.duration.retain(keep);
        self.resent.retain(|labels| {
            !begins_with(labels, subject) || find(&labels[3]).is_some_and(|step| step.is_request)
        });
        self.polled.retain(|labels| {
            !begins_with(labels, subject) || find(&labels[3]).is_some_and(|step| step.polls)
        });
        self.failed.retain(|labels| {
            !begins_with(labels, subject)
                || find(&labels[3]).is_some_and(|step| {
                    let mut reasons = step.reasons.iter();
                    reasons.any(|reason| *reason.as_str() == *labels[4])
                })
        });
    }
}

/// One step in one run.
pub(super) struct StepSeries {
    pub(super) name: Arc<str>,
    pub(super) observes: Option<Observation>,
    passed: IntCounter,
    stopped: IntCounter,
    duration: Histogram,
    failed: ByReason,
    /// Of a step that sends something.
    resent: Option<IntCounter>,
    polled: Option<IntCounter>,
}

impl StepSeries {
    /// So many requests were sent once more.
    pub(super) fn polled(&self, requests: u32) {
        if let Some(polled) = &self.polled {
            polled.inc_by(requests.into());
        }
    }

    pub(super) fn resent(&self, times: u32) {
        if let Some(resent) = &self.resent {
            resent.inc_by(times.into());
        }
    }

    pub(super) fn ended(&self, outcome: StepOutcome) {
        match outcome {
            StepOutcome::Passed(duration) => {
                self.passed.inc();
                self.duration.observe(duration.as_secs_f64());
            }
            StepOutcome::Failed(reason) => self.failed.inc(reason),
            StepOutcome::Stopped => self.stopped.inc(),
        }
    }
}
