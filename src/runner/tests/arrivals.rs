use super::*;

const LONG: &str = "steps: [ { think: 10s } ]";

#[tokio::test(start_paused = true)]
async fn chats_start_when_the_profile_says() {
    let bench = Bench::new();
    let report = bench.run(LONG, "{ rate: 2/s, for: 2s }").await;
    assert_eq!(bench.heard.starts(), [0, 500, 1_000, 1_500].map(ms));
    assert_eq!(report.chats.started, 4);
    assert_eq!(report.chats.most_in_progress, 4);
    assert_eq!(report.verdict, Some(Verdict::Passed));
    assert_eq!(bench.heard.run_ended(), (Verdict::Passed, true));
}

#[tokio::test(start_paused = true)]
async fn every_latency_is_kept_as_long_as_it_was() {
    let bench = Bench::new();
    let report = bench
        .run("steps: [ { think: 150s } ]", "{ chats: 3 }")
        .await;
    let near = |seconds: Option<f64>| (seconds.unwrap() - 150.0).abs() < 1e-6;
    let latency = &report.chat_duration;
    assert!(
        near(latency.p50) && near(latency.max) && near(latency.mean),
        "{latency:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_ramp_of_chats_is_spread_evenly() {
    let bench = Bench::new();
    bench.run(LONG, "{ chats: 4, ramp: 8s }").await;
    assert_eq!(bench.heard.starts(), [0, 2, 4, 6].map(s));
}

#[tokio::test(start_paused = true)]
async fn drawn_arrivals_are_on_time_and_the_same_for_a_seed() {
    let drawn = async |seed| {
        let bench = Bench::new();
        let mut spec = bench.spec(
            "steps: [ { think: 10ms } ]",
            "{ rate: 50/s, for: 20s, arrivals: poisson }",
        );
        spec.seed = seed;
        let report = over(&bench.engine.start(spec)).await;
        let starts = bench.heard.starts();
        assert_eq!(report.chats.started, starts.len() as u64);
        assert_eq!(report.chats.passed, report.chats.started);
        // Five standard deviations of a count with this mean.
        assert!(report.chats.started.abs_diff(1_000) < 160, "{report:?}");
        assert!((report.scheduled_seconds.unwrap() - 20.0).abs() < 0.01);
        starts
    };
    let starts = drawn(1).await;
    let gaps = starts
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]));
    // Of even arrivals none is; of drawn ones 1 - exp(-0.5), two of five.
    let short = gaps.filter(|gap| *gap < ms(10)).count();
    assert!((300..500).contains(&short), "{short}");
    assert_eq!(drawn(1).await, starts);
    assert_ne!(drawn(2).await, starts);
}

#[tokio::test(start_paused = true)]
async fn under_an_open_profile_latency_counts_from_the_intended_start() {
    let bench = Bench::new();
    let run = bench.start(LONG, "{ rate: 1/s, for: 4s }");
    sleep(ms(500)).await;
    // The generator is blocked: the chats of seconds 1, 2 and 3 start at 3.5.
    tokio::time::advance(s(3)).await;
    let report = over(&run).await;
    assert_eq!(bench.heard.lateness(), [0, 2_500, 1_500, 500].map(ms));
    assert_eq!(
        bench.heard.durations(),
        [10_000, 12_500, 11_500, 10_500].map(ms)
    );
    assert_eq!(report.verdict, Some(Verdict::Invalid));
    assert_eq!(bench.heard.run_ended(), (Verdict::Invalid, false));
    let reasons = report.verdict_reasons.join("\n");
    assert!(
        reasons.contains("chats started up to 2.50 s late"),
        "{reasons}"
    );
}

#[tokio::test(start_paused = true)]
async fn under_a_closed_profile_latency_counts_from_the_start() {
    let bench = Bench::new();
    let run = bench.start(LONG, "{ chats: 4, ramp: 4s }");
    sleep(ms(500)).await;
    tokio::time::advance(s(3)).await;
    over(&run).await;
    assert_eq!(bench.heard.durations(), [s(10); 4]);
}

#[tokio::test(start_paused = true)]
async fn arrivals_that_find_no_room_are_dropped_and_counted() {
    let bench = Bench::new();
    let load = "{ rate: 1/s, for: 6s, max_active: 2 }";
    let report = bench.run("steps: [ { think: 2500ms } ]", load).await;
    assert_eq!(report.chats.dropped, 2);
    assert_eq!(report.chats.most_in_progress, 2);
    assert_eq!(bench.heard.starts(), [0, 1, 3, 4].map(s));
    let numbers = bench.heard.pick(|_, note| match note {
        heard::Note::Ended { chat, .. } => Some(*chat),
        _ => None,
    });
    assert_eq!(numbers, [1, 2, 4, 5], "a dropped arrival keeps its number");
}

#[tokio::test(start_paused = true)]
async fn chats_that_ended_together_make_room_for_all_that_are_due() {
    let bench = Bench::new();
    let load = "{ rate: 4/s, for: 4s, max_active: 4 }";
    let run = bench.start(
        r#"steps: [ { think: '{{ (1100 - 250 * chat.number) ~ "ms" }}', when: chat.number <= 4 } ]"#,
        load,
    );
    sleep(ms(810)).await;
    // The first four chats end at 850 ms, and the generator looks when four more are due.
    tokio::time::advance(ms(950)).await;
    sleep(ms(10)).await;
    let report = run.report();
    assert_eq!((report.chats.started, report.chats.dropped), (8, 0));
    over(&run).await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_shifts_the_schedule_and_is_nobodys_lateness() {
    let bench = Bench::new();
    let run = bench.start(LONG, "{ rate: 1/s, for: 4s }");
    sleep(ms(1_500)).await;
    run.order(Order::Pause).await.unwrap();
    sleep(s(30)).await;
    assert_eq!(run.report().state, crate::runner::RunState::Paused);
    run.order(Order::Pause).await.unwrap();
    run.order(Order::Resume).await.unwrap();
    run.order(Order::Resume).await.unwrap();
    let report = over(&run).await;
    assert_eq!(bench.heard.starts(), [0, 1_000, 32_000, 33_000].map(ms));
    assert_eq!(bench.heard.lateness(), [s(0); 4]);
    assert_eq!(bench.heard.durations(), [s(10); 4]);
    assert_eq!(report.verdict, Some(Verdict::Passed));
}

#[tokio::test(start_paused = true)]
async fn a_changed_rate_holds_from_its_moment_until_the_same_end() {
    let bench = Bench::new();
    let run = bench.start(LONG, "{ rate: 1/s, for: 4s }");
    sleep(ms(2_000)).await;
    let faster = crate::units::Rate::per_second(4.0).unwrap();
    run.order(Order::Rate(faster)).await.unwrap();
    over(&run).await;
    let starts = bench.heard.starts();
    assert_eq!(starts[..3], [0, 1_000, 2_000].map(ms));
    assert_eq!(starts.len(), 2 + 8);
    assert!(starts.last().unwrap() < &s(4));
}
