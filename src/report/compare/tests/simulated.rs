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

/// With up to so many baselines a run is held against.
const BASELINES: usize = 5;

/// How many of so many comparisons call anything different that is alike, with one to five baselines.
fn any_false_alarms(target: Target, comparisons: u64) -> [u64; BASELINES] {
    let mut wrong = [0; BASELINES];
    for (before, after) in target.series(target, BASELINES, comparisons) {
        for (baselines, wrong) in (1..).zip(&mut wrong) {
            let comparison = held_against(&before[..baselines], &after);
            let differs = differs(&comparison);
            // Half of the figures rose, and that alone is no regression.
            assert!(differs || comparison.regressions(0.0).is_empty());
            *wrong += u64::from(differs);
        }
    }
    wrong
}

/// Draws comparisons of what is alike: from so many baselines on at most 5 % find something. `ci/long` draws 1,000, of
/// which as many do as `docs/reports.md` says.
fn is_kept(what: &str, target: Target, from: usize, documented: [u64; BASELINES]) {
    let percents = documented.map(|wrong| format!("{}.{}", wrong / 10, wrong % 10));
    let row = format!("\n| {what} | {} |\n", percents.join(" | "));
    let document = include_str!("../../../../docs/reports.md");
    assert!(document.contains(&row), "in the document: {row}");
    let comparisons = if is_long() { 1000 } else { 60 };
    let wrong = any_false_alarms(target, comparisons);
    let kept = &wrong[from - 1..];
    assert!(
        kept.iter().all(|wrong| wrong * 20 <= comparisons),
        "{what}: {wrong:?} of {comparisons}"
    );
    let is_as_documented = |(wrong, documented): (&u64, u64)| wrong.abs_diff(documented) <= 5;
    assert!(
        !is_long() || wrong.iter().zip(documented).all(is_as_documented),
        "{what}: {wrong:?} of {comparisons}"
    );
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

/// Nothing is called different in most comparisons of what is alike.
mod alike {
    use super::*;

    #[test]
    fn seconds_that_are_independent() {
        let target = STEADY;
        is_kept("independent seconds", target, 1, [6, 1, 1, 0, 0]);
    }

    #[test]
    fn seconds_that_depend_on_the_one_before() {
        let target = ORDINARY;
        is_kept(
            "latencies depend on the second before",
            target,
            1,
            [15, 1, 1, 0, 0],
        );
    }

    #[test]
    fn failures_that_depend_on_the_second_before() {
        let target = DRIFTING;
        is_kept(
            "latencies and failures depend on the second before",
            target,
            1,
            [24, 8, 2, 0, 1],
        );
    }

    #[test]
    fn eight_seconds_of_which_a_fifth_fails() {
        let target = Target {
            seconds: 8,
            failing: 0.2,
            ..STEADY
        };
        is_kept(
            "8 seconds, a fifth of the chats fails",
            target,
            1,
            [13, 8, 18, 21, 23],
        );
    }

    #[test]
    fn what_depends_on_the_second_before_in_short_runs_errs_with_one_baseline() {
        let target = Target {
            seconds: 20,
            ..DRIFTING
        };
        is_kept(
            "20 seconds, latencies and failures depend on the second before",
            target,
            2,
            [93, 16, 14, 9, 9],
        );
    }

    #[test]
    fn latencies_that_differ_a_little_from_run_to_run() {
        let target = Target {
            between_runs: 0.05,
            ..ORDINARY
        };
        is_kept(
            "latencies differ by 5 % from run to run",
            target,
            2,
            [198, 1, 1, 0, 1],
        );
    }

    #[test]
    fn latencies_that_differ_from_run_to_run() {
        let target = Target {
            between_runs: 0.1,
            ..ORDINARY
        };
        is_kept(
            "latencies differ by 10 % from run to run",
            target,
            2,
            [461, 1, 1, 0, 9],
        );
    }

    #[test]
    fn failures_that_differ_from_run_to_run() {
        let target = Target {
            failing_between_runs: 0.3,
            ..ORDINARY
        };
        is_kept(
            "failures differ by 30 % from run to run",
            target,
            3,
            [210, 63, 35, 22, 19],
        );
    }
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
fn the_more_baselines_there_are_the_smaller_a_change_of_latencies_is_found() {
    let unsteady = Target {
        between_runs: 0.02,
        ..ORDINARY
    };
    let count = 40;
    // Of two the degrees of freedom are so few that no change is more than noise.
    for (baselines, factor, word) in [
        (2, 10.0, Word::RunToRun),
        (3, 3.0, Word::Worse),
        (4, 2.0, Word::Worse),
        (5, 1.5, Word::Worse),
    ] {
        let slower = Target {
            median: unsteady.median * factor,
            ..unsteady
        };
        let mut found = 0;
        for (before, after) in unsteady.series(slower, baselines, count) {
            let comparison = held_against(&before, &after);
            let median = &comparison.subjects[1].changes[1];
            assert_eq!(median.method, Some(Method::Runs));
            found += usize::from(median.word == word);
        }
        let found = share(found, count);
        assert!(found > 0.9, "{baselines}: {found}");
    }
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
