//! What speaks for a change, against the same worked out by hand.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::{
    contrast::{Contrast, Evidence},
    estimate::Estimate,
    fisher::FailureCounts,
    score_interval::{self, SampledShare},
    uncertainty::{Deviation, whole},
    *,
};

/// As of eight blocks.
const FREEDOM: f64 = 7.0;
/// As if the variance were known.
const MANY: f64 = 1e6;

fn latency(seconds: f64, count: u64) -> Estimate {
    Estimate {
        figure: Figure::P50,
        value: Some(seconds),
        count,
        chats: FailureCounts {
            failed: 0,
            of: count,
        },
        within: None,
    }
}

fn share(failed: u64, of: u64) -> Estimate {
    let chats = FailureCounts { failed, of };
    Estimate {
        figure: Figure::Failed,
        value: chats.share(),
        count: of,
        chats,
        within: None,
    }
}

fn varying(estimate: Estimate, variance: f64, freedom: f64) -> Estimate {
    Estimate {
        within: Some(Deviation { variance, freedom }),
        ..estimate
    }
}

fn evidence(before: &[Estimate], after: Estimate) -> Evidence {
    Contrast::of(before, &after).evidence.unwrap()
}

/// How probable it is to be as many deviations away, in either direction.
fn two_sided(deviations: f64, freedom: f64) -> f64 {
    2.0 * StudentsT::new(0.0, 1.0, freedom).unwrap().sf(deviations)
}

fn is(found: f64, expected: f64) {
    let ratio = found / expected;
    assert!((ratio - 1.0).abs() < 1e-9, "{found}, not {expected}");
}

#[test]
fn one_latency_is_held_against_several_as_crawford_and_howell_do() {
    let before = [0.4, 0.5, 0.8].map(|seconds| latency(seconds, 300));
    let logs = [0.4_f64, 0.5, 0.8].map(f64::ln);
    let mean = logs.iter().sum::<f64>() / 3.0;
    let squares = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>();
    let variance = squares / 2.0;
    // A run in which a third was measured may vary three times as much, and a longer one as much as they do.
    for (count, of_one) in [(300, variance), (100, variance * 3.0), (900, variance)] {
        let found = evidence(&before, latency(1.0, count));
        let t = (0.0 - mean) / (variance / 3.0 + of_one).sqrt();
        is(found.p, two_sided(t, 2.0));
        assert_eq!((found.method, found.p_within), (Method::Runs, None));
    }
}

#[test]
fn what_varies_within_a_run_counts_where_it_tells_less() {
    // Many runs know well how much they differ, and eight blocks do not.
    let before = [varying(latency(0.5, 300), 0.01, FREEDOM); 20];
    let found = evidence(&before, varying(latency(0.7, 300), 0.01, FREEDOM));
    let (of_mean, of_one) = (0.01 / 20.0, 0.01_f64);
    let known = 20.0 * (0.01_f64 / 400.0).powi(2) / FREEDOM + of_one.powi(2) / FREEDOM;
    let freedom = (of_mean + of_one).powi(2) / known;
    let t = 1.4_f64.ln() / (of_mean + of_one).sqrt();
    let within = two_sided(t, freedom);
    assert!(within > two_sided(t, 19.0));
    is(found.p_within.unwrap(), within);
    is(found.p, within);
}

#[test]
fn an_interval_that_no_number_holds_is_none() {
    let before = [0.001, 1000.0].map(|seconds| latency(seconds, 300));
    let found = evidence(&before, latency(1.0, 300));
    assert_eq!(found.interval(0.003), None);
    assert!(found.p > 0.5);
}

#[test]
fn of_a_share_the_test_decides_that_finds_less() {
    let (before, after) = (share(0, 200), share(5, 200));
    // R, `fisher.test`.
    let exact = 0.060_939_502_408_4;
    let of = |variance: f64, freedom: f64, before: &[Estimate]| {
        let before: Vec<_> = before
            .iter()
            .map(|run| varying(*run, variance, freedom))
            .collect();
        evidence(&before, varying(after, variance, freedom))
    };
    let half = share(0, 100);
    for steady in [of(1e-5, MANY, &[before]), of(1e-5, MANY, &[half, half])] {
        is(steady.p_exact.unwrap(), exact);
        is(steady.p_within.unwrap(), exact);
        is(steady.p, exact);
    }
    let drifting = of(0.01, FREEDOM, &[before]);
    is(drifting.p, two_sided(0.025 / 0.02_f64.sqrt(), 14.0));
    assert_eq!(drifting.method, Method::Batches);
}

