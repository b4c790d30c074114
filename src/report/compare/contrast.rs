//! One figure of one or more runs held against the same figure of another run: the difference, and what speaks
//! for its being more than chance.

use super::{
    Figure, Method,
    estimate::Estimate,
    fisher::{self, FailureCounts},
    score_interval::{self, SampledShare},
    spread::RESOLUTION,
    uncertainty::{BetweenRuns, Deviation, Uncertainty, number, smoothed, whole},
};

/// From so many baselines on, Student's distribution is no longer many times as wide as with all the runs there
/// could be.
pub(super) const ENOUGH_RUNS: usize = 5;

/// A figure of both sides.
#[derive(Debug, Clone)]
pub(super) struct Contrast {
    pub(super) figure: Figure,
    pub(super) before: SideMeasurement,
    pub(super) after: SideMeasurement,
    /// The difference of shares, or of latencies as a part of what it was.
    pub(super) change: Option<f64>,
    /// `None` if nothing can be said about chance.
    pub(super) evidence: Option<Evidence>,
    /// Whether so much was measured that what is not found is not there, as far as the interval tells.
    pub(super) is_enough: bool,
}

/// What was measured on one side.
#[derive(Debug, Clone, Copy)]
pub(super) struct SideMeasurement {
    /// Seconds, or a share from 0 to 1.
    pub(super) value: Option<f64>,
    /// How often.
    pub(super) count: u64,
}

/// What speaks for a change.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    pub(super) method: Method,
    /// How probable so large a difference of shares is if chats are independent.
    pub(super) p_exact: Option<f64>,
    /// How probable so large a difference is by chance within the runs, if that is known.
    pub(super) p_within: Option<f64>,
    /// How probable it is by all chance that is known of; not smaller.
    pub(super) p: f64,
    /// Whether another difference was possible at all: where nothing failed there is none, and `p` is 1.
    pub(super) is_test: bool,
    basis: Basis,
}

/// What an interval is made of.
#[derive(Debug, Clone)]
enum Basis {
    /// The logarithm of the ratio of latencies.
    Ratio { log: f64, uncertainty: Uncertainty },
    /// Shares, each with the number of independent chats that it is worth.
    Shares {
        before: SampledShare,
        after: SampledShare,
        uncertainty: Uncertainty,
    },
}

impl Contrast {
    /// What changed of a figure from some runs to another.
    pub(super) fn of(before: &[Estimate], after: &Estimate) -> Self {
        if after.figure.is_share() {
            of_shares(before, after)
        } else {
            of_latencies(after.figure, before, after)
        }
    }
}

impl Evidence {
    /// Where the change lies, wrong with a probability of `error`; a ratio less one, or a difference of shares.
    pub(super) fn interval(&self, error: f64) -> Option<[f64; 2]> {
        let ends = match &self.basis {
            Basis::Ratio { log, uncertainty } => {
                let reach = uncertainty.reach(error);
                [log - reach, log + reach].map(f64::exp_m1)
            }
            Basis::Shares {
                before,
                after,
                uncertainty,
            } => score_interval::difference(*before, *after, uncertainty.quantile(error)),
        };
        ends.iter().all(|end| end.is_finite()).then_some(ends)
    }
}

fn of_latencies(figure: Figure, before: &[Estimate], after: &Estimate) -> Contrast {
    let least = figure.least();
    let is_enough = |run: &&Estimate| run.count >= least && run.value.is_some();
    let known: Vec<_> = before.iter().filter(is_enough).copied().collect();
    // What was measured too seldom is shown and not judged.
    let shown = if known.is_empty() { before } else { &known };
    let values: Vec<_> = shown.iter().filter_map(|run| run.value).collect();
    let value = geometric_mean(&values);
    let evidence = value
        .zip(after.value)
        .filter(|_| !known.is_empty() && is_enough(&after))
        .and_then(|(value, after_value)| {
            let log = (after_value / value).ln();
            latency_evidence(log, &known, after)
        });
    Contrast {
        figure,
        before: SideMeasurement {
            value,
            count: total(shown.iter().map(|run| run.count)),
        },
        after: SideMeasurement {
            value: after.value,
            count: after.count,
        },
        change: value
            .zip(after.value)
            .map(|(before, after)| after / before - 1.0),
        is_enough: evidence
            .as_ref()
            .is_some_and(|evidence| evidence.p_within.is_some() || known.len() >= ENOUGH_RUNS),
        evidence,
    }
}

/// `None` if neither the batches of the runs nor several runs show what varies.
fn latency_evidence(log: f64, known: &[Estimate], after: &Estimate) -> Option<Evidence> {
    let runs = whole(known.len());
    let deviations: Option<Vec<_>> = known
        .iter()
        .map(|run| run.within.map(|deviation| (1.0 / runs, deviation)))
        .collect();
    let within = deviations
        .zip(after.within)
        .map(|(before, after)| Uncertainty::within(&before, after));
    let between = (known.len() > 1).then(|| {
        let logs: Vec<_> = known
            .iter()
            .filter_map(|run| run.value)
            .map(f64::ln)
            .collect();
        let mean = logs.iter().sum::<f64>() / runs;
        let squares = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>();
        let runs = BetweenRuns {
            of_mean: (squares / (runs - 1.0)).max(RESOLUTION * RESOLUTION) / runs,
            runs,
            size_ratio: size_ratio(known, after),
        };
        Uncertainty::between(runs, within.as_ref())
    });
    let p_within = within.map(|within| within.p(log));
    let uncertainty = between.or(within)?;
    Some(Evidence {
        method: between.map_or(Method::Batches, |_| Method::Runs),
        p_exact: None,
        p_within,
        p: uncertainty.p(log).max(p_within.unwrap_or(0.0)),
        is_test: true,
        basis: Basis::Ratio { log, uncertainty },
    })
}

