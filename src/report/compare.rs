//! Two runs side by side: what changed, and whether that is more than noise.
//!
//! The method, its sources and its limits are in `docs/reports.md`.

mod spread;
#[cfg(test)]
mod tests;

use std::{collections::HashSet, fmt::Write as _};

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, StudentsT};
use utoipa::ToSchema;

use self::spread::{Deviation, Spread};
use crate::{
    event::Verdict,
    runner::{BatchFigures, Quantiles, RunRecord, RunReport, RunState},
};

/// Where nothing changed, so many comparisons find not one figure changed.
const CONFIDENCE: f64 = 0.95;
/// Steps that a caveat names.
const MOST_LISTED: usize = 8;

/// What changed from one run, the baseline, to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Comparison {
    /// What the other is held against.
    pub baseline: Compared,
    /// The run in question.
    pub run: Compared,
    /// Why what differs may not be due to the target, in words.
    pub caveats: Vec<String>,
    /// How sure the intervals are, all of them together, 0 to 1.
    pub confidence: f64,
    /// Whole chats first, then the steps that both runs have.
    pub subjects: Vec<SubjectComparison>,
    /// Steps that only the baseline has.
    pub steps_gone: Vec<String>,
    /// Steps that only the run has.
    pub steps_added: Vec<String>,
}

/// One of the two runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Compared {
    /// The run.
    pub id: String,
    /// The name of its probe or burst.
    pub name: String,
    /// Its load profile.
    pub load: String,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// How far it is.
    pub state: RunState,
    /// What it came to.
    pub verdict: Option<Verdict>,
}

/// What changed about a step, or about whole chats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubjectComparison {
    /// The step; null for whole chats.
    pub step: Option<String>,
    /// Each figure of it.
    pub changes: Vec<Change>,
}

/// What changed about one figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Which one.
    pub figure: Figure,
    /// What it was in the baseline: seconds, or a share from 0 to 1.
    pub before: Option<f64>,
    /// What it is in the run.
    pub after: Option<f64>,
    /// The change of a latency as a part of what it was, 0.2 for 20 % more; the difference of a share.
    pub change: Option<f64>,
    /// The interval in which the change lies, both ends in the unit of `change`.
    pub interval: Option<[f64; 2]>,
    /// What to make of it.
    pub word: Word,
}

/// A figure that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// The mean of those that passed.
    Mean,
    /// The median of those that passed.
    P50,
    /// 95 of 100 that passed were as quick.
    P95,
    /// 99 of 100 that passed were as quick.
    P99,
    /// The share that failed.
    Failed,
}

/// What to make of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It rose, by more than noise.
    Worse,
    /// It fell, by more than noise.
    Better,
    /// It is no more than chance makes of two runs that are alike.
    Noise,
    /// Too little was measured for a word.
    TooLittle,
}

/// A figure that became worse by more than is allowed, and by more than noise.
#[derive(Debug, Clone, PartialEq)]
pub struct Regression<'a> {
    /// The step; `None` for whole chats.
    pub step: Option<&'a str>,
    /// What became worse.
    pub change: &'a Change,
}

impl Figure {
    const ALL: [Self; 5] = [Self::Mean, Self::P50, Self::P95, Self::P99, Self::Failed];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Failed => "failed",
        }
    }

    /// How many have to be measured in each run: ten beyond a quantile.
    const fn least(self) -> u64 {
        match self {
            Self::P50 | Self::Failed => 20,
            Self::Mean => 30,
            Self::P95 => 200,
            Self::P99 => 1000,
        }
    }
}

impl Word {
    /// The word as people read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Noise => "no more than noise",
            Self::TooLittle => "too little measured",
        }
    }
}

/// One figure of one run.
#[derive(Debug, Clone, Copy)]
struct Estimate {
    value: Option<f64>,
    /// How much of it there was.
    count: u64,
    /// Of its logarithm, if it is a latency.
    deviation: Option<Deviation>,
}

impl Comparison {
    /// What changed from `baseline` to `run`.
    pub fn of(baseline: &RunRecord, run: &RunRecord) -> Self {
        let pairs = subjects(baseline, run);
        let judged = pairs.iter().flat_map(|(_, figures)| figures);
        let enough = judged.filter(|(figure, before, after)| figure.is_told(before, after));
        // As many chances to err: their sum is bounded (Bonferroni).
        let error = (1.0 - CONFIDENCE) / small(enough.count().max(1));
        let subjects = pairs.into_iter().map(|(step, figures)| SubjectComparison {
            step,
            changes: figures
                .iter()
                .map(|(figure, before, after)| Change::between(*figure, before, after, error))
                .collect(),
        });
        Self {
            baseline: Compared::from(&baseline.report),
            run: Compared::from(&run.report),
            caveats: caveats(&baseline.report, &run.report),
            confidence: CONFIDENCE,
            subjects: subjects.collect(),
            steps_gone: steps_only_in(&baseline.report, &run.report),
            steps_added: steps_only_in(&run.report, &baseline.report),
        }
    }

