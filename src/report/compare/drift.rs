//! A run held against itself: its first quarter against its last, which is what a soak looks for.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    CONFIDENCE, Change, Figure, SubjectComparison, SubjectKind, Word, contrast::Contrast,
    contrasts, estimate, judged, spread::LEAST_OF_PART, uncertainty::number,
};
use crate::{
    event::{Mode, Verdict},
    report::wording::{percent, seconds, signed_percent},
    runner::{Batch, BatchFigures, RunRecord, RunReport, Sample},
};

/// How long a run takes at least of which this is told, in seconds. Its batches are half a minute then, so that what
/// happens in one hardly bears upon the next.
const SHORTEST: f64 = 600.0;
/// The parts of the run of which the first and the last are compared.
const PARTS: usize = 4;
/// The load of both may differ by this part of the first.
const SAME_LOAD: f64 = 0.1;
/// Figures that are compared.
const FIGURES: [Figure; 3] = [Figure::P50, Figure::P95, Figure::Failed];
/// Steps that the summary names.
const NAMED: usize = 4;

/// How chats and steps changed from the first quarter of a run to the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Drift {
    /// What became slower or failed more often, in a sentence; or why nothing can be said.
    pub summary: String,
    /// Why nothing can be said; null where something is.
    pub not_judged: Option<NotJudged>,
    /// How long the first quarter is that is compared, in seconds: whole batches of the run.
    pub first_seconds: f64,
    /// How long the last one is, in seconds.
    pub last_seconds: f64,
    /// How sure the words are, all of them together, 0 to 1.
    pub confidence: f64,
    /// Whole chats first, then the steps: p50, p95 and the share that failed, of which `before` is the first quarter
    /// and `after` the last.
    pub subjects: Vec<SubjectComparison>,
}

/// Why a drift is not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotJudged {
    /// The run is that of a probe, which has one chat.
    Probe,
    /// The run is a search, which changes its load.
    Search,
    /// The run is invalid: its figures say nothing about the target.
    Invalid,
    /// The run took less than ten minutes.
    TooShort,
    /// What it did over time is not known any more.
    NotKept,
    /// The load of the last quarter was another one than that of the first, by more than 10 %.
    LoadChanged,
}

impl fmt::Display for NotJudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Probe => "a probe has one chat",
            Self::Search => "a search changes its load",
            Self::Invalid => "the figures of an invalid run say nothing about the target",
            Self::TooShort => "the run took less than 10 min",
            Self::NotKept => "what happened over time is not known any more",
            Self::LoadChanged => {
                "the load of the last quarter differs from that of the first by more than 10%"
            }
        })
    }
}

/// The quarters of a run that are compared.
struct Quarters<'a> {
    first: &'a [Batch],
    last: &'a [Batch],
}

impl Drift {
    /// Why the report alone is enough to know that nothing can be said; `None` if the rest of the record has to be read.
    pub fn refused(report: &RunReport) -> Option<NotJudged> {
        if report.mode == Mode::Probe {
            Some(NotJudged::Probe)
        } else if report.elapsed_seconds < SHORTEST {
            Some(NotJudged::TooShort)
        } else if report.search.is_some() {
            Some(NotJudged::Search)
        } else if report.verdict == Some(Verdict::Invalid) {
            Some(NotJudged::Invalid)
        } else {
            None
        }
    }

    /// Holds the last quarter of a run against its first.
    pub fn of(record: &RunRecord) -> Self {
        if let Some(why) = Self::refused(&record.report) {
            return why.into();
        }
        let Some(quarters) = Quarters::of(&record.batches) else {
            return NotJudged::NotKept.into();
        };
        if !quarters.have_same_load(&record.samples) {
            return NotJudged::LoadChanged.into();
        }
        let subjects = judged(quarters.contrasts(&record.report));
        Self {
            summary: summary(&subjects),
            not_judged: None,
            first_seconds: length(quarters.first),
            last_seconds: length(quarters.last),
            confidence: CONFIDENCE,
            subjects,
        }
    }
}

impl From<NotJudged> for Drift {
    fn from(why: NotJudged) -> Self {
        Self {
            summary: format!(
                "Whether the target changed between the first and the last quarter is not judged: {why}."
            ),
            not_judged: Some(why),
            first_seconds: 0.0,
            last_seconds: 0.0,
            confidence: CONFIDENCE,
            subjects: Vec::new(),
        }
    }
}

impl<'a> Quarters<'a> {
    /// `None` if there are too few batches.
    fn of(batches: &'a [Batch]) -> Option<Self> {
        let count = batches.len() / PARTS;
        (count >= LEAST_OF_PART).then(|| Self {
            first: &batches[..count],
            last: &batches[batches.len() - count..],
        })
    }

