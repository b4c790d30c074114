use std::time::Duration;

use super::*;
use crate::runner::Histogram;

/// Batches of a hundred latencies or so each, and of some failures.
fn batches(count: u64, random: &mut fastrand::Rng) -> Vec<BatchFigures> {
    let mut batch = |_| {
        let level = random.u64(..100_000);
        let latencies = (0..80 + random.u64(..40)).map(|_| {
            let micros = 200_000 + level + random.u64(..300_000);
            (Duration::from_micros(micros), 1)
        });
        BatchFigures {
            latency: Histogram::from_iter(latencies.collect::<Vec<_>>()),
            failed: random.u64(..20),
        }
    };
    (0..count).map(&mut batch).collect()
}

/// The figures of a run: logarithms of mean, p50, p95 and p99, and the share that failed.
fn figures(batches: &[&BatchFigures]) -> [f64; 5] {
    let histograms: Vec<_> = batches.iter().map(|batch| &batch.latency).collect();
    let latency = Histogram::merged(&histograms).quantiles();
    let failed: u64 = batches.iter().map(|batch| batch.failed).sum();
    let log = |seconds: Option<f64>| seconds.unwrap().ln();
    [
        log(latency.mean),
        log(latency.p50),
        log(latency.p95),
        log(latency.p99),
        number(failed) / number(failed + latency.count),
    ]
}

#[test]
fn a_deviation_is_that_of_runs_which_are_put_together_of_blocks() {
    let mut random = fastrand::Rng::with_seed(7);
    let (length, draws) = (4, 400);
    let batches = batches(32, &mut random);
    let batches: Vec<_> = batches.iter().collect();
    let spread = Spread::of(&batches, 1.0).unwrap();
    let mut sums = [[0.0; 2]; 5];
    for _ in 0..draws {
        let run = (0..batches.len() / length).flat_map(|_| {
            let first = random.usize(..batches.len());
            (first..first + length).map(|at| at % batches.len())
        });
        let run: Vec<_> = run
            .collect::<Vec<_>>()
            .iter()
            .map(|at| batches[*at])
            .collect();
        for (sum, figure) in sums.iter_mut().zip(figures(&run)) {
            sum[0] += figure;
            sum[1] += figure * figure;
        }
    }
    let found = [
        spread.mean,
        spread.p50,
        spread.p95,
        spread.p99,
        spread.failed,
    ];
    for (at, (found, [sum, squares])) in found.into_iter().zip(sums).enumerate() {
        let mean = sum / whole(draws);
        let expected = (squares / whole(draws) - mean * mean) * 8.0 / 7.0;
        let found = found.unwrap();
        assert!((found.freedom - 7.0).abs() < 1e-9);
        let ratio = (found.variance / expected).sqrt();
        // Four hundred draws are right to 3.5 % or so, and a tail has steps.
        let allowed = if at == 2 || at == 3 { 0.3 } else { 0.12 };
        assert!((ratio - 1.0).abs() < allowed, "{at}: {ratio}");
    }
    assert_eq!(
        Spread::of(&batches, 1.0),
        Some(spread),
        "nothing of it is drawn"
    );
}

/// Batches of which so many each took 200 ms, and the rest of a hundred as long as the last.
fn of_two_values(quick: &[u64], slow: Duration) -> Vec<BatchFigures> {
    let batch = |quick: &u64| {
        let latencies = [(Duration::from_millis(200), *quick), (slow, 100 - quick)];
        BatchFigures {
            latency: Histogram::from_iter(latencies),
            failed: 0,
        }
    };
    quick.iter().map(batch).collect()
}

#[test]
fn a_quantile_varies_as_the_share_below_it_within_two_standard_errors() {
    let p50 = |quick: &[u64]| {
        let batches = of_two_values(quick, Duration::from_millis(300));
        let spread = Spread::of(&batches.iter().collect::<Vec<_>>(), 1.0).unwrap();
        spread.p50.unwrap()
    };
    // Of overlapping blocks of four of them the share of 52 % has a standard error of 1.3 %, so that it may fall
    // below one half by two of them, and not by one.
    let quick = [[56; 16], [48; 16]].concat();
    let found = p50(&quick);
    let expected = (1.5_f64.ln() / 4.0).powi(2) * 8.0 / 7.0;
    assert!((found.variance - expected).abs() < 1e-12, "{found:?}");
    assert!((found.freedom - 7.0).abs() < 1e-9);
    let quick = [[70; 16], [60; 16]].concat();
    let resolution = RESOLUTION * RESOLUTION;
    assert!((p50(&quick).variance - resolution).abs() < 1e-12);
}

