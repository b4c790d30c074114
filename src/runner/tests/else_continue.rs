//! Steps that say `else: continue`.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_failure_is_counted_and_the_chat_goes_on_without_what_the_step_captures() {
    let bench = Bench::new();
    let steps = "
steps:
  - { step: first, flip: abc, expect: flipped == 'abc', capture: { said: flipped }, else: continue }
  - { step: second, flip: '{{ said | default(\"none\") }}', expect: flipped == 'enon' }
  - { step: third, flip: '{{ said }}', else: continue }
  - { step: fourth, when: said == 1, flip: a, else: continue }
  - { step: fifth, flip: b }
always:
  - { step: last, flip: a, expect: passed }
";
    let report = bench.run(steps, "{ chats: 3 }").await;
    assert_eq!((report.chats.passed, report.chats.failed), (3, 0));
    assert_eq!(report.verdict, Some(Verdict::Passed));
    assert_eq!(report.failures, []);
    assert_eq!(step(&report, "first"), (0, vec![Reason::Expectation]));
    assert_eq!(step(&report, "third"), (0, vec![Reason::Template]));
    for passed in ["second", "fifth", "last"] {
        assert_eq!(step(&report, passed), (3, vec![]), "{passed}");
    }
    let without = steps.replace(
        "third, flip: '{{ said }}', else: continue",
        "third, flip: '{{ said }}'",
    );
    let report = bench.run(&without, "{ chats: 1 }").await;
    assert_eq!((report.chats.passed, report.chats.failed), (0, 1));
    assert_eq!(report.failures[0].step, "third");
    assert_eq!(step(&report, "fifth"), (0, vec![]));
}

#[tokio::test(start_paused = true)]
async fn an_optional_wait_takes_its_time_and_no_more() {
    let bench = Bench::new();
    let waits = "
callbacks: { key: event.key }
steps:
  - { step: asks, flip: one, capture: { said: flipped }, claim: said }
  - { step: hears, wait_for: event.kind == 'reply', timeout: 5s, else: continue }
  - { think: 1s }
  - { step: ends, flip: two }
";
    let report = bench.run(waits, "{ chats: 1 }").await;
    assert_eq!(step(&report, "hears"), (0, vec![Reason::ReplyTimeout]));
    assert_eq!(step(&report, "ends"), (1, vec![]));
    assert_eq!(bench.heard.durations(), [s(6)]);
    assert_eq!(report.chats.passed, 1);
}

/// A wait that would take an hour, if the chat could.
const LONG: &str = "
callbacks: { key: event.key }
steps:
  - { step: asks, flip: one, capture: { said: flipped }, claim: said }
  - { step: hears, wait_for: event.kind == 'reply', timeout: 1h, else: continue }
  - { step: ends, flip: two }
";

#[tokio::test(start_paused = true)]
async fn a_chat_that_passes_its_deadline_has_failed_whatever_the_step_says() {
    let bench = Bench::new();
    let report = bench
        .run(&format!("deadline: 10s{LONG}"), "{ chats: 1 }")
        .await;
    assert_eq!((report.chats.passed, report.chats.failed), (0, 1));
    assert_eq!(step(&report, "hears"), (0, vec![Reason::Timeout]));
    assert_eq!(step(&report, "ends"), (0, vec![]));
    assert_eq!(bench.heard.durations(), [s(10)]);
    let failure = &report.failures[0];
    assert_eq!((&*failure.step, failure.reason), ("hears", Reason::Timeout));
    assert!(
        failure.detail.contains("its deadline of 10 s"),
        "{failure:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_chat_whose_run_is_stopped_does_not_go_on() {
    let bench = Bench::new();
    let run = bench.start(LONG, "{ chats: 1 }");
    sleep(s(2)).await;
    run.order(by_operator(Stop::AT_ONCE)).await.unwrap();
    let report = over(&run).await;
    assert_eq!((report.chats.stopped, report.chats.failed), (1, 0));
    assert_eq!(stopped(&report, "hears"), 1);
    assert_eq!(step(&report, "ends"), (0, vec![]));
}
