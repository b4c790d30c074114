//! A run held against several baselines.

use super::*;

const UNSTEADY: Target = Target {
    between_runs: 0.1,
    ..ORDINARY
};

fn series(target: Target, other: Target, baselines: usize) -> (Vec<RunRecord>, RunRecord) {
    let (mut before, after) = target.series(other, baselines, 1).next().unwrap();
    for (number, record) in before.iter_mut().enumerate() {
        record.report.id = format!("b{number}");
    }
    (before, after)
}

#[test]
fn what_differs_as_much_between_baselines_is_unclear_and_no_regression() {
    let slower = Target {
        median: 0.7,
        between_runs: 0.0,
        ..ORDINARY
    };
    let (before, after) = series(UNSTEADY, slower, 2);
    let comparison = held_against(&before, &after);
    let median = &comparison.subjects[1].changes[1];
    assert_eq!(
        (median.word, median.method),
        (Word::RunToRun, Some(Method::Runs))
    );
    let [from, to] = median.interval.unwrap();
    assert!(from < 0.0 && 0.0 < to, "{median:?}");
    assert_eq!(comparison.overall, Overall::RunToRun);
    assert_eq!(comparison.regressions(0.0), []);
    let one = compare(&before[0], &after);
    assert_eq!(one.subjects[1].changes[1].method, Some(Method::Batches));
}

#[test]
fn the_figures_before_are_those_of_all_baselines() {
    let (mut before, after) = series(STEADY, STEADY, 2);
    before[0].report.steps[0].latency.p50 = Some(0.2);
    before[1].report.steps[0].latency.p50 = Some(0.8);
    let comparison = held_against(&before, &after);
    let changes = &comparison.subjects[1].changes;
    assert!(
        (changes[1].before.unwrap() - 0.4).abs() < 1e-9,
        "the geometric mean"
    );
    let counts = before.iter().map(|record| &record.report.steps[0]);
    let failed: u64 = counts.clone().map(|step| step.failed).sum();
    let of: u64 = counts.map(|step| step.failed + step.latency.count).sum();
    assert_eq!(changes[4].before_count, of);
    let share = uncertainty::number(failed) / uncertainty::number(of);
    assert!((changes[4].before.unwrap() - share).abs() < 1e-9);
    let ids: Vec<_> = comparison
        .baselines
        .iter()
        .map(|run| run.id.as_str())
        .collect();
    assert_eq!(ids, ["b0", "b1"]);
    assert!(
        comparison.headline.contains("Before 2 runs (2 passed): "),
        "{}",
        comparison.headline
    );
}

#[test]
fn runs_without_batches_are_compared_if_there_are_several() {
    let short = |median: f64| Target {
        seconds: 10,
        rate: 20,
        median,
        between_runs: 0.01,
        ..STEADY
    };
    let (before, after) = series(short(0.5), short(1.0), 5);
    let comparison = held_against(&before, &after);
    let median = &comparison.subjects[1].changes[1];
    assert_eq!(
        (median.word, median.method),
        (Word::Worse, Some(Method::Runs)),
        "{median:?}"
    );
    let one = compare(&before[0], &after);
    assert_eq!(one.subjects[1].changes[1].word, Word::TooLittle);
    // Few of them can tell a change, and not that there is none.
    let (before, after) = series(short(0.5), short(0.5), 5);
    let median = |before| held_against(before, &after).subjects[0].changes[1].clone();
    assert_eq!(median(&before[..]).word, Word::Noise);
    let few = median(&before[..4]);
    assert_eq!(
        (few.word, few.method),
        (Word::TooLittle, Some(Method::Runs))
    );
    let few = held_against(&before[..4], &after);
    assert_eq!(few.overall, Overall::TooShort);
}

