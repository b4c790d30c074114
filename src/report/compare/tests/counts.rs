//! Shares, in runs of any length, and the properties of every comparison.

use proptest::prelude::*;

use super::*;

fn failed(comparison: &Comparison) -> &Change {
    &comparison.subjects[0].changes[4]
}

#[test]
fn a_failed_run_and_a_short_one_that_passed_are_not_alike() {
    // 156 of 200 failed, and 44 of 200.
    for (passed, failures) in [(44, 156), (156, 44)] {
        let (before, after) = (run(5, 20, 0), run(20, passed, failures));
        let comparison = compare(&before, &after);
        let share = failed(&comparison);
        assert_eq!(share.word, Word::Worse, "{share:?}");
        assert_eq!((share.before_count, share.after_count), (20, 200));
        assert_eq!(comparison.overall, Overall::Worse);
        let [from, to] = share.interval.unwrap();
        assert!(0.0 <= from && to <= 1.0, "{share:?}");
        let counts = format!("{passed} of 200 chats passed");
        for says in [
            "Now failed: ",
            &counts,
            "Before passed: 20 of 20 chats passed",
        ] {
            assert!(
                comparison.headline.contains(says),
                "{}",
                comparison.headline
            );
        }
        let back = compare(&after, &before);
        assert_eq!(failed(&back).word, Word::Better);
        assert_eq!(back.overall, Overall::Better);
    }
}

#[test]
fn another_verdict_is_told_even_if_no_figure_is_known_to_have_changed() {
    let (before, after) = (run(5, 20, 0), run(5, 19, 1));
    let comparison = compare(&before, &after);
    assert_eq!(failed(&comparison).word, Word::Noise);
    assert_eq!(comparison.overall, Overall::VerdictChanged);
    let headline = &comparison.headline;
    assert!(headline.contains("Now failed: 19 of 20"), "{headline}");
    assert!(!headline.contains("Nothing changed"), "{headline}");
    let mut passed = after;
    passed.report.verdict = Some(Verdict::Passed);
    assert_eq!(compare(&before, &passed).overall, Overall::TooShort);
}

#[test]
fn too_short_is_not_unchanged() {
    let short = compare(&run(5, 20, 0), &run(5, 20, 0));
    assert_eq!(short.overall, Overall::TooShort);
    assert!(short.headline.starts_with("Too short to compare. "));
    let long = compare(&run(40, 2_000, 0), &run(40, 2_000, 0));
    assert_eq!(long.overall, Overall::Unchanged);
    assert!(
        long.headline
            .ends_with("Nothing changed by more than noise."),
        "{}",
        long.headline
    );
}

#[test]
fn of_few_chats_a_difference_is_told_and_its_absence_is_not() {
    let word = |before: (usize, u64), after: (usize, u64)| {
        let [before, after] = [before, after].map(|(passed, failed)| run(3, passed, failed));
        let comparison = compare(&before, &after);
        (failed(&comparison).word, failed(&comparison).method)
    };
    let exact = Some(Method::Exact);
    assert_eq!(word((10, 0), (0, 10)), (Word::Worse, exact));
    assert_eq!(word((10, 0), (9, 1)), (Word::TooLittle, exact));
    assert_eq!(word((0, 0), (9, 1)), (Word::TooLittle, None));
    assert_eq!(word((20, 0), (19, 1)), (Word::Noise, exact));
}

#[test]
fn the_interval_of_a_share_follows_the_test() {
    // Fisher's test finds a change, p = 0.0236, where Newcombe's interval reaches 1.4 points beyond zero.
    let (perfect, failing) = (run(3, 20, 0), run(3, 80, 20));
    let of = |before, after| {
        let share = failed(&compare(before, after)).clone();
        (share.word, share.interval.unwrap())
    };
    let (word, [from, to]) = of(&perfect, &failing);
    assert_eq!((word, from.total_cmp(&0.0).is_eq()), (Word::Worse, true));
    assert!(to > 0.2);
    let (word, [from, to]) = of(&failing, &perfect);
    assert_eq!(
        (word, to.abs().total_cmp(&0.0).is_eq()),
        (Word::Better, true)
    );
    assert!(from < -0.2);
}

