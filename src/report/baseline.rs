use super::{Comparison, Overall, Regression, Word, wording};
use crate::runner::RunRecord;

/// One or more earlier runs that a run is held against.
#[derive(Debug, Clone)]
pub struct BaselineCheck {
    /// What changed since.
    pub comparison: Comparison,
    /// By what part of what it was a figure may become worse; `None` if by any.
    pub limit: Option<f64>,
}

impl BaselineCheck {
    /// Holds `run` against `baselines`.
    pub fn new(baselines: &[&RunRecord], run: &RunRecord, limit: Option<f64>) -> Self {
        Self {
            comparison: Comparison::of(baselines, run),
            limit,
        }
    }

    /// What became worse by more than the limit, and by more than noise, and what cannot be told because its
    /// step is gone, in words.
    pub fn regressions(&self) -> Vec<String> {
        let Some(limit) = self.limit else {
            return Vec::new();
        };
        if self.comparison.overall == Overall::NotComparable {
            return Vec::new();
        }
        let found = self.comparison.regressions(limit);
        let words = found.iter().map(|regression| in_words(regression, limit));
        let gone = self.comparison.steps_gone.iter();
        let gone = gone
            .map(|step| format!("{step} is gone: a baseline has this step, and the run has not"));
        words.chain(gone).collect()
    }

    /// How many figures could be judged, and how many there are.
    pub fn judged(&self) -> (usize, usize) {
        let changes = || {
            let subjects = self.comparison.subjects.iter();
            subjects.flat_map(|subject| &subject.changes)
        };
        let judged = changes().filter(|change| change.word != Word::TooLittle);
        (judged.count(), changes().count())
    }
}

fn in_words(regression: &Regression<'_>, limit: f64) -> String {
    format!(
        "{} {}, where {} are allowed",
        regression.subject.name("whole chats"),
        regression.change.in_words(),
        wording::percent(limit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{Second, record};

    #[test]
    fn a_step_that_is_gone_fails_where_a_limit_is_set() {
        let before = record(&[Second::default()]);
        let mut after = before.clone();
        after.report.steps[0].step = "demand".to_owned();
        let told = BaselineCheck::new(&[&before], &after, Some(0.2)).regressions();
        assert_eq!(
            told,
            ["ask is gone: a baseline has this step, and the run has not"]
        );
        let told = BaselineCheck::new(&[&before], &after, None).regressions();
        assert_eq!(told, Vec::<String>::new());
        after.report.steps.push(before.report.steps[0].clone());
        let told = BaselineCheck::new(&[&before], &after, Some(0.2)).regressions();
        assert_eq!(told, Vec::<String>::new(), "one more");
    }
}
