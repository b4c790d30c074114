use std::time::SystemTime;

use prometheus::{Gauge, IntCounter, IntGauge};

use super::{
    MetricsError,
    family::{Family, Maker},
    seconds_since_epoch,
};
use crate::{
    event::{ProbeDeclaration, SkipReason, Subject, Verdict},
    scenario::Reason,
};

const PROBE: &[&str] = &["scenario", "target"];
const PROBE_REASON: &[&str] = &["scenario", "target", "reason"];

/// The metrics about probes. They change once an interval, so nothing is kept at hand.
pub(super) struct Probes {
    last_success: Family<IntGauge>,
    consecutive_failures: Family<IntGauge>,
    last_run: Family<Gauge>,
    last_success_at: Family<Gauge>,
    interval: Family<Gauge>,
    paused: Family<IntGauge>,
    skipped: Family<IntCounter>,
}

impl Probes {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, MetricsError> {
        Ok(Self {
            last_success: make.int_gauges(
                "chatprobe_probe_last_success",
                "1 if the last run of the probe that came to a result was a success, else 0; 0 before the first.",
                PROBE,
            )?,
            consecutive_failures: make.int_gauges(
                "chatprobe_probe_consecutive_failures",
                "Runs of the probe that failed since its last success, or since the process began, by reason.",
                PROBE_REASON,
            )?,
            last_run: make.gauges(
                "chatprobe_probe_last_run_timestamp_seconds",
                "Unix time at which the last run of the probe came to a result; 0 before the first. Runs that were stopped or invalid have none.",
                PROBE,
            )?,
            last_success_at: make.gauges(
                "chatprobe_probe_last_success_timestamp_seconds",
                "Unix time at which a run of the probe last was a success; 0 before the first.",
                PROBE,
            )?,
            interval: make.gauges(
                "chatprobe_probe_interval_seconds",
                "How often the probe is to run.",
                PROBE,
            )?,
            paused: make.int_gauges(
                "chatprobe_probe_paused",
                "1 while somebody has the probe paused, else 0.",
                PROBE,
            )?,
            skipped: make.counters(
                "chatprobe_probe_skipped_total",
                "Slots that the probe left out, because the last chat was still running (overlap) or because it is paused.",
                PROBE_REASON,
            )?,
        })
    }

    pub(super) fn declare(&self, probe: &ProbeDeclaration) {
        let subject = &probe.subject;
        let labels = labels(subject);
        self.last_success.child(&labels);
        for reason in probe.scenario.chat_reasons() {
            self.failures_for(subject, reason);
        }
        self.paused.child(&labels);
        self.last_run.child(&labels);
        self.last_success_at.child(&labels);
        self.interval.child(&labels).set(probe.every.as_secs_f64());
        for reason in SkipReason::ALL {
            self.skipped(subject, reason).inc_by(0);
        }
    }

    /// A run that was stopped or invalid says nothing about the target and changes nothing.
    pub(super) fn run_ended(
        &self,
        subject: &Subject,
        verdict: Verdict,
        outcome: Result<(), Reason>,
        now: SystemTime,
    ) {
        if matches!(verdict, Verdict::Stopped | Verdict::Invalid) {
            return;
        }
        let labels = labels(subject);
        let now = seconds_since_epoch(now);
        self.last_success
            .child(&labels)
            .set(i64::from(outcome.is_ok()));
        self.last_run.child(&labels).set(now);
        match outcome {
            Ok(()) => {
                self.last_success_at.child(&labels).set(now);
                for failures in self.consecutive_failures.children(&labels) {
                    failures.set(0);
                }
            }
            Err(reason) => self.failures_for(subject, reason).inc(),
        }
    }

    pub(super) fn paused(&self, subject: &Subject, paused: bool) {
        self.paused.child(&labels(subject)).set(i64::from(paused));
    }

    fn failures_for(&self, subject: &Subject, reason: Reason) -> IntGauge {
        let [scenario, target] = labels(subject);
        let labels = [scenario, target, reason.as_str()];
        self.consecutive_failures.child(&labels)
    }

    pub(super) fn skipped(&self, subject: &Subject, reason: SkipReason) -> IntCounter {
        let [scenario, target] = labels(subject);
        self.skipped.child(&[scenario, target, reason.as_str()])
    }

    pub(super) fn remove(&self, subject: &Subject) {
        let labels = labels(subject);
        self.last_success.remove(&labels);
        self.consecutive_failures.remove(&labels);
        self.last_run.remove(&labels);
        self.last_success_at.remove(&labels);
        self.interval.remove(&labels);
        self.paused.remove(&labels);
        self.skipped.remove(&labels);
    }
}

fn labels(subject: &Subject) -> [&str; 2] {
    [&subject.scenario, &subject.target]
}
