use super::*;

const LOOPS: &str = "
steps: [ { think: 1s } ]
always: [ { think: 500ms } ]
loop_delay: 2s
";

#[tokio::test(start_paused = true)]
async fn customers_wait_between_their_chats_and_no_chat_lasts_longer_for_it() {
    let bench = Bench::new();
    let report = bench.run(LOOPS, "{ customers: 2, for: 8s }").await;
    // 1 s for the steps, 500 ms for `always`, then 2 s.
    let starts = [0, 0, 3_500, 3_500, 7_000, 7_000].map(ms);
    assert_eq!(bench.heard.starts(), starts);
    assert_eq!(bench.heard.durations(), [s(1); 6]);
    assert_eq!(bench.heard.lateness(), [s(0); 6]);
    let elapsed = report.elapsed_seconds;
    assert!((elapsed - 8.5).abs() < 0.01, "nobody waits then: {elapsed}");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_who_has_no_further_chat() {
    for (load, ends) in [
        ("{ chats: 2, ramp: 2s }", vec![ms(1_500), ms(2_500)]),
        ("{ rate: 1/s, for: 2s, max_active: 1 }", vec![ms(1_500)]),
        ("{ customers: 1, for: 3s }", vec![ms(1_500)]),
    ] {
        let bench = Bench::new();
        let report = bench.run(LOOPS, load).await;
        assert_eq!(bench.heard.ends(), ends, "{load}");
        let elapsed = report.elapsed_seconds;
        assert!(elapsed < 3.01, "{load}: {elapsed}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_one_of_the_customers() {
    let bench = Bench::new();
    let run = bench.start(LOOPS, "{ customers: 1, for: 20s }");
    sleep(s(2)).await;
    // The one who waits is there already.
    run.order(Order::Customers(2)).await.unwrap();
    sleep(s(2)).await;
    assert_eq!(bench.heard.starts(), [0, 2_000, 3_500].map(ms));
    // Of the two one goes: at 5.5 s one is ready, and the other one still has a chat or waits.
    run.order(Order::Customers(1)).await.unwrap();
    sleep(s(4)).await;
    assert_eq!(bench.heard.starts()[3..], [ms(7_000)]);
    run.order(by_operator(Stop::Finish)).await.unwrap();
    over(&run).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_waits_for_no_customer() {
    for stop in [Stop::Finish, Stop::AT_ONCE] {
        let bench = Bench::new();
        let run = bench.start(LOOPS, "{ customers: 1, for: 1h }");
        sleep(s(2)).await;
        run.order(by_operator(stop)).await.unwrap();
        let report = over(&run).await;
        let elapsed = report.elapsed_seconds;
        assert!((elapsed - 2.0).abs() < 0.01, "{stop:?}: {elapsed}");
        assert_eq!(report.chats.passed, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_cannot_be_computed_fails_the_run_before_its_first_chat() {
    let bench = Bench::new();
    let scenario = "
inputs: { wait: { type: text, default: 1s } }
steps: [ { think: 1s } ]
loop_delay: \"{{ inputs.wait ~ 'x' if run.id else '1s' }}\"
";
    let report = bench.run(scenario, "{ customers: 1, for: 1m }").await;
    assert_eq!(
        (report.chats.started, report.verdict),
        (0, Some(Verdict::Failed))
    );
    let reason = &report.verdict_reasons[0];
    assert!(
        reason.contains("loop_delay") && reason.contains("1sx"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_delay_may_be_drawn_and_come_from_an_input() {
    let bench = Bench::new();
    let scenario = "
inputs: { wait: 3s }
steps: [ { think: 1s } ]
loop_delay: { uniform: ['{{ inputs.wait }}', 5s] }
";
    bench.run(scenario, "{ customers: 1, for: 1m }").await;
    let starts = bench.heard.starts();
    let between = starts
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]));
    let between: Vec<_> = between.collect();
    assert!(
        between.iter().all(|gap| *gap >= s(4) && *gap <= ms(6_010)),
        "{between:?}"
    );
    assert_ne!(between[0], between[1]);
}
