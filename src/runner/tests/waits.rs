use super::*;
use crate::event::Fate;

/// A chat whose `open` request makes the server send EVENTS, and then waits.
fn chat(open: &str, rest: &str) -> String {
    format!(
        "
callbacks: {{ key: event.key, id: event.id, disconnected: event.kind == 'left' }}
steps:
  - step: open
    http: {{ post: '{{{{ target.url }}}}/open', json: {{ token: '{{{{ callback.url }}}}', answer: {{ id: 9 }}, {open} }} }}
    capture: {{ id: body.id }}
    claim: id
{rest}"
    )
}

fn wait(name: &str, more: &str) -> String {
    format!("  - step: {name}\n    wait_for: event.kind == 'reply'\n    timeout: 150ms\n{more}")
}

async fn run(open: &str, rest: &str) -> (Bench, RunReport) {
    let (bench, _puppet) = Bench::with_puppet().await;
    let report = bench.run(&chat(open, rest), "{ chats: 1 }").await;
    (bench, report)
}

fn fates(report: &RunReport) -> Vec<(Fate, u64)> {
    report.events.by_fate.clone().into_iter().collect()
}

#[tokio::test]
async fn an_event_that_came_before_the_answer_to_its_request_is_not_lost() {
    let open = "before: [ { key: 9, kind: reply }, { key: '9', kind: other } ]";
    let (_, report) = run(open, &wait("hear", "    capture: { key: event.key }")).await;
    assert_eq!(
        report.verdict,
        Some(Verdict::Passed),
        "{:?}",
        report.failures
    );
    assert_eq!(fates(&report), [(Fate::Consumed, 1), (Fate::Ignored, 1)]);
}

#[tokio::test]
async fn the_latency_of_a_wait_counts_from_the_request_to_the_arrival() {
    let open = "after: [ [ 50, { key: 9, kind: reply } ] ]";
    let rest = format!("  - think: 300ms\n{}", wait("hear", ""));
    let (_, report) = run(open, &rest).await;
    let latency = report.steps[1].latency.max.unwrap();
    assert!((0.05..0.3).contains(&latency), "{latency}");
}

#[tokio::test]
async fn a_wait_in_vain_has_the_reason_of_what_it_waited_for() {
    let (bench, report) = run("status: 200", &wait("join", "    observe: agent_join")).await;
    assert_eq!(step(&report, "join"), (0, vec![Reason::AgentJoinTimeout]));
    let waits = bench.heard.notes();
    let count = |wanted: &heard::Note| waits.iter().filter(|note| *note == wanted).count();
    assert_eq!(count(&heard::Note::WaitStarted), 1);
    assert_eq!(count(&heard::Note::WaitEnded), 1);

    let (bench, report) = run("status: 200", &wait("hear", "")).await;
    assert_eq!(step(&report, "hear"), (0, vec![Reason::ReplyTimeout]));
    let detail = "no such event in time (waited 150 ms)";
    assert_eq!(report.failures[0].detail, detail);
    assert!(!bench.heard.notes().contains(&heard::Note::WaitStarted));
    assert_eq!(report.failures[0].correlation["key"], "9");
}

#[tokio::test]
async fn a_wait_fails_when_the_other_side_left() {
    let open = "after: [ [ 5, { key: 9, kind: left } ], [ 1, { key: 9, kind: left } ] ]";
    let rest = wait("hear", "").replace("150ms", "60s");
    let (_, report) = run(open, &rest).await;
    assert_eq!(step(&report, "hear"), (0, vec![Reason::Disconnected]));
    let detail = "the other side left before such an event came";
    assert_eq!(report.failures[0].detail, detail);
}

#[tokio::test]
async fn an_agent_who_wrote_first_has_not_answered_unless_since_says_so() {
    let open = "before: [ { key: 9, kind: reply } ]";
    let say = "  - step: say\n    http: { post: '{{ target.url }}/say' }\n";
    let (_, report) = run(open, &format!("{say}{}", wait("hear", ""))).await;
    assert_eq!(step(&report, "hear"), (0, vec![Reason::ReplyTimeout]));
    let detail = &report.failures[0].detail;
    assert!(
        detail.contains("1 came before the latest request was sent"),
        "{detail}"
    );

    let since = wait("hear", "    since: open");
    let (_, report) = run(open, &format!("{say}{since}")).await;
    assert_eq!(step(&report, "hear"), (1, vec![]));
}

#[tokio::test]
async fn a_redelivery_does_not_answer_twice() {
    let open = "before: [ { key: 9, kind: reply, id: 1 }, { key: 9, kind: reply, id: 1 } ]";
    let rest = format!("{}\n{}", wait("first", ""), wait("second", ""));
    let (_, report) = run(open, &rest).await;
    assert_eq!(step(&report, "first"), (1, vec![]));
    assert_eq!(step(&report, "second"), (0, vec![Reason::ReplyTimeout]));
    assert_eq!(fates(&report), [(Fate::Consumed, 1), (Fate::Duplicate, 1)]);
}

#[tokio::test]
async fn a_key_that_two_chats_are_given_fails_the_second() {
    let (bench, _puppet) = Bench::with_puppet().await;
    let scenario = chat("status: 200", "  - think: 300ms\n");
    let report = bench.run(&scenario, "{ chats: 2 }").await;
    assert_eq!((report.chats.passed, report.chats.failed), (1, 1));
    assert_eq!(report.failures[0].reason, Reason::Capture);
    let detail = &report.failures[0].detail;
    assert!(
        detail.contains("another chat holds the key `9`"),
        "{detail}"
    );
}

#[tokio::test]
async fn what_nobody_waited_for_is_settled_when_the_run_ends() {
    let open = "before: [ { key: 9, kind: other }, { key: 8 }, {} ]";
    let (_, report) = run(open, "").await;
    assert_eq!(report.verdict, Some(Verdict::Passed));
    let expected = [
        (Fate::Ignored, 1),
        (Fate::EarlyExpired, 1),
        (Fate::Unknown, 1),
    ];
    assert_eq!(fates(&report), expected);
    assert_eq!(report.events.received, 3);
}

#[tokio::test]
async fn what_comes_after_the_end_leaves_the_counts_of_the_run_as_they_are() {
    let open = "after: [ [ 30, { key: 9 } ], [ 0, { key: 8 } ], [ 0, {} ] ]";
    let (bench, _puppet) = Bench::with_puppet().await;
    let handle = bench.start(&chat(open, ""), "{ chats: 1 }");
    let report = over(&handle).await;
    assert_eq!(report.events.received, 0);
    sleep(ms(150)).await;
    assert_eq!(over(&handle).await.events, report.events);
}

#[tokio::test]
async fn a_wait_longer_than_the_clock_can_count_is_no_fault() {
    let open = "after: [ [ 5, { key: 9, kind: reply } ] ]";
    let rest = wait("hear", "").replace("150ms", "876000h");
    let (_, report) = run(open, &rest).await;
    assert_eq!(step(&report, "hear"), (1, vec![]));
}