    fn contrasts(&self, report: &RunReport) -> Vec<(SubjectKind, Option<String>, Vec<Contrast>)> {
        let of = |figures: &dyn Fn(&Batch) -> Option<&BatchFigures>| {
            let [first, last] = [self.first, self.last].map(|quarter| {
                let figures: Vec<_> = quarter.iter().filter_map(figures).collect();
                estimate::of_part(&figures)
            });
            let all = contrasts(&[first], &last).into_iter();
            all.filter(|contrast| FIGURES.contains(&contrast.figure))
                .collect()
        };
        let chats = (SubjectKind::Chats, None, of(&|batch| Some(&batch.chats)));
        let steps = report.steps.iter().enumerate();
        let steps = steps.map(|(at, step)| {
            let figures = of(&|batch| batch.steps.get(at));
            (SubjectKind::Step, Some(step.step.clone()), figures)
        });
        std::iter::once(chats).chain(steps).collect()
    }

    /// Whether the load profile asked for about as much in both; it is taken for granted where nobody knows.
    fn have_same_load(&self, samples: &[Arc<Sample>]) -> bool {
        let end = samples.last().map_or(0.0, |sample| sample.at);
        let (first, last) = (length(self.first), end - length(self.last));
        let asked_of = |asked: fn(&Sample) -> Option<f64>| {
            let first = mean_asked(samples, asked, |sample| sample.at <= first);
            let last = mean_asked(samples, asked, |sample| sample.at > last);
            match (first, last) {
                (Some(first), Some(last)) => (last - first).abs() <= SAME_LOAD * first,
                (first, last) => first.is_none() && last.is_none(),
            }
        };
        asked_of(|sample| Some(number(sample.due?)))
            && asked_of(|sample| Some(number(sample.customers?) * sample.seconds))
    }
}

/// What was asked for a second, between the first and the last second in which anything was; `None` if nothing was.
fn mean_asked(
    samples: &[Arc<Sample>],
    asked: fn(&Sample) -> Option<f64>,
    is_in: impl Fn(&Sample) -> bool,
) -> Option<f64> {
    let quarter: Vec<_> = samples.iter().filter(|sample| is_in(sample)).collect();
    let asks = |sample: &&Arc<Sample>| asked(sample).is_some_and(|asked| asked > 0.0);
    let begin = quarter.iter().position(asks)?;
    let end = quarter.iter().rposition(asks)?;
    let loaded = quarter[begin..=end].iter();
    let (sum, seconds) = loaded.fold((0.0, 0.0), |(sum, seconds), sample| {
        let asked = asked(sample).unwrap_or_default();
        (sum + asked, seconds + sample.seconds)
    });
    (seconds > 0.0).then(|| sum / seconds)
}

fn length(batches: &[Batch]) -> f64 {
    batches.iter().map(|batch| batch.seconds).sum()
}

fn summary(subjects: &[SubjectComparison]) -> String {
    let moved: Vec<_> = subjects.iter().filter_map(moved).collect();
    let is_judged = |change: &Change| change.word != Word::TooLittle;
    if moved.is_empty() {
        let mut changes = subjects.iter().flat_map(|subject| &subject.changes);
        return if changes.any(is_judged) {
            "No step became slower or failed more often between the first and the last quarter."
                .to_owned()
        } else {
            "Too little was measured in the first or the last quarter to tell whether a step became slower or failed more often.".to_owned()
        };
    }
    let mut told = moved.iter().take(NAMED).cloned().collect::<Vec<_>>();
    if moved.len() > NAMED {
        told.push(format!("and {} more", moved.len() - NAMED));
    }
    format!("Over the run, {}.", told.join("; "))
}

/// What became of a step, if anything: of the latency the percentile that tells most.
fn moved(subject: &SubjectComparison) -> Option<String> {
    let find = |figure: Figure| {
        let mut changes = subject.changes.iter();
        changes.find(|change| change.figure == figure && has_moved(change))
    };
    let told = [
        find(Figure::P95).or(find(Figure::P50)),
        find(Figure::Failed),
    ];
    let told: Vec<_> = told.into_iter().flatten().map(in_words).collect();
    let name = subject.step.as_ref();
    let name = name.map_or_else(|| "whole chats".to_owned(), |step| format!("`{step}`"));
    (!told.is_empty()).then(|| format!("{name} {}", told.join(" and ")))
}

fn has_moved(change: &Change) -> bool {
    matches!(change.word, Word::Worse | Word::Better | Word::Unclear)
}

/// `became slower: p95 120 ms in the first quarter, 180 ms in the last (+50%, significant)`.
fn in_words(change: &Change) -> String {
    let verb = match (change.figure, change.word) {
        (Figure::Failed, Word::Better) => "failed less often",
        (Figure::Failed, Word::Worse) => "failed more often",
        (Figure::Failed, _) => "may have changed how often it fails",
        (_, Word::Better) => "became faster",
        _ => "became slower",
    };
    let (name, format): (_, fn(f64) -> String) = match change.figure {
        Figure::Failed => ("", percent),
        other => (other.as_str(), seconds),
    };
    let [first, last] = [change.before, change.after].map(Option::unwrap_or_default);
    let space = if name.is_empty() { "" } else { " " };
    let mut notes = Vec::new();
    if change.figure != Figure::Failed {
        notes.extend(change.change.map(signed_percent));
    }
    notes.push(match change.word {
        Word::Unclear => change.word.as_str().to_owned(),
        _ => "significant".to_owned(),
    });
    format!(
        "{verb}: {name}{space}{} in the first quarter, {} in the last ({})",
        format(first),
        format(last),
        notes.join(", ")
    )
}
