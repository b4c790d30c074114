//! The chats in flight after the last start.

use super::*;

const ENDLESS: &str = "
steps: [ { think: 8760h } ]
always: [ { think: 3s } ]
teardown: [ { think: 2s } ]
";

fn elapsed(report: &RunReport) -> f64 {
    (report.elapsed_seconds * 100.0).round() / 100.0
}

fn gracefully_stopped(report: &RunReport) -> Option<(f64, bool, u64)> {
    let stop = report.graceful_stop?;
    Some((stop.limit_seconds, stop.exceeded, stop.stopped))
}

#[tokio::test(start_paused = true)]
async fn chats_in_flight_are_stopped_after_the_last_start_and_clean_up_and_the_thresholds_judge() {
    for (thresholds, verdict) in [
        ("[]", Verdict::Passed),
        ("[ { failed: 10% } ]", Verdict::Failed),
    ] {
        let mut bench = Bench::new();
        bench.thresholds = thresholds;
        let load = "{ rate: 1/s, for: 3s, graceful_stop: 10s }";
        let report = bench.run(ENDLESS, load).await;
        let chats = &report.chats;
        assert_eq!((chats.started, chats.stopped, chats.failed), (3, 3, 0));
        assert_eq!(gracefully_stopped(&report), Some((10.0, true, 3)));
        assert_eq!(report.ended_by, Some(EndedBy::Load));
        // Of what was measured: nothing is no share of failures that holds.
        assert_eq!(report.verdict, Some(verdict), "{thresholds}");
        // The last start is at 2 s.
        assert_eq!(bench.heard.ends(), [s(15); 3]);
        let mut durations = bench.heard.durations();
        durations.sort();
        assert_eq!(durations, [10, 11, 12].map(s));
        assert!(
            (elapsed(&report) - 17.0).abs() < 0.05,
            "{}",
            elapsed(&report)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn loads_with_a_time_are_bounded_by_the_longest_path_and_others_by_nothing() {
    let of_inputs = "
inputs: { pause: 50s }
steps: [ { think: '{{ inputs.pause }}' }, { think: 8760h, when: chat.number == 1 } ]";
    for (load, limit) in [
        ("{ rate: 1/s, for: 2s }", 600.0),
        ("{ stages: [ { for: 2s, rate: 1/s } ] }", 600.0),
        ("{ customers: 2, for: 2s }", 600.0),
        (
            "{ search: { customers: { from: 1, to: 2 }, hold: 3s } }",
            600.0,
        ),
    ] {
        let mut bench = Bench::new();
        bench.thresholds = "[ { failed: 10% } ]";
        let report = bench.run(of_inputs, load).await;
        let (length, exceeded, stopped) = gracefully_stopped(&report).unwrap();
        assert_eq!((length, exceeded), (limit, true), "{load}");
        assert_eq!(stopped, report.chats.stopped, "{load}");
        assert!(stopped > 0, "{load}");
    }
    let short = "steps: [ { think: 41s } ]";
    let bench = Bench::new();
    let report = bench.run(short, "{ rate: 1/s, for: 2s }").await;
    assert_eq!(gracefully_stopped(&report), Some((42.0, false, 0)));
    assert_eq!(report.chats.passed, 2);
    let long = "steps: [ { think: 20m } ]";
    let mut bench = Bench::new();
    for mode in [Mode::Burst, Mode::Probe] {
        bench.mode = mode;
        let report = bench.run(long, "{ chats: 2, ramp: 1s }").await;
        assert_eq!(gracefully_stopped(&report), None);
        assert_eq!(report.chats.passed, 2, "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn always_steps_have_their_own_time_and_no_more() {
    let long = "steps: [ { think: 8760h } ]\nalways: [ { think: 5m }, { think: 1s, when: not passed } ]\nteardown: [ { think: 20m } ]";
    let bench = Bench::new();
    let report = bench.run(long, "{ chats: 1, graceful_stop: 0s }").await;
    assert_eq!(bench.heard.ends(), [s(301)]);
    assert!(
        (elapsed(&report) - 1501.0).abs() < 0.05,
        "{}",
        elapsed(&report)
    );
    assert_eq!(report.teardown_failed, None);
    let endless = "steps: [ { think: 8760h } ]\nalways: [ { think: 8760h } ]";
    let bench = Bench::new();
    let report = bench.run(endless, "{ chats: 1, graceful_stop: 1s }").await;
    // The time for answers of requests that are on their way, and at most ten minutes.
    assert_eq!(bench.heard.ends(), [s(1 + 10 + 600)]);
    assert_eq!(report.chats.stopped, 1);
}

#[tokio::test(start_paused = true)]
async fn what_ends_the_chats_first_is_what_stopped_them() {
    let load = "{ rate: 1/s, for: 2s, graceful_stop: 10s }";
    let end = |cleanup| {
        by_operator(Stop::End {
            answers: s(0),
            cleanup,
        })
    };
    let bench = Bench::new();
    let run = bench.start(ENDLESS, load);
    sleep(s(5)).await;
    run.order(end(s(30))).await.unwrap();
    let report = over(&run).await;
    assert_eq!(gracefully_stopped(&report), Some((10.0, false, 0)));
    assert_eq!(report.ended_by, Some(EndedBy::Operator));

    // The limit counts from the last start, also if an operator ended the starts.
    let bench = Bench::new();
    let run = bench.start(ENDLESS, "{ rate: 1/s, for: 1h, graceful_stop: 10s }");
    sleep(ms(1_500)).await;
    run.order(by_operator(Stop::Finish)).await.unwrap();
    let report = over(&run).await;
    assert_eq!(gracefully_stopped(&report), Some((10.0, true, 2)));
    assert_eq!(report.verdict, Some(Verdict::Stopped));
    assert_eq!(bench.heard.ends(), [ms(14_500); 2]);

    // Who is in more of a hurry shortens what follows.
    let bench = Bench::new();
    let run = bench.start(ENDLESS, load);
    sleep(ms(11_500)).await;
    run.order(end(s(1))).await.unwrap();
    let report = over(&run).await;
    assert_eq!(gracefully_stopped(&report), Some((10.0, true, 2)));
    assert_eq!(bench.heard.ends(), [ms(12_500); 2]);
    assert_eq!(report.verdict, Some(Verdict::Stopped));

    // An order that cuts nothing short leaves the verdict to the thresholds.
    let bench = Bench::new();
    let run = bench.start(ENDLESS, load);
    sleep(ms(11_500)).await;
    run.order(end(s(30))).await.unwrap();
    let report = over(&run).await;
    assert_eq!(bench.heard.ends(), [s(14); 2]);
    assert_eq!(gracefully_stopped(&report), Some((10.0, true, 2)));
    assert_eq!(report.ended_by, Some(EndedBy::Load));
    assert_eq!(report.verdict, Some(Verdict::Passed));
}

#[tokio::test]
async fn a_request_in_flight_is_answered_and_always_steps_follow() {
    let (bench, puppet) = Bench::with_puppet().await;
    let report = bench
        .run(
            "
steps:
  - step: opens
    http: { post: '{{ target.url }}/opens', json: { wait_ms: 1500, answer: { id: 7 } } }
    capture: { id: body.id }
  - step: never
    http: { get: '{{ target.url }}/never' }
always:
  - step: closes
    when: id is defined
    http: { delete: '{{ target.url }}/{{ id }}' }
",
            "{ chats: 1, graceful_stop: 1s }",
        )
        .await;
    assert_eq!(puppet.requests(), ["/opens", "/7"]);
    assert_eq!(step(&report, "opens"), (1, vec![]));
    assert_eq!(step(&report, "closes"), (1, vec![]));
    assert_eq!(gracefully_stopped(&report), Some((1.0, true, 1)));
    assert_eq!(report.orphans_total, 0);
}