fn of_shares(before: &[Estimate], after: &Estimate) -> Contrast {
    let measured: Vec<_> = before
        .iter()
        .filter(|run| run.chats.of > 0)
        .copied()
        .collect();
    let pooled = FailureCounts {
        failed: total(measured.iter().map(|run| run.chats.failed)),
        of: total(measured.iter().map(|run| run.chats.of)),
    };
    let shares = pooled.share().zip(after.chats.share());
    let evidence = shares.map(|shares| share_evidence(shares, pooled, &measured, after));
    let least = after.figure.least();
    Contrast {
        figure: after.figure,
        before: SideMeasurement {
            value: pooled.share(),
            count: pooled.of,
        },
        after: SideMeasurement {
            value: after.chats.share(),
            count: after.chats.of,
        },
        change: shares.map(|(before, after)| after - before),
        is_enough: evidence.is_some() && pooled.of.min(after.chats.of) >= least,
        evidence,
    }
}

fn share_evidence(
    (share_before, share_after): (f64, f64),
    pooled: FailureCounts,
    known: &[Estimate],
    after: &Estimate,
) -> Evidence {
    let change = share_after - share_before;
    let exact = fisher::p(pooled, after.chats);
    let weight = |run: &Estimate| number(run.chats.of) / number(pooled.of);
    let dependence = Dependence::of(known.iter().chain([after]));
    let deviation = |run: &Estimate| dependence.deviation(run);
    let deviations: Vec<_> = known
        .iter()
        .map(|run| (weight(run), deviation(run)))
        .collect();
    let within = Uncertainty::within(&deviations, deviation(after));
    let p_within = if dependence.is_known() {
        exact.max(within.p(change))
    } else {
        exact
    };
    let between = (known.len() > 1).then(|| {
        // The variance of a share over clusters of unequal size.
        let squares = known.iter().filter_map(|run| {
            let away = run.chats.share()? - share_before;
            Some((weight(run) * away).powi(2))
        });
        let runs = whole(known.len());
        let runs = BetweenRuns {
            of_mean: squares.sum::<f64>() * runs / (runs - 1.0),
            runs,
            size_ratio: size_ratio(known, after),
        };
        Uncertainty::between_shares(runs, &within)
    });
    let p_between = between.map_or(0.0, |between| between.p(change));
    let uncertainty = between.unwrap_or(within);
    let failed = pooled.failed.saturating_add(after.chats.failed);
    let of = pooled.of.saturating_add(after.chats.of);
    Evidence {
        method: match between {
            Some(_) => Method::Runs,
            None if dependence.is_known() => Method::Batches,
            None => Method::Exact,
        },
        p_exact: Some(exact),
        p_within: Some(p_within),
        p: p_within.max(p_between),
        is_test: 0 < failed && failed < of,
        basis: Basis::Shares {
            before: worth(share_before, pooled, uncertainty.before),
            after: worth(share_after, after.chats, uncertainty.after),
            uncertainty,
        },
    }
}

/// How much more a share varies than that of independent chats (the design effect of Kish, 1965).
struct Dependence {
    effect: f64,
    freedom: f64,
}

impl Dependence {
    /// As the runs show that have batches; without any, chats are taken as independent.
    fn of<'a>(runs: impl Iterator<Item = &'a Estimate>) -> Self {
        let known = runs.filter_map(|run| {
            let within = run.within?;
            Some((within.variance / run.independent().variance, within.freedom))
        });
        let none = Self {
            effect: 1.0,
            freedom: f64::INFINITY,
        };
        known.fold(none, |dependence, (effect, freedom)| Self {
            effect: dependence.effect.max(effect),
            freedom: dependence.freedom.min(freedom),
        })
    }

    fn is_known(&self) -> bool {
        self.freedom.is_finite()
    }

    /// By the batches of a run; one that is too short for them varies like the others.
    fn deviation(&self, run: &Estimate) -> Deviation {
        run.within.unwrap_or_else(|| Deviation {
            variance: run.independent().variance * self.effect,
            freedom: self.freedom,
        })
    }
}

/// A share that varies by as much, and how many independent chats would.
fn worth(share: f64, counts: FailureCounts, variance: f64) -> SampledShare {
    let (failed, of) = (number(counts.failed), number(counts.of));
    let smooth = smoothed(failed, of);
    SampledShare {
        share,
        size: smooth * (1.0 - smooth) / variance,
    }
}

/// How many times as much was measured in a run before as in the one after.
fn size_ratio(before: &[Estimate], after: &Estimate) -> f64 {
    let mean = number(total(before.iter().map(|run| run.count))) / whole(before.len());
    mean / number(after.count)
}

fn total(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

/// Of one value it is the value itself.
fn geometric_mean(values: &[f64]) -> Option<f64> {
    match values {
        [] => None,
        [one] => Some(*one),
        several => {
            let logs: f64 = several.iter().map(|value| value.ln()).sum();
            Some((logs / whole(several.len())).exp())
        }
    }
}
