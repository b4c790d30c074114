//! What changed about one figure, and in which words that is told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    CONFIDENCE, Figure, Method,
    contrast::{Contrast, Evidence},
    holm::Holm,
};
use crate::report::wording::{or_dash, percent, seconds, signed_percent};

/// What changed about one figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Which one.
    pub figure: Figure,
    /// What it was in the baseline: seconds, or a share from 0 to 1. Of several baselines the geometric mean of
    /// latencies, and the share over all of them.
    pub before: Option<f64>,
    /// How often that was measured.
    pub before_count: u64,
    /// What it is in the run.
    pub after: Option<f64>,
    /// How often that was measured.
    pub after_count: u64,
    /// The change of a latency as a part of what it was, 0.2 for 20 % more; the difference of a share.
    pub change: Option<f64>,
    /// The interval in which the change lies, both ends in the unit of `change`, at the level at which the figure was
    /// judged, which is at least `confidence`. It reaches to zero unless the figure is worse or better. That of a
    /// share is within -1 and 1.
    pub interval: Option<[f64; 2]>,
    /// How probable so large a difference is by chance, adjusted for the number of figures (Holm; latencies and
    /// shares are a family each, which errs half as often): worse or better
    /// if it is at most 1 - `confidence`.
    pub p: Option<f64>,
    /// How that was computed; null where nothing can be said.
    pub method: Option<Method>,
    /// What to make of it.
    pub word: Word,
}

/// What to make of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It rose, by more than noise.
    Worse,
    /// It fell, by more than noise.
    Better,
    /// It changed by more than what varies within the runs, and by no more than runs may differ from each other,
    /// as far as the baselines tell.
    RunToRun,
    /// The difference in failures is statistically significant if chats are independent of each other, and no larger
    /// than the seconds of one run may differ from each other.
    Unclear,
    /// It is no larger than the random variation between runs of the same.
    Noise,
    /// Too little was measured for a word.
    TooLittle,
}

impl Word {
    pub(super) const ALL: [Self; 6] = [
        Self::Worse,
        Self::Better,
        Self::RunToRun,
        Self::Unclear,
        Self::Noise,
        Self::TooLittle,
    ];

    /// The word as people read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::RunToRun => "unclear: runs may differ by as much",
            Self::Unclear => "unclear: seconds may differ by as much",
            Self::Noise => "no more than noise",
            Self::TooLittle => "too little measured",
        }
    }
}

/// The tests of a comparison. Those of shares are a family of their own: there are four times as many of latencies,
/// for which a rise of failures would have to be larger.
pub(super) struct Tests {
    latencies: Family,
    shares: Family,
}

/// Tests that are adjusted for each other: by all chance that is known of, by what varies within the runs alone, and
/// by counts alone.
struct Family {
    all: Holm,
    within: Holm,
    exact: Holm,
}

impl Tests {
    pub(super) fn of(contrasts: &[&Contrast]) -> Self {
        let of = |is_share: bool| -> Vec<_> {
            let figures = contrasts.iter();
            let figures = figures.filter(|it| it.figure.is_share() == is_share);
            let tests = figures.filter_map(|contrast| contrast.evidence.as_ref());
            tests.filter(|evidence| evidence.is_test).collect()
        };
        let (latencies, shares) = (of(false), of(true));
        // Each errs half as often as both together; one alone has all of it.
        let both = !latencies.is_empty() && !shares.is_empty();
        let part = if both { 0.5 } else { 1.0 };
        Self {
            latencies: Family::of(&latencies, part),
            shares: Family::of(&shares, part),
        }
    }

    fn family(&self, figure: Figure) -> &Family {
        if figure.is_share() {
            &self.shares
        } else {
            &self.latencies
        }
    }
}

impl Family {
    fn of(tests: &[&Evidence], part: f64) -> Self {
        let error = 1.0 - CONFIDENCE;
        let by = |p: fn(&Evidence) -> Option<f64>| {
            Holm::new(tests.iter().filter_map(|test| p(test)), error, part)
        };
        Self {
            all: by(|test| Some(test.p)),
            within: by(|test| test.p_within),
            exact: by(|test| test.p_exact),
        }
    }

    /// What a change comes to that is enough for a word if nothing is found.
    fn word(&self, change: f64, test: Option<&Evidence>, is_enough: bool) -> Word {
        let finds = |tests: &Holm, p: fn(&Evidence) -> Option<f64>| {
            test.and_then(p).is_some_and(|p| tests.finds(p))
        };
        if finds(&self.all, |test| Some(test.p)) {
            if change > 0.0 {
                Word::Worse
            } else {
                Word::Better
            }
        } else if finds(&self.within, |test| test.p_within) {
            Word::RunToRun
        } else if finds(&self.exact, |test| test.p_exact) {
            Word::Unclear
        } else if is_enough {
            Word::Noise
        } else {
            Word::TooLittle
        }
    }
}

impl Change {
    pub(super) fn of(contrast: &Contrast, tests: &Tests) -> Self {
        let evidence = contrast.evidence.as_ref();
        let tests = tests.family(contrast.figure);
        let level = tests.all.level(evidence.map_or(1.0, |evidence| evidence.p));
        let interval = evidence.and_then(|evidence| evidence.interval(level));
        let change = contrast.change.filter(|_| evidence.is_some());
        let word = change.map_or(Word::TooLittle, |change| {
            tests.word(change, evidence, contrast.is_enough)
        });
        Self {
            figure: contrast.figure,
            before: contrast.before.value,
            before_count: contrast.before.count,
            after: contrast.after.value,
            after_count: contrast.after.count,
            change: contrast.change,
            // The test of a share and its interval are of different kinds; the test decides.
            interval: interval.map(|[from, to]| match word {
                Word::Worse => [from.max(0.0), to],
                Word::Better => [from, to.min(0.0)],
                _ => [from.min(0.0), to.max(0.0)],
            }),
            p: evidence.map(|evidence| tests.all.adjusted(evidence.p)),
            method: evidence.map(|evidence| evidence.method),
            word,
        }
    }

    /// The change as a part of what it was; infinite if there was nothing.
    pub fn relative(&self) -> Option<f64> {
        let (before, after) = self.before.zip(self.after)?;
        Some(after / before - 1.0)
    }

    /// For people: what it was before and is now.
    pub fn in_words(&self) -> String {
        let figure = |value: Option<f64>, count: u64| {
            or_dash(value.map(|value| {
                if self.figure.is_share() {
                    format!("{} of {count}", percent(value))
                } else {
                    seconds(value)
                }
            }))
        };
        let by = match self.relative() {
            Some(part) if part.is_finite() => signed_percent(part),
            _ => "from nothing".to_owned(),
        };
        format!(
            "{}: {} before, {} now: {by}",
            self.figure.as_str(),
            figure(self.before, self.before_count),
            figure(self.after, self.after_count)
        )
    }
}
