//! What changed over a run, and since earlier ones.

use std::fmt::Write as _;

use crate::{
    report::{BaselineCheck, Compared, Drift, NotJudged, Overall, Word},
    runner::RunRecord,
};

/// What became slower or failed more often over a run that is long enough for it.
pub(super) fn write_drift(text: &mut String, record: &RunRecord) -> std::fmt::Result {
    let drift = Drift::of(record);
    match drift.not_judged {
        Some(NotJudged::TooShort | NotJudged::Search | NotJudged::Probe) => Ok(()),
        _ => write!(text, "\ndrift: {}", drift.summary),
    }
}

/// What changed since earlier runs, and what of it is more than is allowed.
pub(super) fn write_baseline(text: &mut String, baseline: &BaselineCheck) -> std::fmt::Result {
    let compared = &baseline.comparison;
    write!(text, "\ncompared: {}", compared.headline)?;
    for caveat in &compared.caveats {
        write!(text, "\ncompared with care: {caveat}")?;
    }
    let subjects = compared.subjects.iter();
    let changes = subjects.flat_map(|subject| {
        let of = subject.name("(whole chats)");
        subject.changes.iter().map(move |change| (of, change))
    });
    for (of, change) in changes {
        match change.word {
            Word::Worse | Word::Better => write!(text, "\n{of} {}", change.in_words())?,
            Word::RunToRun | Word::Unclear => write!(
                text,
                "\n{of} {} ({})",
                change.in_words(),
                change.word.as_str()
            )?,
            Word::Noise | Word::TooLittle => {}
        }
    }
    if compared.overall == Overall::NotComparable {
        return Ok(());
    }
    let (judged, of) = baseline.judged();
    write!(
        text,
        "\nbaseline: {}; enough was measured to judge {judged} of {of} figures",
        runs(&compared.baselines)
    )?;
    for regression in baseline.regressions() {
        write!(text, "\nFAILED against the baseline: {regression}")?;
    }
    Ok(())
}

/// The ids of runs.
fn runs(runs: &[Compared]) -> String {
    let ids: Vec<_> = runs.iter().map(|run| run.id.as_str()).collect();
    let word = if ids.len() == 1 { "run" } else { "runs" };
    format!("{word} {}", ids.join(", "))
}
