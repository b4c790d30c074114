//! Large changes of failures in runs of every length, against one baseline and several.

use super::*;

const PERFECT: Target = Target {
    rate: 15,
    failing: 0.0,
    ..STEADY
};

/// The share of whole chats, and what all comes to.
fn words(before: &[RunRecord], after: &RunRecord) -> (Word, Overall) {
    let comparison = held_against(before, after);
    (comparison.subjects[0].changes[4].word, comparison.overall)
}

/// The same run with its step under so many names.
fn with_steps(mut record: RunRecord, count: usize) -> RunRecord {
    let step = record.report.steps[0].clone();
    let steps = (0..count).map(|number| {
        let mut step = step.clone();
        step.step = format!("step-{number}");
        step
    });
    record.report.steps = steps.collect();
    for batch in &mut record.batches {
        batch.steps = vec![batch.steps[0].clone(); count];
    }
    record
}

/// A few lengths in seconds, or every one in `ci/long`.
fn lengths() -> Vec<usize> {
    if is_long() {
        (10..70).collect()
    } else {
        vec![10, 12, 14, 18, 24, 33]
    }
}

#[test]
fn a_large_rise_of_failures_is_found_in_runs_of_every_length_and_with_many_steps() {
    for seconds in lengths() {
        for (failing, seed) in [(0.22, 1), (0.22, 2), (0.8, 3)] {
            let mut random = fastrand::Rng::with_seed(seed);
            let before = Target { seconds, ..PERFECT };
            let after = Target { failing, ..before };
            let [before, after] = [before, after].map(|it| with_steps(it.run(&mut random), 12));
            let found = words(&[before], &after);
            assert_eq!(
                found,
                (Word::Worse, Overall::Worse),
                "{seconds} s: {failing}"
            );
        }
    }
}

#[test]
fn one_more_perfect_baseline_takes_nothing_away() {
    for seconds in [4, 14, 24] {
        let perfect = vec![run(seconds, 10 * seconds, 0); 5];
        for (passed, failed) in [(156, 44), (40, 160)] {
            let after = run(20, passed, failed);
            for baselines in 1..=5 {
                let found = words(&perfect[..baselines], &after);
                assert_eq!(
                    found,
                    (Word::Worse, Overall::Worse),
                    "{baselines} of {seconds} s: {failed} failed"
                );
            }
        }
    }
}

#[test]
fn what_is_no_chance_of_independent_chats_is_never_noise() {
    let drifting = Target {
        failing: 0.22,
        failing_drift: 1.0,
        correlation: 0.9,
        ..PERFECT
    };
    for seconds in lengths() {
        for seed in 0..3 {
            let mut random = fastrand::Rng::with_seed(seed);
            let before = Target { seconds, ..PERFECT }.run(&mut random);
            let after = Target {
                seconds,
                ..drifting
            }
            .run(&mut random);
            let counts = [&before, &after].map(|record| fisher::FailureCounts {
                failed: record.report.chats.failed,
                of: record.report.chats.failed + record.report.chats.passed,
            });
            if fisher::p(counts[0], counts[1]) < 0.001 {
                let (word, overall) = words(&[before], &after);
                assert_ne!(word, Word::Noise, "{seconds} s, {seed}");
                assert_ne!(overall, Overall::Unchanged, "{seconds} s, {seed}");
            }
        }
    }
    // An outage of three seconds in forty.
    let mut seconds = vec![
        Second {
            passed: vec![0.5; 10],
            failed: 0
        };
        40
    ];
    let before = record(&seconds);
    for second in &mut seconds[20..23] {
        *second = Second {
            passed: Vec::new(),
            failed: 10,
        };
    }
    let outage = record(&seconds);
    assert_eq!(
        words(std::slice::from_ref(&before), &outage),
        (Word::Unclear, Overall::Unclear)
    );
    assert_eq!(compare(&before, &outage).regressions(0.0), []);
}