#[test]
fn failures_that_all_baselines_have_are_no_change_and_more_of_them_are() {
    let failing = |failing: f64| Target { failing, ..STEADY };
    let word = |before: f64, after: f64| {
        let (before, after) = series(failing(before), failing(after), 5);
        let comparison = held_against(&before, &after);
        let share = &comparison.subjects[0].changes[4];
        let [from, to] = share.interval.unwrap();
        assert!(from >= -1.0 && to <= 1.0, "{share:?}");
        share.word
    };
    assert_eq!(word(0.05, 0.05), Word::Noise);
    assert_eq!(word(0.0, 0.0), Word::Noise);
    assert_eq!(word(0.05, 0.3), Word::Worse);
    assert_eq!(word(0.3, 0.05), Word::Better);
}

#[test]
fn a_step_is_compared_with_the_baselines_that_have_it() {
    let (mut before, after) = series(STEADY, STEADY, 2);
    before[0].report.steps[0].step = "demand".to_owned();
    let comparison = held_against(&before, &after);
    assert_eq!(comparison.subjects.len(), 2);
    let median = &comparison.subjects[1].changes[1];
    assert_eq!(median.method, Some(Method::Batches), "one of them has it");
    assert_eq!(comparison.steps_gone, ["demand"]);
    assert_eq!(comparison.steps_added, Vec::<String>::new());
}

#[test]
fn caveats_name_the_baseline_and_few_of_them_are_one() {
    let (mut before, mut after) = series(STEADY, STEADY, 2);
    before[1].report.load = "{ chats: 1 }".to_owned();
    after.report.verdict = Some(Verdict::Passed);
    let told = held_against(&before, &after).caveats;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].starts_with("the load of baseline b1 differs: "),
        "{told:?}"
    );
    assert!(told[1].starts_with("2 baselines tell little"), "{told:?}");
    let (before, after) = series(STEADY, STEADY, 5);
    assert_eq!(held_against(&before, &after).caveats, Vec::<String>::new());
}

#[test]
fn baselines_that_say_nothing_are_left_out() {
    let (mut before, after) = series(STEADY, STEADY, 3);
    before[0].report.verdict = Some(Verdict::Invalid);
    before[2].report.verdict = Some(Verdict::Stopped);
    let comparison = held_against(&before, &after);
    let ids = |runs: &[Compared]| -> Vec<_> { runs.iter().map(|run| run.id.clone()).collect() };
    assert_eq!(ids(&comparison.baselines), ["b1"]);
    assert_eq!(ids(&comparison.left_out), ["b0", "b2"]);
    let alone = compare(&before[1], &after);
    assert_eq!(comparison.subjects, alone.subjects);
    assert_eq!(comparison.headline, alone.headline);
    assert_eq!(
        comparison.caveats,
        [
            "the baseline b0 is left out: its verdict is `invalid`",
            "the baseline b2 is left out: its verdict is `stopped`",
        ]
    );
    before[1].report.verdict = Some(Verdict::Stopped);
    let comparison = held_against(&before, &after);
    assert_eq!(comparison.overall, Overall::NotComparable);
    assert_eq!(
        (comparison.subjects.len(), comparison.left_out.len()),
        (0, 3)
    );
}

#[test]
fn what_two_baselines_agree_in_is_judged_by_what_varies_within() {
    let perfect = [run(4, 40, 0), run(4, 40, 0)];
    let comparison = held_against(&perfect, &run(20, 35, 165));
    assert_eq!(comparison.overall, Overall::Worse);
    assert!(!comparison.regressions(0.2).is_empty(), "{comparison:?}");
    let apart = [run(4, 40, 0), run(4, 20, 20)];
    let comparison = held_against(&apart, &run(20, 35, 165));
    assert_eq!(comparison.overall, Overall::RunToRun);
    assert_eq!(comparison.regressions(0.2), []);
}

#[test]
fn without_any_baseline_nothing_is_told() {
    let (_, after) = series(STEADY, STEADY, 1);
    let comparison = Comparison::of(&[], &after);
    assert_eq!(comparison.overall, Overall::TooShort);
    assert!(
        all(&comparison).all(|change| change.word == Word::TooLittle && change.before.is_none())
    );
}
