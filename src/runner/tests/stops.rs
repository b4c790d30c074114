use super::*;

const CLEANS_UP: &str = "
steps: [ { think: 10s } ]
always: [ { think: 3s } ]
teardown: [ { think: 3s } ]
";

#[tokio::test(start_paused = true)]
async fn a_run_that_finishes_lets_its_chats_end() {
    let bench = Bench::new();
    let run = bench.start(CLEANS_UP, "{ rate: 1/s, for: 60s }");
    sleep(ms(1_500)).await;
    run.order(by_operator(Stop::Finish)).await.unwrap();
    let report = over(&run).await;
    assert_eq!((report.chats.started, report.chats.passed), (2, 2));
    assert_eq!(report.verdict, Some(Verdict::Stopped));
    assert_eq!(bench.heard.ends(), [13, 14].map(s));
    assert!((report.elapsed_seconds - 17.0).abs() < 0.01);
}

#[tokio::test(start_paused = true)]
async fn a_run_says_what_ended_it_and_the_first_of_several_holds() {
    let bench = Bench::new();
    let report = bench.run(CLEANS_UP, "{ chats: 1 }").await;
    assert_eq!(report.ended_by, Some(EndedBy::Load));
    for (by, says) in [
        (EndedBy::Operator, "stopped by an operator"),
        (EndedBy::Shutdown, "the service was shut down"),
        (EndedBy::Sigterm, "stopped by SIGTERM"),
        (EndedBy::Sigint, "stopped by SIGINT"),
        (EndedBy::Sighup, "stopped by SIGHUP"),
    ] {
        let run = bench.start(CLEANS_UP, "{ rate: 1/s, for: 60s }");
        sleep(ms(1_500)).await;
        assert_eq!(run.report().ended_by, None);
        run.order(Order::Stop(Stop::Finish, by)).await.unwrap();
        assert_eq!(run.report().ended_by, Some(by), "while chats finish");
        let later = Order::Stop(Stop::AT_ONCE, EndedBy::Shutdown);
        run.order(later).await.unwrap();
        let report = over(&run).await;
        assert_eq!(report.ended_by, Some(by));
        assert_eq!(report.verdict, Some(Verdict::Stopped));
        assert!(report.verdict_reasons[0].contains(says), "{says}");
    }
    let fails = "setup: [ { think: '{{ target.name }}' } ]\nsteps: [ { think: 1s } ]";
    let report = bench.run(fails, "{ chats: 1 }").await;
    assert_eq!(report.ended_by, Some(EndedBy::Setup));
}

