//! How often a comparison errs, over many runs that were drawn at random with known figures.

use super::*;

/// Of each figure, how often two runs of the same target are called different at 5 %.
fn false_alarms(target: Target, count: u64) -> Vec<(Figure, f64)> {
    let mut alarms = [0; 4];
    for (one, other) in target.pairs(target, count) {
        let [before, after] = [&one, &other].map(|run| estimate::of_step(run, "ask").unwrap());
        for (at, contrast) in contrasts(&[before], &after).iter().enumerate() {
            let Some(evidence) = &contrast.evidence else {
                assert_eq!(
                    contrast.figure,
                    Figure::P99,
                    "of a thousand there are ten beyond"
                );
                continue;
            };
            assert_eq!(evidence.method, Method::Batches);
            assert!((0.0..=1.0).contains(&evidence.p), "{evidence:?}");
            alarms[at.min(3)] += usize::from(evidence.p <= 0.05);
        }
    }
    let told = [Figure::Mean, Figure::P50, Figure::P95, Figure::Failed];
    told.into_iter()
        .zip(alarms.map(|alarms| share(alarms, count)))
        .collect()
}

/// How often anything is called different that is alike.
fn any_false_alarms(target: Target, baselines: usize, count: u64) -> f64 {
    let compared = target.series(target, baselines, count);
    let wrong = compared.filter(|(before, after)| {
        let comparison = held_against(before, after);
        let differs = differs(&comparison);
        // Half of the figures rose, and that alone is no regression.
        assert!(differs || comparison.regressions(0.0).is_empty());
        differs
    });
    share(wrong.count(), count)
}

#[test]
fn runs_that_are_alike_are_called_different_as_often_as_is_said() {
    for (figure, share) in false_alarms(STEADY, 200) {
        // 5 % of 200, give or take what such a count varies by.
        assert!((0.005..0.09).contains(&share), "{figure:?}: {share}");
    }
}

#[test]
fn a_drift_over_seconds_is_not_taken_for_a_change() {
    for (figure, share) in false_alarms(DRIFTING, 200) {
        assert!((0.005..0.11).contains(&share), "{figure:?}: {share}");
    }
}

#[test]
fn nothing_at_all_is_called_different_in_most_comparisons_of_what_is_alike() {
    let short = Target {
        seconds: 8,
        failing: 0.2,
        ..STEADY
    };
    for target in [STEADY, DRIFTING, short] {
        let share = any_false_alarms(target, 1, 200);
        assert!(share <= 0.05, "{target:?}: {share}");
    }
}

#[test]
fn what_differs_from_run_to_run_is_not_taken_for_a_change_if_several_show_it() {
    let unsteady = Target {
        between_runs: 0.1,
        ..ORDINARY
    };
    // Of two that happen to agree, what varies within is all there is to judge by.
    for (baselines, most) in [(2, 0.2), (3, 0.05), (5, 0.05)] {
        let share = any_false_alarms(unsteady, baselines, 100);
        assert!(share <= most, "{baselines}: {share}");
    }
    let of_one = any_false_alarms(unsteady, 1, 100);
    assert!(of_one > 0.2, "one baseline cannot know: {of_one}");
}

#[test]
fn a_fifth_more_is_found_in_runs_of_ordinary_size_and_in_both_directions() {
    let slower = Target {
        median: ORDINARY.median * 1.2,
        ..ORDINARY
    };
    let count = 60;
    for (from, to, word) in [
        (ORDINARY, slower, Word::Worse),
        (slower, ORDINARY, Word::Better),
    ] {
        let mut found = [0; 2];
        for (before, after) in from.pairs(to, count) {
            let comparison = compare(&before, &after);
            let changes = &comparison.subjects[1].changes;
            found[0] += usize::from(changes[0].word == word);
            found[1] += usize::from(changes[1].word == word);
        }
        let found = found.map(|found| share(found, count));
        assert!(
            found.iter().all(|share| *share > 0.9),
            "{word:?}: {found:?}"
        );
    }
}

#[test]
fn a_share_that_doubled_is_found_with_batches_and_without() {
    let failing = |failing: f64| Target { failing, ..STEADY };
    let short = |failing: f64| Target {
        seconds: 8,
        rate: 60,
        failing,
        ..STEADY
    };
    for (from, to, method) in [
        (failing(0.08), failing(0.16), Method::Batches),
        (short(0.1), short(0.2), Method::Exact),
    ] {
        let count = 60;
        let mut found = 0;
        for (before, after) in from.pairs(to, count) {
            let comparison = compare(&before, &after);
            let failed = &comparison.subjects[0].changes[4];
            assert_eq!(failed.method, Some(method));
            found += usize::from(failed.word == Word::Worse);
        }
        let found = share(found, count);
        assert!(found > 0.9, "{method:?}: {found}");
    }
}

#[test]
fn half_as_much_again_is_found_with_five_baselines_that_differ() {
    let unsteady = Target {
        between_runs: 0.02,
        ..ORDINARY
    };
    let slower = Target {
        median: unsteady.median * 1.5,
        ..unsteady
    };
    let count = 40;
    let mut found = 0;
    for (before, after) in unsteady.series(slower, 5, count) {
        let comparison = held_against(&before, &after);
        let median = &comparison.subjects[1].changes[1];
        assert_eq!(median.method, Some(Method::Runs));
        found += usize::from(median.word == Word::Worse);
    }
    let found = share(found, count);
    assert!(found > 0.9, "{found}");
}

#[test]
fn the_interval_holds_the_change_that_there_is() {
    let slower = Target {
        median: STEADY.median * 1.2,
        failing: 0.1,
        ..STEADY
    };
    let count = 200;
    let mut hits = [0; 2];
    for (before, after) in STEADY.pairs(slower, count) {
        let comparison = compare(&before, &after);
        let changes = &comparison.subjects[1].changes;
        for (hit, (at, change)) in hits.iter_mut().zip([(1, 0.2), (4, 0.05)]) {
            let [from, to] = changes[at].interval.unwrap();
            *hit += usize::from((from..to).contains(&change));
        }
    }
    let hits = hits.map(|hits| share(hits, count));
    assert!(hits.iter().all(|share| *share > 0.95), "{hits:?}");
}