    /// What became worse by more than noise and by more than `limit`, a part of what it was; a share
    /// that failed by more than that part of itself.
    pub fn regressions(&self, limit: f64) -> Vec<Regression<'_>> {
        let changes = self.subjects.iter().flat_map(|subject| {
            let step = subject.step.as_deref();
            subject
                .changes
                .iter()
                .map(move |change| Regression { step, change })
        });
        changes
            .filter(|Regression { change, .. }| {
                change.word == Word::Worse && change.relative().is_some_and(|part| part > limit)
            })
            .collect()
    }
}

impl Change {
    /// `error` is the chance to find a change where there is none.
    fn between(figure: Figure, before: &Estimate, after: &Estimate, error: f64) -> Self {
        let change = before
            .value
            .zip(after.value)
            .and_then(|(before, after)| match figure {
                Figure::Failed => Some(after - before),
                _ => (before > 0.0).then(|| after / before - 1.0),
            });
        let interval = figure
            .is_told(before, after)
            .then(|| figure.interval(before, after, error))
            .flatten();
        let word = match interval {
            None => Word::TooLittle,
            Some([from, _]) if from > 0.0 => Word::Worse,
            Some([_, to]) if to < 0.0 => Word::Better,
            Some(_) => Word::Noise,
        };
        Self {
            figure,
            before: before.value,
            after: after.value,
            change,
            interval,
            word,
        }
    }

    /// The change as a part of what it was; infinite if there was nothing.
    pub fn relative(&self) -> Option<f64> {
        let (before, after) = self.before.zip(self.after)?;
        Some(after / before - 1.0)
    }
}

impl Figure {
    fn is_told(self, before: &Estimate, after: &Estimate) -> bool {
        [before, after]
            .iter()
            .all(|run| run.count >= self.least() && run.deviation.is_some() && run.value.is_some())
    }

    /// Student's, by Welch: the runs vary differently, and there are few blocks in each.
    fn interval(self, before: &Estimate, after: &Estimate, error: f64) -> Option<[f64; 2]> {
        let (one, other) = before.deviation.zip(after.deviation)?;
        let (before, after) = before.value.zip(after.value)?;
        let (own, others) = (one.variance / one.freedom, other.variance / other.freedom);
        let variance = one.variance + other.variance;
        let freedom = variance * variance / (own * one.variance + others * other.variance);
        let student = StudentsT::new(0.0, 1.0, freedom).ok()?;
        let reach = student.inverse_cdf(1.0 - error / 2.0) * variance.sqrt();
        if self == Self::Failed {
            let difference = after - before;
            return Some([difference - reach, difference + reach]);
        }
        let ratio = (after / before).ln();
        let ends = [ratio - reach, ratio + reach].map(f64::exp_m1);
        ends.iter().all(|end| end.is_finite()).then_some(ends)
    }
}

impl Estimate {
    fn of(figure: Figure, latency: &Quantiles, failed: u64, spread: Option<&Spread>) -> Self {
        let ended = latency.count + failed;
        let (value, count, deviation) = match figure {
            Figure::Mean => (latency.mean, latency.count, spread.and_then(|s| s.mean)),
            Figure::P50 => (latency.p50, latency.count, spread.and_then(|s| s.p50)),
            Figure::P95 => (latency.p95, latency.count, spread.and_then(|s| s.p95)),
            Figure::P99 => (latency.p99, latency.count, spread.and_then(|s| s.p99)),
            Figure::Failed => (
                (ended > 0).then(|| large(failed) / large(ended)),
                ended,
                spread.and_then(|s| s.failed),
            ),
        };
        // What is not above zero has no logarithm.
        let value = value.filter(|value| figure == Figure::Failed || *value > 0.0);
        Self {
            value,
            count,
            deviation,
        }
    }
}

type Pair = (Figure, Estimate, Estimate);

/// What both runs have, each with its figures.
fn subjects(baseline: &RunRecord, run: &RunRecord) -> Vec<(Option<String>, Vec<Pair>)> {
    let whole = (None, pairs(chat_estimates(baseline), chat_estimates(run)));
    let steps = run.report.steps.iter().filter_map(|step| {
        let name = &step.step;
        let (before, after) = (step_estimates(baseline, name)?, step_estimates(run, name)?);
        Some((Some(name.clone()), pairs(before, after)))
    });
    std::iter::once(whole).chain(steps).collect()
}

