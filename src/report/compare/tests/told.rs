//! What is told of a comparison besides its figures.

use super::*;

#[test]
fn of_too_little_nothing_is_said() {
    let few = Target {
        rate: 1,
        seconds: 15,
        ..STEADY
    };
    let short = Target {
        rate: 100,
        seconds: 11,
        ..STEADY
    };
    for target in [few, short] {
        let (before, after) = target.pairs(target, 1).next().unwrap();
        let comparison = compare(&before, &after);
        let is_latency = |change: &&Change| change.figure != Figure::Failed;
        for change in all(&comparison).filter(is_latency) {
            assert_eq!((change.word, change.interval), (Word::TooLittle, None));
            assert!(change.before.is_some() && change.change.is_some());
        }
        assert_eq!(comparison.overall, Overall::TooShort);
    }
    let nothing = record(&vec![Second::default(); 40]);
    let comparison = compare(&nothing, &nothing);
    for change in all(&comparison) {
        assert_eq!(
            (change.word, change.before, change.change),
            (Word::TooLittle, None, None)
        );
    }
}

#[test]
fn a_regression_is_worse_by_more_than_the_limit_and_than_noise() {
    let worse = Target {
        median: 0.75,
        ..STEADY
    };
    let (before, after) = STEADY.pairs(worse, 1).next().unwrap();
    let comparison = compare(&before, &after);
    let told = |limit: f64| -> Vec<_> {
        let regressions = comparison.regressions(limit);
        regressions
            .iter()
            .map(|regression| (regression.subject.step.as_deref(), regression.change.figure))
            .collect()
    };
    let found = told(0.2);
    assert!(found.contains(&(None, Figure::P50)), "{found:?}");
    assert!(found.contains(&(Some("ask"), Figure::Mean)), "{found:?}");
    assert!(!found.iter().any(|(_, figure)| *figure == Figure::Failed));
    assert_eq!(told(1.0), []);
    assert_eq!(compare(&after, &before).regressions(0.0), []);
    assert_eq!(compare(&before, &before).regressions(0.0), []);
}

#[test]
fn what_else_differs_is_said() {
    let (before, mut after) = STEADY.pairs(STEADY, 1).next().unwrap();
    assert_eq!(compare(&before, &after).caveats, Vec::<String>::new());
    after.report.load = "{ chats: 1 }".to_owned();
    after.report.verdict = Some(Verdict::Invalid);
    after.report.inputs = serde_json::json!({ "name": "Ada" });
    assert_eq!(
        compare(&before, &after).caveats,
        [
            "the load differs: `{ rate: 10/s, for: 1m }` before, `{ chats: 1 }` now",
            "the inputs differ: {} before, {\"name\":\"Ada\"} now",
            "the verdict of the run is `invalid`",
        ]
    );
}

#[test]
fn an_invalid_run_is_not_compared() {
    let (before, mut after) = (run(20, 200, 0), run(20, 100, 100));
    assert_eq!(compare(&before, &after).overall, Overall::Worse);
    after.report.verdict = Some(Verdict::Invalid);
    after.report.steps[0].step = "demand".to_owned();
    let comparison = compare(&before, &after);
    assert_eq!(comparison.overall, Overall::NotComparable);
    assert_eq!(
        (comparison.subjects.len(), comparison.baselines.len()),
        (0, 1)
    );
    let starts = "Not comparable. Now invalid: 100 of 200 chats passed";
    assert!(
        comparison.headline.starts_with(starts),
        "{}",
        comparison.headline
    );
    let baseline = BaselineCheck::new(&[&before], &after, Some(0.0));
    assert_eq!(baseline.regressions(), Vec::<String>::new());
    let mut stopped = before.clone();
    stopped.report.verdict = Some(Verdict::Stopped);
    assert_ne!(compare(&before, &stopped).overall, Overall::NotComparable);
}

#[test]
fn a_comparison_needs_no_more_than_the_report_and_the_batches() {
    let (before, after) = STEADY.pairs(STEADY, 1).next().unwrap();
    let [less, than] = [&before, &after].map(|record| record.clone().for_comparison());
    assert_eq!(compare(&less, &than), compare(&before, &after));
    assert!(less.samples.is_empty() && less.size() < before.size());
    let json = serde_json::to_vec(&before).unwrap();
    let read = RunRecord::read_for_comparison(&*json).unwrap();
    assert_eq!(compare(&read, &than), compare(&before, &after));
    assert_eq!(read.size(), less.size(), "the rest is passed over");
}

#[test]
fn steps_that_only_one_of_them_has_are_named_and_so_is_another_configuration() {
    let (mut before, mut after) = STEADY.pairs(STEADY, 1).next().unwrap();
    let step = after.report.steps[0].clone();
    let named = |number: usize| {
        let mut step = step.clone();
        step.step = format!("step-{number}");
        step
    };
    after.report.steps = (0..11).map(named).collect();
    after.report.configuration = Some("1".to_owned());
    let comparison = compare(&before, &after);
    assert_eq!(comparison.subjects.len(), 1, "what both have");
    assert_eq!(comparison.steps_gone, ["ask"]);
    assert_eq!(comparison.steps_added.len(), 11);
    let many =
        "`step-0`, `step-1`, `step-2`, `step-3`, `step-4`, `step-5`, `step-6`, `step-7` and 3 more";
    let [gone, added] = &*comparison.caveats else {
        panic!("{:?}", comparison.caveats)
    };
    assert_eq!(gone, "only the baseline has the steps `ask`");
    assert_eq!(added, &format!("only the run has the steps {many}"));
    before.report.configuration = Some("2".to_owned());
    let told = compare(&before, &after).caveats;
    assert_eq!(
        told[2],
        "the configuration differs: its fingerprint was `2` before and is `1` now"
    );
}
