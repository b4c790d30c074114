use std::sync::Arc;

use prometheus::Histogram;

use super::{
    MetricsError,
    boundaries::PHASE_SECONDS,
    family::{Family, Maker},
};
use crate::driver::{Phase, Phases};

/// What the time of requests goes into.
pub(super) struct PhaseFamily(Family<Histogram>);

impl PhaseFamily {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, MetricsError> {
        Ok(Self(make.histograms(
            "chatprobe_request_phase_seconds",
            "How long the phases of requests took that were finished: the lookup of the name, the TCP connection and the TLS handshake of those that opened a connection, and the time to the first byte of the answer.",
            &["scenario", "target", "mode", "phase"],
            PHASE_SECONDS,
        )?))
    }

    /// Those of a subject; they begin at 0.
    pub(super) fn series(&self, subject: &[Arc<str>; 3]) -> PhaseSeries {
        let [scenario, target, mode] = subject;
        PhaseSeries(Phase::ALL.map(|phase| {
            let labels: [&str; 4] = [scenario, target, mode, phase.as_str()];
            self.0.child(&labels)
        }))
    }

    pub(super) fn remove(&self, subject: &[&str]) {
        self.0.remove(subject);
    }
}

/// The phases of the requests of one run.
pub(super) struct PhaseSeries([Histogram; Phase::ALL.len()]);

impl PhaseSeries {
    pub(super) fn observe(&self, phases: &Phases) {
        for (phase, took) in phases.finished() {
            self.0[phase as usize].observe(took.as_secs_f64());
        }
    }
}
