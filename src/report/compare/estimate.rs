//! The figures of one run, each with how much it varies by itself.

use super::{
    Figure,
    fisher::FailureCounts,
    spread::Spread,
    uncertainty::{Deviation, number},
};
use crate::runner::{BatchFigures, Histogram, Quantiles, RunRecord};

/// One figure of one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Estimate {
    /// Seconds, or a share from 0 to 1.
    pub(super) value: Option<f64>,
    /// How much of it there was.
    pub(super) count: u64,
    /// How many failed of how many.
    pub(super) chats: FailureCounts,
    /// Of its logarithm, if it is a latency; `None` if the run was too short.
    pub(super) within: Option<Deviation>,
}

/// The figures of a step or of whole chats, in the order of [`Figure::ALL`].
pub(super) type Estimates = [Estimate; 5];

pub(super) fn of_chats(record: &RunRecord) -> Estimates {
    let batches: Vec<_> = record.batches.iter().map(|batch| &batch.chats).collect();
    let report = &record.report;
    estimates(
        &report.chat_duration,
        report.chats.failed,
        spread(record, &batches).as_ref(),
    )
}

/// `None` if the run does not have the step.
pub(super) fn of_step(record: &RunRecord, name: &str) -> Option<Estimates> {
    let steps = &record.report.steps;
    let at = steps.iter().position(|step| step.step == name)?;
    let batches: Vec<_> = record
        .batches
        .iter()
        .filter_map(|batch| batch.steps.get(at))
        .collect();
    let spread = spread(record, &batches);
    Some(estimates(
        &steps[at].latency,
        steps[at].failed,
        spread.as_ref(),
    ))
}

/// Of a part of a run, which has its own batches.
pub(super) fn of_part(batches: &[&BatchFigures]) -> Estimates {
    let latencies: Vec<_> = batches.iter().map(|batch| &batch.latency).collect();
    let failed = batches.iter().map(|batch| batch.failed);
    estimates(
        &Histogram::merged(&latencies).quantiles(),
        failed.fold(0, u64::saturating_add),
        Spread::of_part(batches).as_ref(),
    )
}

fn spread(record: &RunRecord, batches: &[&BatchFigures]) -> Option<Spread> {
    // The last one may be shorter.
    let seconds = record.batches.iter().map(|batch| batch.seconds);
    Spread::of(batches, seconds.fold(0.0, f64::max))
}

fn estimates(latency: &Quantiles, failed: u64, spread: Option<&Spread>) -> Estimates {
    let chats = FailureCounts {
        failed,
        of: latency.count.saturating_add(failed),
    };
    Figure::ALL.map(|figure| Estimate::of(figure, latency, chats, spread))
}

impl Estimate {
    fn of(
        figure: Figure,
        latency: &Quantiles,
        chats: FailureCounts,
        spread: Option<&Spread>,
    ) -> Self {
        let (value, within) = match figure {
            Figure::Mean => (latency.mean, spread.and_then(|s| s.mean)),
            Figure::P50 => (latency.p50, spread.and_then(|s| s.p50)),
            Figure::P95 => (latency.p95, spread.and_then(|s| s.p95)),
            Figure::P99 => (latency.p99, spread.and_then(|s| s.p99)),
            Figure::Failed => (chats.share(), spread.and_then(|s| s.failed)),
        };
        let is_share = figure == Figure::Failed;
        Self {
            // What is not above zero has no logarithm.
            value: value.filter(|value| is_share || *value > 0.0),
            count: if is_share { chats.of } else { latency.count },
            chats,
            within,
        }
    }

    /// How much a share would vary if chats were independent.
    pub(super) fn independent(&self) -> Deviation {
        let FailureCounts { failed, of } = self.chats;
        Deviation::of_independent(number(failed), number(of))
    }
}
