use super::*;

const ONE_SECOND: &str = "steps: [ { think: 1s } ]";
/// Chats with an even number fail.
const HALF_FAIL: &str = "
steps:
  - think: '{{ \"1s\" if chat.number is odd else \"never\" }}'
";

#[tokio::test(start_paused = true)]
async fn without_thresholds_every_chat_has_to_pass() {
    let bench = Bench::new();
    let report = bench.run(HALF_FAIL, "{ chats: 4 }").await;
    assert_eq!(report.verdict, Some(Verdict::Failed));
    assert_eq!(report.verdict_reasons, ["2 of 4 chats failed"]);
    assert_eq!(
        report.chats.failed_by_reason,
        [(Reason::Template, 2)].into()
    );
    assert_eq!(bench.heard.run_ended(), (Verdict::Failed, false));
}

#[tokio::test(start_paused = true)]
async fn thresholds_decide_where_there_are_any() {
    let mut bench = Bench::new();
    bench.thresholds = "[ { failed: 50% }, { p95: 1s } ]";
    let report = bench.run(HALF_FAIL, "{ chats: 4 }").await;
    assert_eq!(report.verdict, Some(Verdict::Passed));
    let states = report.thresholds.iter().map(|threshold| threshold.state);
    assert!(states.eq([ThresholdState::Held; 2]));
    assert_eq!(bench.heard.run_ended(), (Verdict::Passed, false));

    let mut bench = Bench::new();
    bench.thresholds = "[ { failed: 49% }, { p95: 999ms } ]";
    let report = bench.run(HALF_FAIL, "{ chats: 4 }").await;
    assert_eq!(report.verdict, Some(Verdict::Failed));
    let broken = ["broken: failed <= 49%", "broken: p95 <= 999 ms"];
    assert_eq!(report.verdict_reasons, broken);
}

#[tokio::test(start_paused = true)]
async fn a_latency_of_nothing_is_no_success() {
    let mut bench = Bench::new();
    bench.thresholds = "[ { p95: 1h } ]";
    let report = bench
        .run("steps: [ { think: '{{ target.name }}' } ]", "{ chats: 4 }")
        .await;
    assert_eq!(report.verdict, Some(Verdict::Failed));
    assert_eq!(report.verdict_reasons, ["nothing measured for: p95 <= 1 h"]);
    assert_eq!(report.thresholds[0].state, ThresholdState::Broken);
}

/// One a kind: a share and a latency of whole chats, the same of a step that passes at once, and a latency of a
/// step that nothing passes in time.
const ONE_A_KIND: &str = "[ { failed: 50% }, { p95: 1h }, { step: quick, failed: 1% }, { step: quick, max: 1h }, \
                          { step: slow, mean: 1h } ]";
const QUICK_AND_SLOW: &str = "
steps:
  - think: 1s
  - step: quick
    http: { post: '{{ target.url }}/quick', json: {} }
  - think: 1s
  - step: slow
    when: 'false'
    http: { post: '{{ target.url }}/slow', json: {} }
";

fn states(report: &RunReport) -> Vec<ThresholdState> {
    let thresholds = report.thresholds.iter();
    thresholds.map(|threshold| threshold.state).collect()
}

#[tokio::test]
async fn a_threshold_is_pending_until_something_is_measured_for_it_and_broken_without_at_the_end() {
    let (mut bench, puppet) = Bench::with_puppet().await;
    bench.thresholds = ONE_A_KIND;
    let (pending, held, broken) = (
        ThresholdState::Pending,
        ThresholdState::Held,
        ThresholdState::Broken,
    );
    let run = bench.start(QUICK_AND_SLOW, "{ chats: 1 }");
    let begun = run.report();
    assert_eq!(states(&begun), [pending; 5]);
    assert!(begun.thresholds.iter().all(|one| one.measured == "nothing"));
    assert_eq!(states(&run.record().report), [pending; 5]);
    while run.thresholds()[2].state == pending {
        assert!(puppet.requests().len() <= 1);
        sleep(ms(5)).await;
    }
    assert_eq!(
        states(&run.report()),
        [pending, pending, held, held, pending]
    );
    let report = over(&run).await;
    assert_eq!(states(&report), [held, held, held, held, broken]);
    let nothing = "nothing measured for: slow mean <= 1 h";
    assert_eq!(report.verdict_reasons, [nothing]);
}