fn pairs(before: [Estimate; 5], after: [Estimate; 5]) -> Vec<Pair> {
    let both = before.into_iter().zip(after);
    let figures = Figure::ALL.into_iter().zip(both);
    figures
        .map(|(figure, (before, after))| (figure, before, after))
        .collect()
}

fn chat_estimates(record: &RunRecord) -> [Estimate; 5] {
    let batches: Vec<_> = record.batches.iter().map(|batch| &batch.chats).collect();
    let report = &record.report;
    estimates(&report.chat_duration, report.chats.failed, &batches)
}

fn step_estimates(record: &RunRecord, name: &str) -> Option<[Estimate; 5]> {
    let steps = &record.report.steps;
    let at = steps.iter().position(|step| step.step == name)?;
    let batches: Vec<_> = record
        .batches
        .iter()
        .filter_map(|batch| batch.steps.get(at))
        .collect();
    Some(estimates(&steps[at].latency, steps[at].failed, &batches))
}

fn estimates(latency: &Quantiles, failed: u64, batches: &[&BatchFigures]) -> [Estimate; 5] {
    let spread = Spread::of(batches);
    Figure::ALL.map(|figure| Estimate::of(figure, latency, failed, spread.as_ref()))
}

/// The steps of one that the other does not have.
fn steps_only_in(one: &RunReport, other: &RunReport) -> Vec<String> {
    let known: HashSet<_> = other.steps.iter().map(|step| &step.step).collect();
    let names = one.steps.iter().map(|step| &step.step);
    names
        .filter(|name| !known.contains(name))
        .cloned()
        .collect()
}

/// Names in a sentence, the first of many.
fn listed(names: &[String]) -> String {
    let shown = names
        .iter()
        .take(MOST_LISTED)
        .map(|name| format!("`{name}`"));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if names.len() > MOST_LISTED {
        // Writing to a string cannot fail.
        let _ = write!(text, " and {} more", names.len() - MOST_LISTED);
    }
    text
}

/// What else is different, or wrong with one of them.
fn caveats(baseline: &RunReport, run: &RunReport) -> Vec<String> {
    let mut caveats = Vec::new();
    let asked = [
        ("scenario", &baseline.scenario, &run.scenario),
        ("target", &baseline.target, &run.target),
        ("load", &baseline.load, &run.load),
    ];
    for (what, before, after) in asked {
        if before != after {
            caveats.push(format!(
                "the {what} differs: `{before}` before, `{after}` now"
            ));
        }
    }
    if baseline.inputs != run.inputs {
        let (before, after) = (&baseline.inputs, &run.inputs);
        caveats.push(format!("the inputs differ: {before} before, {after} now"));
    }
    for (which, one, other) in [("baseline", baseline, run), ("run", run, baseline)] {
        let steps = steps_only_in(one, other);
        if !steps.is_empty() {
            let steps = listed(&steps);
            caveats.push(format!("only the {which} has the steps {steps}"));
        }
    }
    // Without a configuration there is nothing that could differ.
    if let (Some(before), Some(after)) = (&baseline.configuration, &run.configuration)
        && before != after
    {
        caveats.push(format!(
            "the configuration differs: its fingerprint was `{before}` before and is `{after}` now"
        ));
    }
    for (which, report) in [("baseline", baseline), ("run", run)] {
        match report.state {
            RunState::Ended => {}
            RunState::Interrupted => caveats.push(format!(
                "the {which} was interrupted: its figures are those of the seconds that were kept"
            )),
            _ => caveats.push(format!("the {which} is still in progress")),
        }
        if let Some(verdict @ (Verdict::Invalid | Verdict::Stopped)) = report.verdict {
            caveats.push(format!(
                "the verdict of the {which} is `{}`",
                verdict.as_str()
            ));
        }
        if let Some(change) = &report.load_changed_to {
            caveats.push(format!("the load of the {which} was changed to `{change}`"));
        }
    }
    caveats
}

impl From<&RunReport> for Compared {
    fn from(report: &RunReport) -> Self {
        Self {
            id: report.id.clone(),
            name: report.name.clone(),
            load: report.load.clone(),
            started_at: report.started_at.clone(),
            state: report.state,
            verdict: report.verdict,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "figures are far fewer than 2^52"
)]
fn small(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
fn large(count: u64) -> f64 {
    count as f64
}
