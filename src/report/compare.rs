//! Runs side by side: what changed, and whether that is more than noise.
//!
//! The method, its sources and its limits are in `docs/reports.md`.

mod caveats;
mod change;
mod contrast;
mod drift;
mod estimate;
mod figure;
mod fisher;
mod headline;
mod holm;
mod score_interval;
mod spread;
#[cfg(test)]
mod tests;
mod uncertainty;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::{
    caveats::{caveats, steps_only_in},
    change::Tests,
    contrast::Contrast,
    estimate::Estimates,
    headline::headline,
};
pub use self::{
    change::{Change, Word},
    drift::{Drift, NotJudged},
    figure::{Figure, Method},
    headline::Overall,
};
use crate::{
    event::Verdict,
    runner::{RunRecord, RunReport, RunState},
};

/// Where nothing changed, so many comparisons find not one figure changed.
const CONFIDENCE: f64 = 0.95;
/// Baselines that a run is held against at most: more tell hardly more, and all of them are in memory.
pub const MOST_BASELINES: usize = 20;

/// What changed from one or more runs, the baselines, to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Comparison {
    /// What the run is held against.
    pub baselines: Vec<Compared>,
    /// Baselines that are invalid or were stopped: the run is not held against them.
    pub left_out: Vec<Compared>,
    /// The run in question.
    pub run: Compared,
    /// What it comes to.
    pub overall: Overall,
    /// The same in a few sentences, with the verdicts and how many chats passed.
    pub headline: String,
    /// Why what differs may not be due to the target, in words.
    pub caveats: Vec<String>,
    /// How sure the words are, all of them together, 0 to 1.
    pub confidence: f64,
    /// Whole chats first, then the steps that the run and a baseline have, then deliveries and sockets, if both have them;
    /// none if the runs are not comparable.
    pub subjects: Vec<SubjectComparison>,
    /// Steps that only baselines have.
    pub steps_gone: Vec<String>,
    /// Steps that only the run has.
    pub steps_added: Vec<String>,
}

/// One of the runs.
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
    /// Chats that passed.
    pub passed: u64,
    /// Chats that failed.
    pub failed: u64,
}

/// What changed about one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubjectComparison {
    /// What it is.
    pub subject: SubjectKind,
    /// The step; null for the others.
    pub step: Option<String>,
    /// Each figure of it.
    pub changes: Vec<Change>,
}

/// What figures are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// Whole chats.
    Chats,
    /// A step.
    Step,
    /// Deliveries to members of rooms.
    Deliveries,
    /// Sockets of chats.
    Sockets,
}

/// A figure that became worse by more than is allowed, and by more than noise.
#[derive(Debug, Clone, PartialEq)]
pub struct Regression<'a> {
    /// What it is about.
    pub subject: &'a SubjectComparison,
    /// What became worse.
    pub change: &'a Change,
}

impl Comparison {
    /// What changed from `baselines` to `run`.
    pub fn of(baselines: &[&RunRecord], run: &RunRecord) -> Self {
        let (left_out, baselines): (Vec<_>, Vec<_>) =
            baselines.iter().copied().partition(|record| {
                matches!(
                    record.report.verdict,
                    Some(Verdict::Invalid | Verdict::Stopped)
                )
            });
        let now = Compared::from(&run.report);
        let is_comparable = !now.says_nothing() && (left_out.is_empty() || !baselines.is_empty());
        let contrasts = if is_comparable {
            subjects(&baselines, run)
        } else {
            Vec::new()
        };
        let subjects = judged(contrasts);
        let before: Vec<_> = baselines.iter().map(|record| &record.report).collect();
        let left_out: Vec<_> = left_out.iter().map(|record| &record.report).collect();
        let sides = |reports: &[&RunReport]| -> Vec<_> {
            reports.iter().copied().map(Compared::from).collect()
        };
        let compared = sides(&before);
        let overall = if is_comparable {
            Overall::of(&compared, &now, &subjects)
        } else {
            Overall::NotComparable
        };
        Self {
            overall,
            headline: headline(overall, &compared, &now, &subjects),
            baselines: compared,
            left_out: sides(&left_out),
            run: now,
            caveats: caveats(&before, &left_out, &run.report),
            confidence: CONFIDENCE,
            subjects,
            steps_gone: steps_only_in(&before, &[&run.report]),
            steps_added: steps_only_in(&[&run.report], &before),
        }
    }