#[tokio::test(start_paused = true)]
async fn a_threshold_is_not_judged_if_the_run_is_stopped_before_anything_is_measured() {
    let mut bench = Bench::new();
    bench.thresholds = "[ { failed: 10% }, { p95: 1s } ]";
    let run = bench.start("steps: [ { think: 10s } ]", "{ chats: 3 }");
    sleep(s(1)).await;
    run.order(by_operator(Stop::AT_ONCE)).await.unwrap();
    let report = over(&run).await;
    assert_eq!(report.verdict, Some(Verdict::Stopped));
    assert_eq!(states(&report), [ThresholdState::NotJudged; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_broken_threshold_ends_a_run_early_if_it_says_so() {
    let mut bench = Bench::new();
    bench.thresholds = "[ { failed: 10%, abort: true } ]";
    let run = bench.start(HALF_FAIL, "{ rate: 10/s, for: 10m }");
    let report = over(&run).await;
    assert_eq!(report.verdict, Some(Verdict::Failed));
    let early = "ended early: a threshold with `abort` was broken";
    assert_eq!(report.verdict_reasons, [early, "broken: failed <= 10%"]);
    assert_eq!(report.ended_by, Some(EndedBy::Threshold));
    // Twenty measurements are enough: the odd ones take a second.
    assert!(
        (20..40).contains(&report.chats.started),
        "{:?}",
        report.chats
    );
    assert!(report.chats.stopped > 0);
}

#[tokio::test(start_paused = true)]
async fn a_broken_threshold_without_abort_lets_the_run_go_on() {
    let mut bench = Bench::new();
    bench.thresholds = "[ { failed: 10% } ]";
    let report = bench.run(HALF_FAIL, "{ rate: 10/s, for: 10s }").await;
    assert_eq!(report.chats.started, 100);
    assert_eq!(report.verdict_reasons, ["broken: failed <= 10%"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_threshold_ends_a_run_whose_chats_all_fail_at_once() {
    let mut bench = Bench::new();
    bench.thresholds = "[ { failed: 10%, abort: true } ]";
    let load = "{ customers: 100, for: 20s }";
    let report = bench
        .run("steps: [ { think: '{{ target.name }}' } ]", load)
        .await;
    assert!(report.elapsed_seconds < 5.0, "{}", report.elapsed_seconds);
    let why = report.verdict_reasons.join("\n");
    assert_ne!(report.verdict, Some(Verdict::Passed), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_heartbeat_came_late_is_invalid() {
    let bench = Bench::new();
    let run = bench.start(ONE_SECOND, "{ chats: 1 }");
    sleep(ms(250)).await;
    tokio::time::advance(ms(700)).await;
    let report = over(&run).await;
    assert_eq!(report.verdict, Some(Verdict::Invalid));
    let reasons = report.verdict_reasons.join("\n");
    assert!(
        reasons.contains("the run's heartbeat came up to 650 ms late"),
        "{reasons}"
    );
    assert!(
        (0.65..0.66).contains(&report.precision.unwrap()),
        "{:?}",
        report.precision
    );
    assert_eq!(report.chats.passed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_little_lateness_is_within_the_budget() {
    let bench = Bench::new();
    let run = bench.start(ONE_SECOND, "{ rate: 10/s, for: 1s }");
    sleep(ms(250)).await;
    tokio::time::advance(ms(400)).await;
    let report = over(&run).await;
    assert_eq!(
        report.verdict,
        Some(Verdict::Passed),
        "{:?}",
        report.verdict_reasons
    );
    assert!(report.start_lateness.max.unwrap() > 0.3);
}

#[tokio::test(start_paused = true)]
async fn a_setup_that_fails_fails_the_run_and_is_a_failed_chat_of_a_probe() {
    let scenario = "
setup: [ { think: '{{ target.name }}' } ]
steps: [ { think: 1s } ]
teardown: [ { think: 3s } ]
";
    for (mode, chats) in [(Mode::Probe, 1), (Mode::Burst, 0)] {
        let mut bench = Bench::new();
        bench.mode = mode;
        let report = bench.run(scenario, "{ chats: 1 }").await;
        assert_eq!((report.chats.started, report.chats.failed), (chats, chats));
        assert_eq!(report.verdict, Some(Verdict::Failed));
        let why = &report.verdict_reasons[0];
        assert!(
            why.starts_with("the setup failed: step `think`: template: "),
            "{why}"
        );
        assert_eq!(bench.heard.run_ended(), (Verdict::Failed, false));
        let elapsed = report.elapsed_seconds;
        assert!((elapsed - 3.0).abs() < 0.01, "the teardown runs");
    }
}
