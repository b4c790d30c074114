use prometheus::{Gauge, IntCounter};

use super::{
    MetricsError,
    family::{Family, Maker},
};
use crate::event::{PushFigures, PushLoss};

/// How results of runs reach the time-series database that they are pushed to.
pub(super) struct PushSeries {
    written: IntCounter,
    lost: [IntCounter; PushLoss::ALL.len()],
    retries: IntCounter,
    behind: Gauge,
}

impl PushSeries {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, MetricsError> {
        let written: Family<IntCounter> = make.counters(
            "chatprobe_push_samples_written_total",
            "Samples of runs that the database took to which results are pushed.",
            &[],
        )?;
        let lost: Family<IntCounter> = make.counters(
            "chatprobe_push_samples_lost_total",
            "Samples of runs that did not reach the database, by reason.",
            &["reason"],
        )?;
        let retries: Family<IntCounter> = make.counters(
            "chatprobe_push_retries_total",
            "Requests with samples of runs that were sent once more.",
            &[],
        )?;
        Ok(Self {
            written: written.child(&[]),
            lost: PushLoss::ALL.map(|reason| lost.child(&[reason.as_str()])),
            retries: retries.child(&[]),
            behind: make.gauge(
                "chatprobe_push_behind_seconds",
                "How long the oldest sample has waited that the database has not taken; 0 if none waits.",
            )?,
        })
    }

    pub(super) fn set(&self, now: &PushFigures) {
        raise(&self.written, now.written);
        raise(&self.retries, now.retries);
        for (counter, lost) in self.lost.iter().zip(now.lost) {
            raise(counter, lost);
        }
        self.behind.set(now.behind.as_secs_f64());
    }
}

/// Raises a counter to what was counted so far.
fn raise(counter: &IntCounter, so_far: u64) {
    counter.inc_by(so_far.saturating_sub(counter.get()));
}
