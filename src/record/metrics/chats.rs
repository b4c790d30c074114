use std::{sync::Arc, time::Duration};

use prometheus::{Histogram, IntCounter, IntGauge};

use super::{
    Boundaries, MetricsError,
    family::{Family, Maker, SUBJECT, SUBJECT_REASON, begins_with},
    steps::ByReason,
};
use crate::{event::Ending, scenario::Reason};

/// The metrics about whole chats.
pub(super) struct ChatFamilies {
    started: Family<IntCounter>,
    passed: Family<IntCounter>,
    stopped: Family<IntCounter>,
    failed: Family<IntCounter>,
    active: Family<IntGauge>,
    duration: Family<Histogram>,
}

impl ChatFamilies {
    pub(super) fn new(make: &Maker<'_>, boundaries: &Boundaries) -> Result<Self, MetricsError> {
        Ok(Self {
            started: make.counters(
                "chatprobe_chats_started_total",
                "Chats that began. Each of them passes, fails, is stopped, or is still active.",
                SUBJECT,
            )?,
            passed: make.counters(
                "chatprobe_chats_passed_total",
                "Chats in which every step passed.",
                SUBJECT,
            )?,
            stopped: make.counters(
                "chatprobe_chats_stopped_total",
                "Chats that were stopped in progress, with their run or by its graceful stop; they neither passed nor failed.",
                SUBJECT,
            )?,
            failed: make.counters(
                "chatprobe_chats_failed_total",
                "Chats in which a step failed, by the reason of the first that did.",
                SUBJECT_REASON,
            )?,
            active: make.int_gauges(
                "chatprobe_chats_active",
                "Chats in progress now.",
                SUBJECT,
            )?,
            duration: make.histograms(
                "chatprobe_chat_duration_seconds",
                "How long chats took that passed, pauses included; under an arrival rate measured from the intended start. Chats that failed are not in.",
                SUBJECT,
                &boundaries.chat_seconds(),
            )?,
        })
    }

    /// Lets the counters of failed chats begin at 0.
    pub(super) fn declare(&self, subject: &[&str; 3], reasons: &[Reason]) {
        let [scenario, target, mode] = *subject;
        for reason in reasons {
            let labels = [scenario, target, mode, reason.as_str()];
            self.failed.child(&labels);
        }
    }

    pub(super) fn series(&self, labels: &[Arc<str>; 3]) -> ChatSeries {
        let subject: [&str; 3] = [&labels[0], &labels[1], &labels[2]];
        ChatSeries {
            started: self.started.child(&subject),
            passed: self.passed.child(&subject),
            stopped: self.stopped.child(&subject),
            failed: ByReason::new(self.failed.clone(), labels.to_vec()),
            active: self.active.child(&subject),
            duration: self.duration.child(&subject),
        }
    }

    pub(super) fn remove(&self, subject: &[&str]) {
        self.started.remove(subject);
        self.passed.remove(subject);
        self.stopped.remove(subject);
        self.failed.remove(subject);
        self.active.remove(subject);
        self.duration.remove(subject);
    }

    /// Removes the counters of a subject's reasons that are not among these.
    pub(super) fn keep(&self, subject: &[&str], reasons: &[Reason]) {
        self.failed.retain(|labels| {
            !begins_with(labels, subject)
                || reasons.iter().any(|reason| *reason.as_str() == *labels[3])
        });
    }
}

/// The chats of one run.
pub(super) struct ChatSeries {
    started: IntCounter,
    passed: IntCounter,
    stopped: IntCounter,
    failed: ByReason,
    active: IntGauge,
    duration: Histogram,
}

impl ChatSeries {
    pub(super) fn started(&self) {
        self.started.inc();
        self.active.inc();
    }

    pub(super) fn ended(&self, ending: &Ending, duration: Duration) {
        self.active.dec();
        match ending {
            Ending::Passed => {
                self.passed.inc();
                self.duration.observe(duration.as_secs_f64());
            }
            Ending::Failed(failure) => self.failed.inc(failure.reason),
            Ending::Stopped => self.stopped.inc(),
        }
    }
}