#[test]
fn more_failures_are_found_and_the_first_few_are_not() {
    let failing = |failing: f64| Target { failing, ..STEADY };
    let word = |before: f64, after: f64| {
        let (before, after) = failing(before).pairs(failing(after), 1).next().unwrap();
        failed(&compare(&before, &after)).word
    };
    assert_eq!(word(0.0, 0.1), Word::Worse);
    assert_eq!(word(0.0, 1.0), Word::Worse);
    assert_eq!(word(0.1, 0.0), Word::Better);
    assert_eq!(word(0.0, 0.0), Word::Noise);
    assert_eq!(word(0.0, 0.002), Word::Noise);
}

#[test]
fn a_long_run_and_one_without_batches_are_compared_by_what_is_known_of_each() {
    let long = Target {
        failing_drift: 1.0,
        failing: 0.1,
        ..DRIFTING
    };
    let short = Target { seconds: 6, ..long };
    let count = 100;
    let mut wrong = 0;
    for (before, after) in long.pairs(short, count) {
        let comparison = compare(&before, &after);
        let share = failed(&comparison);
        assert_eq!(share.method, Some(Method::Batches));
        wrong += usize::from(matches!(share.word, Word::Worse | Word::Better));
    }
    assert!(share(wrong, count) <= 0.07, "{wrong}");
}

#[test]
fn where_nothing_failed_there_is_no_test_that_others_pay_for() {
    let slower = Target {
        median: 0.55,
        failing: 0.08,
        ..STEADY
    };
    let (before, after) = STEADY.pairs(slower, 1).next().unwrap();
    let steps = |failed: u64| -> Vec<_> {
        let failing = [&before, &after].map(|record| {
            let mut record = record.clone();
            for number in 0..30 {
                let mut step = record.report.steps[0].clone();
                step.step = format!("step-{number}");
                step.failed = failed;
                step.latency.count = 1;
                record.report.steps.push(step);
            }
            record
        });
        let comparison = compare(&failing[0], &failing[1]);
        all(&comparison).filter_map(|change| change.p).collect()
    };
    let alone: Vec<_> = all(&compare(&before, &after))
        .filter_map(|change| change.p)
        .collect();
    assert_eq!(steps(0)[..alone.len()], alone[..]);
    let failing = steps(1);
    assert!(
        failing.iter().zip(&alone).any(|(more, few)| more > few),
        "{failing:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_interval_holds_the_change_and_a_swap_turns_it_around(
        seed in 0_u64..1_000_000,
        seconds in 1_usize..40,
        rate in 1_usize..40,
        slower in 0.5_f64..2.0,
        failing in 0.0_f64..0.5,
    ) {
        let before = Target { seconds, rate, ..DRIFTING };
        let after = Target { median: before.median * slower, failing, ..before };
        let mut random = fastrand::Rng::with_seed(seed);
        let (before, after) = (before.run(&mut random), after.run(&mut random));
        let (there, back) = (compare(&before, &after), compare(&after, &before));
        for (change, turned) in all(&there).zip(all(&back)) {
            let word = match change.word {
                Word::Worse => Word::Better,
                Word::Better => Word::Worse,
                same => same,
            };
            prop_assert_eq!(turned.word, word, "{:?} {:?}", change, turned);
            prop_assert_eq!(change.p.is_some(), turned.p.is_some());
            let Some(((p, other), moved)) = change.p.zip(turned.p).zip(change.change) else {
                continue;
            };
            prop_assert!((0.0..=1.0).contains(&p) && (p - other).abs() < 1e-9, "{} {}", p, other);
            let ([from, to], [back_from, back_to]) =
                (change.interval.unwrap(), turned.interval.unwrap());
            prop_assert!(from <= moved && moved <= to, "{:?}", change);
            prop_assert!(from >= -1.0, "{:?}", change);
            if change.figure == Figure::Failed {
                prop_assert!(to <= 1.0, "{:?}", change);
                prop_assert!((from + back_to).abs() < 1e-9 && (to + back_from).abs() < 1e-9);
            } else {
                let ratio = (1.0 + from) * (1.0 + back_to);
                prop_assert!((ratio - 1.0).abs() < 1e-6, "{:?} {:?}", change, turned);
            }
            let found = matches!(change.word, Word::Worse | Word::Better);
            prop_assert!(found || (from <= 0.0 && to >= 0.0), "{:?}", change);
            prop_assert!(!found || from >= 0.0 || to <= 0.0, "{:?}", change);
            // One baseline cannot tell how much runs differ.
            prop_assert!(change.word != Word::RunToRun);
            prop_assert_eq!(found, p <= 1.0 - CONFIDENCE, "{:?}", change);
        }
    }
}
