//! What is told of a run that is held against itself.

use serde_json::json;

use super::*;
use crate::{
    event::Mode,
    runner::{Batch, BatchFigures, Histogram},
};

/// What the logarithm of a latency, or of a share, rises by over a run whose last quarter has a fifth more than the
/// first: their middles are three quarters of the run apart.
const A_FIFTH: f64 = 0.182_321_6 / 0.75;

/// Five chats a second, in as few batches as a run can have.
fn soak(target: Target, minutes: usize, random: &mut fastrand::Rng) -> RunRecord {
    let target = Target {
        seconds: minutes * 64,
        rate: 5,
        ..target
    };
    long(target.run(random))
}

/// Of 32 batches 16 are made, and the report says how long it took.
fn long(mut record: RunRecord) -> RunRecord {
    let pairs = record.batches.chunks(2).map(|pair| {
        let joined = |of: fn(&Batch) -> &BatchFigures| {
            let latencies = pair.iter().map(|batch| &of(batch).latency);
            BatchFigures {
                latency: Histogram::merged(&latencies.collect::<Vec<_>>()),
                failed: pair.iter().map(|batch| of(batch).failed).sum(),
            }
        };
        Batch {
            seconds: pair.iter().map(|batch| batch.seconds).sum(),
            chats: joined(|batch| &batch.chats),
            steps: vec![joined(|batch| &batch.steps[0])],
            ..Batch::default()
        }
    });
    record.batches = pairs.collect();
    record.report.elapsed_seconds = uncertainty::whole(record.samples.len());
    record
}

/// How many of so many runs of so many minutes, and a little more, become worse, and how many better.
fn told(target: Target, minutes: usize, runs: u64) -> [usize; 2] {
    let mut random = fastrand::Rng::with_seed(11);
    let mut counts = [0; 2];
    for _ in 0..runs {
        let drift = Drift::of(&soak(target, minutes, &mut random));
        assert_eq!(drift.not_judged, None);
        let has = |word| {
            let mut changes = drift.subjects.iter().flat_map(|subject| &subject.changes);
            usize::from(changes.any(|change| change.word == word))
        };
        counts[0] += has(Word::Worse);
        counts[1] += has(Word::Better);
        let names_one = drift.summary.starts_with("Over the run, ");
        assert!(
            names_one || has(Word::Worse) + has(Word::Better) == 0,
            "{}",
            drift.summary
        );
    }
    counts
}

#[test]
fn a_run_that_did_not_change_is_rarely_called_different() {
    for target in [STEADY, ORDINARY, DRIFTING] {
        let [worse, better] = told(target, 10, 100);
        assert!(worse + better <= 5, "{target:?}: {worse} {better}");
    }
}

#[test]
fn a_fifth_more_over_the_run_is_found_in_both_directions() {
    let rising = |trend: f64| Target { trend, ..ORDINARY };
    let [worse, _] = told(rising(A_FIFTH), 20, 40);
    let [_, better] = told(rising(-A_FIFTH), 20, 40);
    assert!(worse >= 36 && better >= 36, "{worse} {better}");
}

#[test]
fn a_share_that_trebles_is_found() {
    let trebling = Target {
        failing_trend: 3_f64.ln() / 0.75,
        ..STEADY
    };
    let [worse, _] = told(trebling, 20, 40);
    assert!(worse >= 36, "{worse}");
}

/// Seconds of twenty chats of about 100 ms each, of which the later half takes longer and fails more.
fn seconds(count: usize, factor: f64, failed: u64) -> Vec<Second> {
    let mut random = fastrand::Rng::with_seed(5);
    let seconds = (0..count).map(|second| {
        let is_late = second >= count / 2;
        let level = if is_late { factor } else { 1.0 };
        let latencies = (0..20).map(|_| level * (0.1 + 0.01 * random.f64()));
        Second {
            passed: latencies.collect(),
            failed: if is_late { failed } else { 0 },
        }
    });
    seconds.collect()
}

