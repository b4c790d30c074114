//! What a comparison comes to, in a few words: verdicts, how many chats passed, and what changed.

use std::slice;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Change, Compared, Figure, SubjectComparison, Word};
use crate::report::wording::percent;

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overall {
    /// Some figure is worse, and none better.
    Worse,
    /// Some figure is better, and none worse.
    Better,
    /// Some figures are worse and others better.
    Mixed,
    /// Some figure changed by more than what varies within the runs; the baselines cannot tell whether runs
    /// differ by as much.
    RunToRun,
    /// Failures differ by more than chance makes of independent chats, and by no more than the seconds of a run may
    /// differ from each other.
    Unclear,
    /// The verdict is none that a baseline has, though no figure is known to have changed.
    VerdictChanged,
    /// Nothing changed by more than noise, and of whole chats enough was measured to see it.
    Unchanged,
    /// Too little was measured to see whether something changed.
    TooShort,
    /// The run is invalid, or no baseline is left that is neither invalid nor stopped: figures of such runs say
    /// nothing about the target.
    NotComparable,
}

impl Overall {
    /// What the changes come to; those of whole chats are the first.
    pub(super) fn of(
        baselines: &[Compared],
        run: &Compared,
        subjects: &[SubjectComparison],
    ) -> Self {
        let has = |word| changes(subjects).any(|change| change.word == word);
        match (has(Word::Worse), has(Word::Better)) {
            (true, true) => return Self::Mixed,
            (true, false) => return Self::Worse,
            (false, true) => return Self::Better,
            (false, false) => {}
        }
        let chats = subjects.iter().take(1).flat_map(|chats| &chats.changes);
        let judged = |figure: Figure| {
            let mut figures = chats.clone();
            figures.any(|change| change.figure == figure && change.word == Word::Noise)
        };
        if has(Word::RunToRun) {
            Self::RunToRun
        } else if has(Word::Unclear) {
            Self::Unclear
        } else if verdict_changed(baselines, run) {
            Self::VerdictChanged
        } else if judged(Figure::P50) && judged(Figure::Failed) {
            Self::Unchanged
        } else {
            Self::TooShort
        }
    }

    /// As people read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Worse => "Worse",
            Self::Better => "Better",
            Self::Mixed => "Worse in part, better in part",
            Self::RunToRun => "Unclear: runs may differ by as much",
            Self::Unclear => "Unclear: seconds may differ by as much",
            Self::VerdictChanged => "Another verdict",
            Self::Unchanged => "Unchanged",
            Self::TooShort => "Too short to compare",
            Self::NotComparable => "Not comparable",
        }
    }
}

fn changes(subjects: &[SubjectComparison]) -> impl Iterator<Item = &Change> {
    subjects.iter().flat_map(|subject| &subject.changes)
}

fn verdict_changed(baselines: &[Compared], run: &Compared) -> bool {
    let mut before = baselines.iter().filter_map(|baseline| baseline.verdict);
    run.verdict.is_some_and(|now| {
        let first = before.next();
        first.is_some_and(|first| first != now) && before.all(|verdict| verdict != now)
    })
}

/// The verdicts, how many chats passed, and how many figures changed.
pub(super) fn headline(
    overall: Overall,
    baselines: &[Compared],
    run: &Compared,
    subjects: &[SubjectComparison],
) -> String {
    if overall == Overall::NotComparable {
        let now = run.outcome();
        let passed = passed(slice::from_ref(run));
        let why = if run.says_nothing() {
            "The figures of an invalid run say nothing about the target."
        } else {
            "Every baseline is invalid or was stopped."
        };
        return format!("{}. Now {now}: {passed}. {why}", overall.as_str());
    }
    format!(
        "{}. Now {}: {}. Before {}: {}. {}",
        overall.as_str(),
        run.outcome(),
        passed(slice::from_ref(run)),
        outcomes(baselines),
        passed(baselines),
        figures(overall, subjects)
    )
}

/// What the baselines came to.
fn outcomes(baselines: &[Compared]) -> String {
    let [one] = baselines else {
        let counted = |outcome: &str| {
            let runs = baselines.iter().filter(|run| run.outcome() == outcome);
            (runs.count(), outcome.to_owned())
        };
        let mut known: Vec<_> = baselines.iter().map(Compared::outcome).collect();
        known.sort_unstable();
        known.dedup();
        let counts = known.iter().map(|outcome| counted(outcome));
        let counts = counts.map(|(count, outcome)| format!("{count} {outcome}"));
        let counts = counts.collect::<Vec<_>>().join(", ");
        return format!("{} runs ({counts})", baselines.len());
    };
    one.outcome().to_owned()
}

/// How many chats passed of those that ended by themselves.
fn passed(runs: &[Compared]) -> String {
    let total = |of: fn(&Compared) -> u64| runs.iter().map(of).fold(0, u64::saturating_add);
    let passed = total(|run| run.passed);
    let of = passed.saturating_add(total(|run| run.failed));
    if of == 0 {
        return "no chat passed or failed".to_owned();
    }
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    let share = passed as f64 / of as f64;
    format!("{passed} of {of} chats passed ({})", percent(share))
}

/// How many figures have which word.
fn figures(overall: Overall, subjects: &[SubjectComparison]) -> String {
    let count = |word: Word| {
        changes(subjects)
            .filter(|change| change.word == word)
            .count()
    };
    let all = changes(subjects).count();
    if overall == Overall::Unchanged && count(Word::TooLittle) == 0 {
        return "Nothing changed by more than noise.".to_owned();
    }
    let counts = Word::ALL.map(|word| (count(word), word.as_str()));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    format!("Of {all} figures: {}.", counts.join(", "))
}