#[test]
fn above_a_tail_there_is_no_more_of_the_distribution() {
    // All slow ones are in one batch.
    let mut quick = [100; 32];
    quick[9] = 68;
    let batches = of_two_values(&quick, Duration::from_millis(400));
    let spread = Spread::of(&batches.iter().collect::<Vec<_>>(), 1.0).unwrap();
    let found = spread.p99.unwrap().variance;
    // Four blocks of 32 have it.
    let error = (8.0 * (4.0 * 28.0_f64.powi(2) + 28.0 * 16.0) / 32.0).sqrt() / 3200.0;
    let expected = (2.0_f64.ln() * error / (0.01 + 2.0 * error)).powi(2) * 8.0 / 7.0;
    assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
}

#[test]
fn it_does_not_matter_in_which_batch_a_run_begins() {
    let batches = batches(32, &mut fastrand::Rng::with_seed(3));
    let mut batches: Vec<_> = batches.iter().collect();
    let figures = |batches: &[&BatchFigures]| {
        let found = Spread::of(batches, 1.0).unwrap();
        let all = [found.mean, found.p50, found.p95, found.p99, found.failed];
        all.map(|deviation| deviation.unwrap().variance)
    };
    let expected = figures(&batches);
    for _ in 1..batches.len() {
        batches.rotate_left(1);
        for (found, expected) in figures(&batches).into_iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
        }
    }
}

#[test]
fn what_never_varies_is_known_to_three_digits_and_no_better() {
    let batch = BatchFigures {
        latency: Histogram::from_iter([(Duration::from_millis(500), 10)]),
        failed: 0,
    };
    let spread = Spread::of(&[&batch; 24], 1.0).unwrap();
    for latency in [spread.mean, spread.p50, spread.p95, spread.p99] {
        let deviation = latency.unwrap().variance.sqrt();
        assert!((deviation - RESOLUTION).abs() < 1e-9, "{deviation}");
    }
    let failed = Deviation::of_independent(0.0, 240.0);
    assert!((spread.failed.unwrap().variance - failed.variance).abs() < 1e-12);
}

#[test]
fn what_took_no_time_is_known_as_well() {
    let batch = BatchFigures {
        latency: Histogram::from_iter([(Duration::ZERO, 5), (Duration::from_millis(1), 5)]),
        failed: 0,
    };
    let spread = Spread::of(&[&batch; 24], 1.0).unwrap();
    assert!(spread.p50.is_some() && spread.p95.is_some());
}

#[test]
fn of_few_batches_and_of_nothing_that_passed_nothing_is_known() {
    let batches = batches(11, &mut fastrand::Rng::with_seed(1));
    assert_eq!(Spread::of(&batches.iter().collect::<Vec<_>>(), 1.0), None);
    let failing = BatchFigures {
        failed: 5,
        ..BatchFigures::default()
    };
    let spread = Spread::of(&[&failing; 24], 1.0).unwrap();
    assert_eq!((spread.mean, spread.p50, spread.p99), (None, None, None));
    assert!(spread.failed.is_some());
    let nothing = Spread::of(&[&BatchFigures::default(); 24], 1.0).unwrap();
    assert_eq!(nothing.failed, None);
}

#[test]
fn a_share_varies_by_batches_from_eight_blocks_of_three_seconds_on() {
    let batches = batches(32, &mut fastrand::Rng::with_seed(1));
    let batches: Vec<_> = batches.iter().collect();
    let spread = |count: usize, seconds: f64| Spread::of(&batches[..count], seconds).unwrap();
    for (count, seconds, blocks) in [
        (12, 1.0, None),
        (23, 1.0, None),
        (24, 1.0, Some(8.0)),
        (25, 1.0, Some(25.0 / 3.0)),
        (32, 1.0, Some(8.0)),
        (17, 2.0, Some(8.5)),
        (19, 16.0, Some(9.5)),
    ] {
        let spread = spread(count, seconds);
        let found = spread.failed.map(|deviation| deviation.freedom + 1.0);
        assert_eq!(found, blocks, "{count} of {seconds} s");
        assert!(spread.p50.is_some());
    }
}
