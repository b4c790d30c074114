//! Why what differs between runs may not be due to the target, in words.

use std::{collections::HashSet, fmt::Write as _};

use super::contrast::ENOUGH_RUNS;
use crate::{
    event::Verdict,
    runner::{RunReport, RunState},
};

/// Steps that a caveat names.
const MOST_LISTED: usize = 8;

/// The steps of some runs that none of the others has, each once.
pub(super) fn steps_only_in(ones: &[&RunReport], others: &[&RunReport]) -> Vec<String> {
    let steps = |runs: &[&RunReport]| -> Vec<String> {
        let steps = runs.iter().flat_map(|run| &run.steps);
        steps.map(|step| step.step.clone()).collect()
    };
    let mut known: HashSet<_> = steps(others).into_iter().collect();
    let mut only = steps(ones);
    only.retain(|step| known.insert(step.clone()));
    only
}

/// What else is different, or wrong with one of the runs.
pub(super) fn caveats(
    baselines: &[&RunReport],
    left_out: &[&RunReport],
    run: &RunReport,
) -> Vec<String> {
    let mut caveats = Vec::new();
    for baseline in left_out {
        caveats.push(format!(
            "the baseline {} is left out: its verdict is `{}`",
            baseline.id,
            baseline.verdict.map_or("", Verdict::as_str)
        ));
    }
    for baseline in baselines {
        let name = named(baseline, baselines);
        caveats.extend(differences(baseline, run, &name));
    }
    for (which, ones, others) in [
        (plural(baselines), baselines, &[run][..]),
        ("run has", &[run][..], baselines),
    ] {
        let steps = steps_only_in(ones, others);
        if !steps.is_empty() {
            let steps = listed(&steps);
            caveats.push(format!("only the {which} the steps {steps}"));
        }
    }
    for baseline in baselines {
        let name = named(baseline, baselines);
        caveats.extend(configurations(baseline, run, &name));
    }
    for baseline in baselines {
        caveats.extend(conditions(baseline, &named(baseline, baselines)));
    }
    caveats.extend(conditions(run, "run"));
    if (2..ENOUGH_RUNS).contains(&baselines.len()) {
        caveats.push(format!(
            "{} baselines tell little about how much runs differ from each other: of latencies only very large changes are found, and failures that the baselines have alike are judged by what varies within a run; give {ENOUGH_RUNS} or more",
            baselines.len()
        ));
    }
    caveats
}

/// The baseline, by its id if there are several.
fn named(baseline: &RunReport, baselines: &[&RunReport]) -> String {
    if baselines.len() > 1 {
        format!("baseline {}", baseline.id)
    } else {
        "baseline".to_owned()
    }
}

fn plural(baselines: &[&RunReport]) -> &'static str {
    if baselines.len() > 1 {
        "baselines have"
    } else {
        "baseline has"
    }
}

/// What was asked for otherwise.
fn differences(baseline: &RunReport, run: &RunReport, name: &str) -> Vec<String> {
    let asked = [
        ("scenario", &baseline.scenario, &run.scenario),
        ("target", &baseline.target, &run.target),
        ("load", &baseline.load, &run.load),
    ];
    let of = of(name);
    let mut found: Vec<_> = asked
        .iter()
        .filter(|(_, before, after)| before != after)
        .map(|(what, before, after)| {
            format!("the {what}{of} differs: `{before}` before, `{after}` now")
        })
        .collect();
    if baseline.inputs != run.inputs {
        let (before, after) = (&baseline.inputs, &run.inputs);
        found.push(format!(
            "the inputs{of} differ: {before} before, {after} now"
        ));
    }
    found
}

/// Without a configuration there is nothing that could differ.
fn configurations(baseline: &RunReport, run: &RunReport, name: &str) -> Option<String> {
    let before = baseline.configuration.as_ref()?;
    let after = run
        .configuration
        .as_ref()
        .filter(|after| *after != before)?;
    let of = of(name);
    Some(format!(
        "the configuration{of} differs: its fingerprint was `{before}` before and is `{after}` now"
    ))
}

/// Of which one, if there are several.
fn of(name: &str) -> String {
    match name {
        "baseline" => String::new(),
        several => format!(" of {several}"),
    }
}

fn conditions(report: &RunReport, which: &str) -> Vec<String> {
    let mut found = Vec::new();
    match report.state {
        RunState::Ended => {}
        RunState::Interrupted => found.push(format!(
            "the {which} was interrupted: its figures are those of the seconds that were kept"
        )),
        _ => found.push(format!("the {which} is still in progress")),
    }
    if let Some(verdict @ (Verdict::Invalid | Verdict::Stopped)) = report.verdict {
        found.push(format!(
            "the verdict of the {which} is `{}`",
            verdict.as_str()
        ));
    }
    if let Some(change) = &report.load_changed_to {
        found.push(format!("the load of the {which} was changed to `{change}`"));
    }
    found
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
