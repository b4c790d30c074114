use super::*;

#[tokio::test(start_paused = true)]
async fn each_customer_begins_a_new_chat_when_the_last_one_ended() {
    let bench = Bench::new();
    let report = bench
        .run("steps: [ { think: 4s } ]", "{ customers: 2, for: 10s }")
        .await;
    assert_eq!(bench.heard.starts(), [0, 0, 4, 4, 8, 8].map(s));
    assert_eq!(
        bench.heard.ends().last(),
        Some(&s(12)),
        "the last ones finish"
    );
    assert_eq!(bench.heard.durations(), [s(4); 6]);
    assert_eq!(report.chats.most_in_progress, 2);
    assert_eq!(report.verdict, Some(Verdict::Passed));
}

#[tokio::test(start_paused = true)]
async fn with_a_pace_a_customer_starts_no_sooner_and_the_longer_of_pace_and_chat_counts() {
    for (scenario, load, starts) in [
        (
            "steps: [ { think: 1s } ]",
            "{ customers: 2, for: 10s, pace: 4s }",
            &[0, 0, 4, 4, 8, 8][..],
        ),
        (
            "steps: [ { think: 5s } ]",
            "{ customers: 1, for: 12s, pace: 4s }",
            &[0, 5, 10],
        ),
        (
            "loop_delay: 2s\nsteps: [ { think: 1s } ]",
            "{ customers: 1, for: 9s, pace: 4s }",
            &[0, 4, 8],
        ),
        (
            "loop_delay: 2s\nsteps: [ { think: 3s } ]",
            "{ customers: 1, for: 9s, pace: 4s }",
            &[0, 5],
        ),
    ] {
        let bench = Bench::new();
        bench.run(scenario, load).await;
        let expected: Vec<_> = starts.iter().copied().map(s).collect();
        assert_eq!(bench.heard.starts(), expected, "{scenario} {load}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_ramp_down_customers_leave_at_the_ends_of_their_chats() {
    let bench = Bench::new();
    let load = "{ customers: 4, for: 20s, ramp_down: 8s }";
    bench.run("steps: [ { think: 4s } ]", load).await;
    // At 16 s there are two left, who are gone at the end.
    let starts = [0, 4, 8, 12].into_iter().flat_map(|start| [s(start); 4]);
    let expected: Vec<_> = starts.chain([s(16); 2]).collect();
    assert_eq!(bench.heard.starts(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_changed_number_of_customers_holds_until_the_same_end() {
    let bench = Bench::new();
    let run = bench.start("steps: [ { think: 4s } ]", "{ customers: 2, for: 10s }");
    sleep(s(2)).await;
    run.order(Order::Customers(3)).await.unwrap();
    sleep(s(3)).await;
    run.order(Order::Customers(1)).await.unwrap();
    over(&run).await;
    assert_eq!(bench.heard.starts(), [0, 0, 2, 4, 4, 8].map(s));
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_customers_lets_them_finish_and_begins_no_other() {
    let bench = Bench::new();
    let run = bench.start("steps: [ { think: 4s } ]", "{ customers: 1, for: 10s }");
    sleep(s(1)).await;
    run.order(Order::Pause).await.unwrap();
    sleep(s(100)).await;
    run.order(Order::Resume).await.unwrap();
    over(&run).await;
    assert_eq!(bench.heard.starts(), [0, 101, 105, 109].map(s));
}

#[tokio::test(start_paused = true)]
async fn customers_have_no_rate_and_arrivals_no_customers() {
    use crate::runner::OrderError;

    let bench = Bench::new();
    let rate = Order::Rate(crate::units::Rate::per_second(1.0).unwrap());
    let run = bench.start("steps: [ { think: 4s } ]", "{ customers: 1, for: 1s }");
    assert_eq!(run.order(rate).await, Err(OrderError::NoRate));
    over(&run).await;
    let run = bench.start("steps: [ { think: 4s } ]", "{ rate: 1/s, for: 2s }");
    let refused = run.order(Order::Customers(1)).await;
    assert_eq!(refused, Err(OrderError::NoCustomers));
    over(&run).await;
}

#[tokio::test(start_paused = true)]
async fn customers_of_a_target_that_is_done_at_once_come_no_faster_than_the_highest_rate() {
    let bench = Bench::new();
    let mut spec = bench.spec("steps: [ { think: 0s } ]", "{ customers: 5, for: 10s }");
    spec.max_rate = crate::units::Rate::per_second(2.0);
    let report = over(&bench.engine.start(spec)).await;
    assert_eq!(report.chats.passed, 20);
    assert_eq!(bench.heard.starts()[..4], [0, 500, 1_000, 1_500].map(ms));
}
