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
    /// The difference in failures is statistically significant if chats are independent of each other, and no larger
    /// than the seconds of one run may differ from each other.
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

#[cfg(test)]
mod tests {
    use super::{
        super::{Method, SubjectKind},
        *,
    };
    use crate::{event::Verdict, runner::RunState};

    fn compared(verdict: Option<Verdict>) -> Compared {
        Compared {
            id: "0123".to_owned(),
            name: "nightly".to_owned(),
            load: "{ chats: 1 }".to_owned(),
            started_at: "2026-01-02T03:04:05Z".to_owned(),
            state: RunState::Ended,
            verdict,
            passed: 9,
            failed: 1,
        }
    }

    /// A subject whose median and failures have these words.
    fn subject(step: Option<&str>, median: Word, failed: Word) -> SubjectComparison {
        let change = |figure: Figure, word: Word| Change {
            figure,
            before: Some(0.5),
            before_count: 100,
            after: Some(0.5),
            after_count: 100,
            change: Some(0.0),
            interval: Some([0.0, 0.0]),
            p: Some(1.0),
            method: Some(Method::Batches),
            word,
        };
        SubjectComparison {
            subject: step.map_or(SubjectKind::Chats, |_| SubjectKind::Step),
            step: step.map(str::to_owned),
            changes: vec![change(Figure::P50, median), change(Figure::Failed, failed)],
        }
    }

    #[test]
    fn changes_come_before_verdicts_and_those_before_their_absence() {
        let (passed, failed) = (Some(Verdict::Passed), Some(Verdict::Failed));
        let of = |median: Word, failures: Word, now: Option<Verdict>| {
            let subjects = [
                subject(None, median, failures),
                subject(Some("ask"), Word::Noise, Word::Noise),
            ];
            let baselines = [compared(passed), compared(passed)];
            Overall::of(&baselines, &compared(now), &subjects)
        };
        for (median, failures, overall) in [
            (Word::Worse, Word::Noise, Overall::Worse),
            (Word::Noise, Word::Better, Overall::Better),
            (Word::Better, Word::Worse, Overall::Mixed),
            (Word::Worse, Word::RunToRun, Overall::Worse),
            (Word::RunToRun, Word::Unclear, Overall::RunToRun),
            (Word::Noise, Word::Unclear, Overall::Unclear),
            (Word::TooLittle, Word::Unclear, Overall::Unclear),
        ] {
            for now in [passed, failed] {
                assert_eq!(
                    of(median, failures, now),
                    overall,
                    "{median:?} {failures:?}"
                );
            }
        }
        // What a step has does not say that of whole chats enough was measured.
        for (median, failures, overall) in [
            (Word::Noise, Word::Noise, Overall::Unchanged),
            (Word::TooLittle, Word::Noise, Overall::TooShort),
            (Word::Noise, Word::TooLittle, Overall::TooShort),
        ] {
            assert_eq!(of(median, failures, passed), overall);
            assert_eq!(of(median, failures, None), overall);
            assert_eq!(of(median, failures, failed), Overall::VerdictChanged);
        }
    }

    #[test]
    fn a_verdict_that_a_baseline_has_is_no_other_one() {
        let verdicts = [Verdict::Passed, Verdict::Failed].map(|verdict| compared(Some(verdict)));
        let subjects = [subject(None, Word::Noise, Word::Noise)];
        for run in &verdicts {
            let found = Overall::of(&verdicts, run, &subjects);
            assert_eq!(found, Overall::Unchanged);
        }
    }

    #[test]
    fn why_nothing_is_comparable_is_told() {
        let [invalid, passed] =
            [Verdict::Invalid, Verdict::Passed].map(|verdict| compared(Some(verdict)));
        let told = |run: &Compared| headline(Overall::NotComparable, &[], run, &[]);
        assert!(told(&invalid).contains("The figures of an invalid run"));
        assert!(told(&passed).contains("Every baseline"));
    }
}