/// What a run of this load comes to that is stopped so many seconds after its beginning.
async fn stopped_after(seconds: u64, load: &str, stops: &[Stop]) -> RunReport {
    let bench = Bench::new();
    let run = bench.start(CLEANS_UP, load);
    // Behind whatever happens in that second.
    sleep(ms(seconds * 1_000 + 500)).await;
    for stop in stops {
        run.order(by_operator(*stop)).await.unwrap();
    }
    over(&run).await
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_comes_when_the_load_is_through_counts_only_if_it_cuts_a_chat_short() {
    let patient = Stop::End {
        answers: s(5),
        cleanup: s(5),
    };
    let impatient = Stop::End {
        answers: s(0),
        cleanup: s(2),
    };
    let kept = (EndedBy::Load, Verdict::Passed);
    let stopped = (EndedBy::Operator, Verdict::Stopped);
    let three = "{ chats: 3 }";
    for (after, load, stops, passed, (ended_by, verdict)) in [
        (1, three, &[Stop::Finish][..], 3, kept),
        (1, three, &[patient], 0, stopped),
        (1, three, &[Stop::Finish, patient], 0, stopped),
        // The steps are over, and there is time to clean up.
        (11, three, &[patient], 3, kept),
        (11, three, &[impatient], 3, kept),
        (11, three, &[Stop::AT_ONCE], 3, stopped),
        (5, "{ customers: 2, for: 5s }", &[Stop::Finish], 2, kept),
        (5, "{ customers: 2, for: 5s }", &[patient], 0, stopped),
        (5, "{ customers: 2, for: 60s }", &[Stop::Finish], 2, stopped),
    ] {
        let report = stopped_after(after, load, stops).await;
        let case = format!("{load} {stops:?} after {after} s");
        assert_eq!(report.chats.passed, passed, "{case}");
        assert_eq!(report.ended_by, Some(ended_by), "{case}");
        assert_eq!(report.verdict, Some(verdict), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_stop_that_cuts_only_the_teardown_short_leaves_the_verdict_as_it_is() {
    let impatient = Stop::End {
        answers: s(0),
        cleanup: s(2),
    };
    let report = stopped_after(11, "{ chats: 3 }", &[impatient]).await;
    assert_eq!(report.verdict, Some(Verdict::Passed));
    let failure = report.teardown_failed.expect("no time for its pause");
    assert_eq!(failure.step, None, "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn a_late_stop_is_what_ends_the_run_until_it_turns_out_to_cut_nothing_short() {
    let bench = Bench::new();
    let run = bench.start(CLEANS_UP, "{ chats: 3 }");
    sleep(s(11)).await;
    run.order(by_operator(Stop::Finish)).await.unwrap();
    assert_eq!(run.report().ended_by, None);
    let patient = Stop::End {
        answers: s(5),
        cleanup: s(5),
    };
    run.order(by_operator(patient)).await.unwrap();
    assert_eq!(run.report().ended_by, Some(EndedBy::Operator));
    assert_eq!(over(&run).await.ended_by, Some(EndedBy::Load));
}

#[tokio::test(start_paused = true)]
async fn a_threshold_that_ended_a_run_is_why_it_ended_whatever_is_ordered_later() {
    let mut bench = Bench::new();
    let steps = "
steps: [ { think: '{{ target.name if chat.number == 1 else \"0s\" }}' } ]
always: [ { think: 3s, when: passed } ]
";
    bench.thresholds = "[ { failed: 0%, abort: true } ]";
    let run = bench.start(steps, "{ chats: 2 }");
    sleep(ms(500)).await;
    let patient = Stop::End {
        answers: s(5),
        cleanup: s(5),
    };
    run.order(by_operator(patient)).await.unwrap();
    let report = over(&run).await;
    assert_eq!((report.chats.passed, report.chats.failed), (1, 1));
    assert_eq!(report.ended_by, Some(EndedBy::Threshold));
    assert_eq!(report.verdict, Some(Verdict::Failed));
}

/// The first chat fails at once, and counts after its `always` steps; the others take so long.
fn first_fails(others: &str) -> String {
    format!(
        "
steps: [ {{ think: '{{{{ target.name if chat.number == 1 else \"{others}\" }}}}' }} ]
always: [ {{ think: 3s }} ]
"
    )
}

#[tokio::test(start_paused = true)]
async fn a_threshold_that_breaks_while_the_run_is_being_ended_aborts_nothing() {
    let stopped = (EndedBy::Operator, Verdict::Stopped);
    for (others, cut_short, (ended_by, verdict)) in [
        ("10s", 1, stopped),
        ("0s", 0, (EndedBy::Load, Verdict::Failed)),
    ] {
        let mut bench = Bench::new();
        bench.thresholds = "[ { failed: 0%, abort: true } ]";
        let run = bench.start(&first_fails(others), "{ chats: 2 }");
        sleep(ms(500)).await;
        let patient = Stop::End {
            answers: s(5),
            cleanup: s(5),
        };
        run.order(by_operator(patient)).await.unwrap();
        let report = over(&run).await;
        assert_eq!((report.chats.failed, report.chats.stopped), (1, cut_short));
        assert_eq!(report.ended_by, Some(ended_by), "{others}");
        assert_eq!(report.verdict, Some(verdict), "{others}");
        let early = EndedBy::Threshold.in_words();
        let reasons = &report.verdict_reasons;
        assert!(!reasons.iter().any(|why| why == early), "{reasons:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_a_run_after_a_stop_that_lets_chats_finish_is_what_ended_it() {
    let setup = "
setup: [ { think: 5s }, { think: '{{ target.name }}' } ]
steps: [ { think: 1s } ]
";
    for (scenario, ended_by) in [
        (first_fails("10s"), EndedBy::Threshold),
        (setup.to_owned(), EndedBy::Setup),
    ] {
        let mut bench = Bench::new();
        bench.thresholds = "[ { failed: 0%, abort: true } ]";
        let run = bench.start(&scenario, "{ chats: 100, ramp: 100s }");
        sleep(ms(1_500)).await;
        run.order(by_operator(Stop::Finish)).await.unwrap();
        assert_eq!(run.report().ended_by, Some(EndedBy::Operator));
        let report = over(&run).await;
        assert_eq!(report.ended_by, Some(ended_by));
        assert_eq!(report.verdict, Some(Verdict::Failed));
        assert!(report.verdict_reasons[0].starts_with(ended_by.in_words()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_ended_stops_its_chats_but_lets_them_clean_up() {
    let bench = Bench::new();
    let run = bench.start(CLEANS_UP, "{ rate: 1/s, for: 60s }");
    sleep(ms(1_500)).await;
    let end = Stop::End {
        answers: s(0),
        cleanup: s(5),
    };
    run.order(by_operator(end)).await.unwrap();
    let report = over(&run).await;
    assert_eq!((report.chats.started, report.chats.stopped), (2, 2));
    assert_eq!(bench.heard.ends(), [ms(4_500); 2]);
    let mut durations = bench.heard.durations();
    durations.sort();
    assert_eq!(durations, [ms(500), ms(1_500)]);
    assert_eq!(bench.heard.endings(), [Ending::Stopped, Ending::Stopped]);
    assert!(
        (report.elapsed_seconds - 7.5).abs() < 0.01,
        "{}",
        report.elapsed_seconds
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_to_clean_up_is_bounded_and_the_teardown_has_its_own() {
    let bench = Bench::new();
    let run = bench.start(CLEANS_UP, "{ rate: 1/s, for: 60s }");
    sleep(ms(1_500)).await;
    let end = Stop::End {
        answers: s(0),
        cleanup: s(1),
    };
    run.order(by_operator(end)).await.unwrap();
    let report = over(&run).await;
    assert_eq!(bench.heard.ends(), [ms(2_500); 2]);
    assert!(
        (report.elapsed_seconds - 3.5).abs() < 0.01,
        "{}",
        report.elapsed_seconds
    );
}

#[tokio::test(start_paused = true)]
async fn an_endless_time_to_clean_up_is_no_fault() {
    let bench = Bench::new();
    let run = bench.start(CLEANS_UP, "{ chats: 1 }");
    sleep(ms(1_500)).await;
    let end = Stop::End {
        answers: Duration::MAX,
        cleanup: Duration::MAX,
    };
    run.order(by_operator(end)).await.unwrap();
    let report = over(&run).await;
    assert_eq!(report.verdict, Some(Verdict::Stopped));
}

#[tokio::test(start_paused = true)]
async fn an_end_may_follow_a_finish() {
    let bench = Bench::new();
    let run = bench.start(CLEANS_UP, "{ rate: 1/s, for: 60s }");
    sleep(ms(500)).await;
    run.order(by_operator(Stop::Finish)).await.unwrap();
    sleep(s(1)).await;
    let end = Stop::End {
        answers: s(0),
        cleanup: s(0),
    };
    run.order(by_operator(end)).await.unwrap();
    let report = over(&run).await;
    assert_eq!((report.chats.started, report.chats.stopped), (1, 1));
    assert_eq!(bench.heard.ends(), [ms(1_500)]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_teardown_shortens_it_and_leaves_the_verdict() {
    let bench = Bench::new();
    let run = bench.start(CLEANS_UP, "{ chats: 1 }");
    sleep(ms(14_000)).await;
    let end = Stop::End {
        answers: s(0),
        cleanup: s(0),
    };
    run.order(by_operator(end)).await.unwrap();
    let report = over(&run).await;
    assert_eq!(report.verdict, Some(Verdict::Passed));
    let failed = report.teardown_failed.unwrap();
    assert_eq!((failed.step, failed.reason), (None, None));
    assert!((report.elapsed_seconds - 14.0).abs() < 0.01);
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_can_be_stopped() {
    let bench = Bench::new();
    let run = bench.start(CLEANS_UP, "{ rate: 1/s, for: 60s }");
    sleep(ms(500)).await;
    run.order(Order::Pause).await.unwrap();
    run.order(by_operator(Stop::Finish)).await.unwrap();
    let report = over(&run).await;
    assert_eq!((report.chats.started, report.chats.passed), (1, 1));
}

#[tokio::test]
async fn steps_in_progress_end_as_stopped_and_always_steps_still_run() {
    let (bench, puppet) = Bench::with_puppet().await;
    let run = bench.start(
        "
steps:
  - step: hangs
    http: { post: '{{ target.url }}/hangs', json: { wait_ms: 60000 } }
  - step: never
    http: { get: '{{ target.url }}/never' }
always:
  - step: bye
    when: not passed
    http: { get: '{{ target.url }}/bye' }
teardown:
  - step: unhook
    http: { get: '{{ target.url }}/unhook' }
",
        "{ chats: 1 }",
    );
    while puppet.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    let end = Stop::End {
        answers: s(0),
        cleanup: s(10),
    };
    run.order(by_operator(end)).await.unwrap();
    let report = over(&run).await;
    assert_eq!(puppet.requests(), ["/hangs", "/bye", "/unhook"]);
    assert_eq!(step(&report, "hangs"), (0, vec![]));
    assert_eq!(stopped(&report, "hangs"), 1);
    assert_eq!(step(&report, "never"), (0, vec![]));
    assert_eq!(step(&report, "bye"), (1, vec![]));
    assert_eq!(step(&report, "unhook"), (1, vec![]));
    assert_eq!(report.chats.stopped, 1);
    assert_eq!(report.verdict, Some(Verdict::Stopped));
}

#[tokio::test(start_paused = true)]
async fn of_two_ends_the_one_in_more_of_a_hurry_holds() {
    for (first, second) in [(s(60), ms(500)), (ms(1_000), s(60))] {
        let bench = Bench::new();
        let run = bench.start(CLEANS_UP, "{ chats: 1 }");
        sleep(s(1)).await;
        let end = |cleanup| {
            by_operator(Stop::End {
                answers: s(0),
                cleanup,
            })
        };
        run.order(end(first)).await.unwrap();
        sleep(ms(500)).await;
        run.order(end(second)).await.unwrap();
        over(&run).await;
        assert_eq!(bench.heard.ends(), [s(2)], "{first:?} {second:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_repetition_of_nothing_can_be_ended() {
    let bench = Bench::new();
    let nothing = "steps: [ { repeat: 1000000000000, steps: [ { think: 1s, when: 'false' } ] } ]";
    let run = bench.start(nothing, "{ chats: 1 }");
    run.order(by_operator(Stop::End {
        answers: s(0),
        cleanup: s(1),
    }))
    .await
    .unwrap();
    assert_eq!(over(&run).await.verdict, Some(Verdict::Stopped));
}