#[test]
fn shares_of_runs_of_unequal_size_vary_as_rao_and_scott_say() {
    let found = evidence(&[share(10, 100), share(90, 300)], share(60, 200));
    // A quarter of all chats failed, with weights of a quarter and three quarters.
    let squares = (0.25 * (0.1 - 0.25_f64)).powi(2) + (0.75 * (0.3 - 0.25_f64)).powi(2);
    let of_mean = squares * 2.0 / 1.0;
    let of_one = of_mean * 2.0;
    is(found.p, two_sided(0.05 / (of_mean + of_one).sqrt(), 1.0));
    assert_eq!(found.method, Method::Runs);
}

#[test]
fn a_run_without_batches_is_taken_to_vary_as_the_other_does() {
    let variance = |failed: f64, of: f64| {
        let share = (failed + 1.0) / (of + 2.0);
        share * (1.0 - share) / of
    };
    // Each varies four times as much as independent chats do.
    let (of_long, of_short) = (4.0 * variance(20.0, 100.0), 4.0 * variance(40.0, 100.0));
    let long = varying(share(20, 100), of_long, FREEDOM);
    let sum = of_long + of_short;
    let freedom = sum.powi(2) / (of_long.powi(2) / FREEDOM + of_short.powi(2) / FREEDOM);
    let expected = two_sided(0.2 / sum.sqrt(), freedom);
    is(evidence(&[long], share(40, 100)).p, expected);
    is(evidence(&[share(40, 100)], long).p, expected);

    // The interval is that of a quarter of the chats.
    let alike = evidence(&[long], long);
    let quarter = SampledShare {
        share: 0.2,
        size: 25.0,
    };
    let quantile = StudentsT::new(0.0, 1.0, 14.0).unwrap().inverse_cdf(0.975);
    let [from, to] = score_interval::difference(quarter, quarter, quantile);
    let found = alike.interval(0.05).unwrap();
    is(found[0], from);
    is(found[1], to);
}

#[test]
fn where_all_or_nothing_failed_there_is_no_test() {
    let is_test = |failed: u64, of: u64| {
        let found = evidence(&[share(failed, 10)], share(of, 20));
        found.is_test
    };
    assert!(!is_test(0, 0) && !is_test(10, 20));
    assert!(is_test(0, 1) && is_test(10, 19));
}

#[test]
fn an_interval_is_drawn_at_the_level_at_which_its_figure_was_judged() {
    let (before, after) = STEADY.pairs(STEADY, 1).next().unwrap();
    let comparison = compare(&before, &after);
    // Mean, p50 and p95 of the chats and of the step; their share is the other family.
    let subjects = whole(comparison.subjects.len());
    let [ends, other] = [&before, &after].map(estimate::of_chats);
    let contrasts = contrasts(&[ends], &other);
    for (figure, tests) in [(1, 3.0 * subjects), (4, subjects)] {
        let level = 0.05 * 0.5 / tests;
        let expected = contrasts[figure].evidence.as_ref().unwrap().interval(level);
        let found = comparison.subjects[0].changes[figure].interval;
        for (found, expected) in found.unwrap().into_iter().zip(expected.unwrap()) {
            is(found, expected);
        }
    }
}

#[test]
fn a_latency_of_nothing_has_no_ratio() {
    let (mut before, after) = STEADY.pairs(STEADY, 1).next().unwrap();
    before.report.chat_duration.p50 = Some(0.0);
    let median = &compare(&before, &after).subjects[0].changes[1];
    assert_eq!((median.word, median.before), (Word::TooLittle, None));
}

#[test]
fn a_last_batch_that_is_shorter_does_not_make_blocks_longer() {
    // Batches of two seconds, and one of a second.
    let of_33_seconds = run(33, 330, 33);
    assert_eq!(of_33_seconds.batches.len(), 17);
    let failed = &compare(&of_33_seconds, &of_33_seconds).subjects[0].changes[4];
    assert_eq!(failed.method, Some(Method::Batches));
}