#[test]
fn the_sentence_names_the_step_with_both_figures() {
    let drift = Drift::of(&long(record(&seconds(640, 1.5, 2))));
    let ask = drift.subjects[1].changes.iter();
    let words: Vec<_> = ask.map(|change| (change.figure, change.word)).collect();
    let worse = [Figure::P50, Figure::P95, Figure::Failed].map(|figure| (figure, Word::Worse));
    assert_eq!(words, worse);
    assert!(
        (drift.first_seconds - 160.0).abs() < 1e-9 && (drift.last_seconds - 160.0).abs() < 1e-9
    );
    let says = "`ask` became slower: p95 110 ms in the first quarter, 164 ms in the last (+50.0%, significant) and failed more often: 0% in the first quarter, 9.09% in the last (significant)";
    assert!(
        drift
            .summary
            .starts_with("Over the run, whole chats became slower: "),
        "{}",
        drift.summary
    );
    assert!(drift.summary.contains(says), "{}", drift.summary);
}

#[test]
fn nothing_that_changed_is_said_as_well() {
    let drift = Drift::of(&long(record(&seconds(640, 1.0, 0))));
    let says = "No step became slower or failed more often between the first and the last quarter.";
    assert_eq!(drift.summary, says);
    let rare = (0..640).map(|second| Second {
        passed: if second % 40 == 0 {
            vec![0.1]
        } else {
            Vec::new()
        },
        failed: 0,
    });
    let drift = Drift::of(&long(record(&rare.collect::<Vec<_>>())));
    assert!(
        drift.summary.starts_with("Too little was measured"),
        "{}",
        drift.summary
    );
}

#[test]
fn what_cannot_be_judged_says_why() {
    let usual = || long(record(&seconds(640, 1.5, 0)));
    let why = |change: fn(&mut RunRecord)| {
        let mut record = usual();
        change(&mut record);
        let drift = Drift::of(&record);
        assert!(drift.subjects.is_empty() || drift.not_judged.is_none());
        let refused = Drift::refused(&record.report);
        assert!(refused.is_none() || refused == drift.not_judged);
        drift.not_judged
    };
    let found = [
        why(|_| {}),
        why(|record| record.report.elapsed_seconds = 599.0),
        why(|record| record.report.mode = Mode::Probe),
        why(|record| record.report.verdict = Some(Verdict::Invalid)),
        why(|record| {
            let search = json!({ "outcome": null, "summary": "", "held": null, "broke": null, "now": null, "steps": [] });
            record.report.search = serde_json::from_value(search).unwrap();
        }),
        why(|record| record.batches.truncate(15)),
        // More than a tenth more, or less.
        why(|record| load_of_later_half(record, 23)),
        why(|record| load_of_later_half(record, 17)),
        why(|record| load_of_later_half(record, 21)),
    ];
    let changed = Some(NotJudged::LoadChanged);
    let expected = [
        None,
        Some(NotJudged::TooShort),
        Some(NotJudged::Probe),
        Some(NotJudged::Invalid),
        Some(NotJudged::Search),
        Some(NotJudged::NotKept),
        changed,
        changed,
        None,
    ];
    assert_eq!(found, expected);
}

fn load_of_later_half(record: &mut RunRecord, due: u64) {
    for sample in record.samples.iter_mut().skip(320) {
        std::sync::Arc::make_mut(sample).due = Some(due);
    }
}

#[test]
fn what_follows_the_last_start_is_no_other_load() {
    let mut record = long(record(&seconds(640, 1.0, 0)));
    for sample in record.samples.iter_mut().skip(560) {
        std::sync::Arc::make_mut(sample).due = Some(0);
    }
    assert_eq!(Drift::of(&record).not_judged, None);
    for sample in record.samples.iter_mut().skip(620) {
        std::sync::Arc::make_mut(sample).due = Some(20);
    }
    assert_eq!(Drift::of(&record).not_judged, Some(NotJudged::LoadChanged));
}
