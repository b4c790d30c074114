//! The figures of one run, each with how much it varies by itself.

use super::{
    Figure,
    fisher::FailureCounts,
    spread::Spread,
    uncertainty::{Deviation, number},
};
use crate::{
    event::DeliveryFate,
    runner::{BatchFigures, Histogram, Quantiles, RunRecord},
    scenario::SocketEnd,
};

/// One figure of one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Estimate {
    /// Which one.
    pub(super) figure: Figure,
    /// Seconds, or a share from 0 to 1.
    pub(super) value: Option<f64>,
    /// How much of it there was.
    pub(super) count: u64,
    /// How many failed of how many.
    pub(super) chats: FailureCounts,
    /// Of its logarithm, if it is a latency; `None` if the run was too short.
    pub(super) within: Option<Deviation>,
}

/// The figures of a step, of whole chats, of deliveries or of sockets, for each of these in an order of its own.
pub(super) type Estimates = Vec<Estimate>;

pub(super) fn of_chats(record: &RunRecord) -> Estimates {
    let batches: Vec<_> = record.batches.iter().map(|batch| &batch.chats).collect();
    let report = &record.report;
    estimates(
        Figure::OF_STEPS,
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
        Figure::OF_STEPS,
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
        Figure::OF_STEPS,
        &Histogram::merged(&latencies).quantiles(),
        failed.fold(0, u64::saturating_add),
        Spread::of_part(batches).as_ref(),
    )
}

/// `None` if the scenario of the run publishes no messages.
pub(super) fn of_deliveries(record: &RunRecord) -> Option<Estimates> {
    let deliveries = record.report.deliveries.as_ref()?;
    let batches: Vec<_> = (record.batches.iter())
        .map(|batch| &batch.deliveries)
        .collect();
    Some(estimates(
        Figure::OF_DELIVERIES,
        &deliveries.latency,
        deliveries.of_fate(DeliveryFate::Lost),
        spread(record, &batches).as_ref(),
    ))
}

/// `None` if the scenario of the run opens no sockets.
pub(super) fn of_sockets(record: &RunRecord) -> Option<Estimates> {
    let sockets = record.report.sockets.as_ref()?;
    let mut counts = FailureCounts { failed: 0, of: 0 };
    for (by, codes) in &sockets.closed {
        let count = codes.values().copied().fold(0, u64::saturating_add);
        counts.of = counts.of.saturating_add(count);
        if *by == SocketEnd::Target {
            counts.failed = count;
        }
    }
    let batches = record.batches.iter().map(|batch| FailureCounts {
        failed: batch.sockets.by_target,
        of: batch.sockets.ended,
    });
    let batches: Vec<_> = batches.collect();
    Some(vec![Estimate {
        figure: Figure::ClosedByTarget,
        value: counts.share(),
        count: counts.of,
        chats: counts,
        within: Spread::of_share(&batches, longest(record)),
    }])
}

fn spread(record: &RunRecord, batches: &[&BatchFigures]) -> Option<Spread> {
    Spread::of(batches, longest(record))
}

/// How long a batch is, in seconds: the last one may be shorter.
fn longest(record: &RunRecord) -> f64 {
    let seconds = record.batches.iter().map(|batch| batch.seconds);
    seconds.fold(0.0, f64::max)
}

fn estimates(
    figures: [Figure; 5],
    latency: &Quantiles,
    failed: u64,
    spread: Option<&Spread>,
) -> Estimates {
    let chats = FailureCounts {
        failed,
        of: latency.count.saturating_add(failed),
    };
    let figures = figures.map(|figure| Estimate::of(figure, latency, chats, spread));
    figures.into()
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
            Figure::Failed | Figure::Lost | Figure::ClosedByTarget => {
                (chats.share(), spread.and_then(|s| s.failed))
            }
        };
        let is_share = figure.is_share();
        Self {
            figure,
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