    /// What became worse by more than noise and by more than `limit`, a part of what it was; a share
    /// that failed by more than that part of itself.
    pub fn regressions(&self, limit: f64) -> Vec<Regression<'_>> {
        let changes = self.subjects.iter().flat_map(|subject| {
            let changes = subject.changes.iter();
            changes.map(move |change| Regression { subject, change })
        });
        changes
            .filter(|Regression { change, .. }| {
                change.word == Word::Worse && change.relative().is_some_and(|part| part > limit)
            })
            .collect()
    }
}

impl Compared {
    /// What it came to, or how far it is.
    pub const fn outcome(&self) -> &'static str {
        match (self.verdict, self.state) {
            (Some(verdict), _) => verdict.as_str(),
            (None, RunState::Interrupted) => "interrupted",
            (None, _) => "in progress",
        }
    }

    /// Whether its figures say nothing about the target.
    fn says_nothing(&self) -> bool {
        self.verdict == Some(Verdict::Invalid)
    }
}

/// What the run and a baseline have, each with its name if it is a step, and its figures.
fn subjects(
    baselines: &[&RunRecord],
    run: &RunRecord,
) -> Vec<(SubjectKind, Option<String>, Vec<Contrast>)> {
    let both = |of: &dyn Fn(&RunRecord) -> Option<Estimates>| {
        let before: Vec<_> = baselines.iter().copied().filter_map(of).collect();
        let after = of(run).filter(|_| !before.is_empty())?;
        Some(contrasts(&before, &after))
    };
    let chats: Vec<_> = baselines
        .iter()
        .map(|record| estimate::of_chats(record))
        .collect();
    let whole = contrasts(&chats, &estimate::of_chats(run));
    let mut subjects = vec![(SubjectKind::Chats, None, whole)];
    for step in &run.report.steps {
        let name = &step.step;
        let figures = both(&|record| estimate::of_step(record, name));
        subjects.extend(figures.map(|it| (SubjectKind::Step, Some(name.clone()), it)));
    }
    let deliveries = both(&estimate::of_deliveries);
    subjects.extend(deliveries.map(|it| (SubjectKind::Deliveries, None, it)));
    let sockets = both(&estimate::of_sockets);
    subjects.extend(sockets.map(|it| (SubjectKind::Sockets, None, it)));
    subjects
}

/// What each figure comes to in view of all the others.
fn judged(contrasts: Vec<(SubjectKind, Option<String>, Vec<Contrast>)>) -> Vec<SubjectComparison> {
    let figures = contrasts.iter().flat_map(|(_, _, figures)| figures);
    let figures: Vec<_> = figures.collect();
    let tests = Tests::of(&figures);
    let judged = contrasts.into_iter().map(|(subject, step, figures)| {
        let changes = figures.iter().map(|contrast| Change::of(contrast, &tests));
        SubjectComparison {
            subject,
            step,
            changes: changes.collect(),
        }
    });
    judged.collect()
}

fn contrasts(before: &[Estimates], after: &Estimates) -> Vec<Contrast> {
    let figures = after.iter().enumerate();
    figures
        .map(|(at, after)| {
            let before: Vec<_> = before.iter().map(|estimates| estimates[at]).collect();
            Contrast::of(&before, after)
        })
        .collect()
}

impl SubjectComparison {
    /// For people; `chats` is what whole chats are called.
    pub fn name<'a>(&'a self, chats: &'a str) -> &'a str {
        match self.subject {
            SubjectKind::Chats => chats,
            SubjectKind::Step => self.step.as_deref().unwrap_or_default(),
            SubjectKind::Deliveries => "deliveries",
            SubjectKind::Sockets => "sockets",
        }
    }
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
            passed: report.chats.passed,
            failed: report.chats.failed,
        }
    }
}
