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
    assert!(report.thresholds.iter().all(|threshold| threshold.held));
    assert_eq!(bench.heard.run_ended(), (Verdict::Passed, false));

    let mut bench = Bench::new();
    bench.thresholds = "[ { failed: 49% }, { p95: 999ms } ]";
    let report = bench.run(HALF_FAIL, "{ chats: 4 }").await;
    assert_eq!(report.verdict, Some(Verdict::Failed));
    let broken = ["broken: failed <= 49%", "broken: p95 <= 999ms"];
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
    assert_eq!(report.verdict_reasons, ["nothing measured for: p95 <= 1h"]);
    assert!(!report.thresholds[0].held);
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
        reasons.contains("the run's heartbeat came up to 650ms late"),
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
