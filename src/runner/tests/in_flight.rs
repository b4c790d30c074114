//! Requests that are on their way when a run is ended.

use super::*;
use crate::driver::Sharing;

const END: Order = by_operator(Stop::End {
    answers: s(10),
    cleanup: s(10),
});

/// A chat and a setup that each open something that only their answer names.
const OPENS: &str = "
correlation: [id]
steps:
  - step: open
    http: { post: '{{ target.url }}/open', json: { wait_ms: 300, answer: { id: 7 } } }
    capture: { id: body.id }
  - step: never
    http: { post: '{{ target.url }}/never' }
always:
  - step: close
    when: id is defined and not passed
    http: { delete: '{{ target.url }}/close/{{ id }}' }
";

async fn arrived(puppet: &Puppet, count: usize) {
    while puppet.requests().len() < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_chat_is_closed_by_what_the_answer_on_its_way_says() {
    let (bench, puppet) = Bench::with_puppet().await;
    let run = bench.start(OPENS, "{ chats: 1 }");
    arrived(&puppet, 1).await;
    run.order(END).await.unwrap();
    let report = over(&run).await;
    assert_eq!(puppet.requests(), ["/open", "/close/7"]);
    assert_eq!(step(&report, "open"), (1, vec![]));
    assert_eq!(step(&report, "never"), (0, vec![]), "it did not begin");
    assert_eq!(step(&report, "close"), (1, vec![]));
    assert_eq!((report.chats.stopped, report.chats.passed), (1, 0));
    assert_eq!(report.verdict, Some(Verdict::Stopped));
    assert_eq!((report.orphans_total, report.orphans), (0, vec![]));
}

#[tokio::test]
async fn a_track_has_its_time_for_an_answer_whatever_the_tracks_beside_it_do() {
    let (bench, puppet) = Bench::with_puppet().await;
    let run = bench.start(
        "
steps:
  - together:
      customer:
        - step: open
          http: { post: '{{ target.url }}/open', json: { wait_ms: 300, answer: { id: 7 } } }
          capture: { id: body.id }
      agent: [ { think: 1h } ]
always:
  - step: close
    http: { delete: '{{ target.url }}/close/{{ customer.id }}' }
",
        "{ chats: 1 }",
    );
    arrived(&puppet, 1).await;
    run.order(END).await.unwrap();
    let report = over(&run).await;
    assert_eq!(puppet.requests(), ["/open", "/close/7"]);
    assert_eq!(step(&report, "open"), (1, vec![]));
    assert_eq!(report.verdict, Some(Verdict::Stopped));
}

#[tokio::test]
async fn a_setup_is_taken_back_by_what_the_answer_on_its_way_says() {
    let (mut bench, puppet) = Bench::with_puppet().await;
    for mode in [Mode::Burst, Mode::Probe] {
        bench.mode = mode;
        let before = puppet.requests().len();
        let run = bench.start(
            "
setup:
  - step: hook
    http: { post: '{{ target.url }}/hook', json: { wait_ms: 300, answer: { id: 8 } } }
    capture: { hook_id: body.id }
  - step: second
    http: { post: '{{ target.url }}/second' }
steps: [ { step: never, http: { post: '{{ target.url }}/never' } } ]
teardown:
  - step: unhook
    when: hook_id is defined
    http: { delete: '{{ target.url }}/hook/{{ hook_id }}' }
",
            "{ chats: 1 }",
        );
        arrived(&puppet, before + 1).await;
        run.order(END).await.unwrap();
        let report = over(&run).await;
        assert_eq!(puppet.requests()[before..], ["/hook", "/hook/8"]);
        assert_eq!(step(&report, "hook"), (1, vec![]));
        assert_eq!(step(&report, "second"), (0, vec![]));
        assert_eq!(report.chats.started, 0);
        assert_eq!(report.verdict, Some(Verdict::Stopped));
        assert_eq!(report.orphans, []);
    }
}

#[tokio::test]
async fn answers_are_waited_for_as_long_as_the_order_says() {
    let (bench, puppet) = Bench::with_puppet().await;
    let slow = OPENS.replace("wait_ms: 300", "wait_ms: 60000");
    let run = bench.start(&slow, "{ chats: 1 }");
    arrived(&puppet, 1).await;
    let end = Stop::End {
        answers: ms(200),
        cleanup: s(10),
    };
    let asked = tokio::time::Instant::now();
    run.order(by_operator(end)).await.unwrap();
    let report = over(&run).await;
    assert!(asked.elapsed() >= ms(200), "{:?}", asked.elapsed());
    assert_eq!(puppet.requests(), ["/open"]);
    assert_eq!(step(&report, "open"), (0, vec![]));
    assert_eq!(stopped(&report, "open"), 1);
    assert_eq!(report.chats.stopped, 1);
    assert_eq!((report.orphans_total, report.orphans[0].chat), (1, 1));
    let why = report.orphans[0].why.as_ref().unwrap();
    assert!(why.contains("`open`"), "{why}");
}

#[tokio::test]
async fn a_second_end_waits_for_no_answer() {
    let (bench, puppet) = Bench::with_puppet().await;
    let slow = OPENS.replace("wait_ms: 300", "wait_ms: 60000");
    let run = bench.start(&slow, "{ chats: 2 }");
    arrived(&puppet, 2).await;
    run.order(END).await.unwrap();
    run.order(by_operator(Stop::AT_ONCE)).await.unwrap();
    let report = over(&run).await;
    assert!(report.elapsed_seconds < 10.0, "{}", report.elapsed_seconds);
    assert_eq!(report.chats.stopped, 2);
    assert_eq!(report.orphans_total, 2);
}

#[tokio::test]
async fn a_request_without_a_connection_is_not_sent_any_more() {
    let (bench, puppet) = Bench::with_puppet_and(|mut target| {
        let most = std::num::NonZeroUsize::MIN;
        let max_age = Duration::from_mins(5);
        target.connections.sharing = Sharing::Shared { most, max_age };
        target
    })
    .await;
    let run = bench.start(OPENS, "{ chats: 3 }");
    arrived(&puppet, 1).await;
    run.order(END).await.unwrap();
    let report = over(&run).await;
    assert_eq!(puppet.requests(), ["/open", "/close/7"]);
    assert_eq!(step(&report, "open"), (1, vec![]));
    assert_eq!(stopped(&report, "open"), 2);
    assert_eq!(report.chats.stopped, 3);
    assert_eq!(report.orphans, [], "nothing of the others was sent");
}

#[tokio::test]
async fn the_step_on_its_way_keeps_its_outcome_and_the_chat_is_stopped() {
    for (answer, outcome, closed) in [
        ("status: 503", (0, vec![Reason::Status]), false),
        ("answer: {}", (0, vec![Reason::Capture]), false),
        ("answer: { id: 7 }", (1, vec![]), true),
    ] {
        let (bench, puppet) = Bench::with_puppet().await;
        let scenario = OPENS.replace("answer: { id: 7 }", answer);
        let run = bench.start(&scenario, "{ chats: 1 }");
        arrived(&puppet, 1).await;
        run.order(END).await.unwrap();
        let report = over(&run).await;
        assert_eq!(step(&report, "open"), outcome, "{answer}");
        assert_eq!(step(&report, "close").0 == 1, closed, "{answer}");
        assert_eq!(
            (report.chats.stopped, report.chats.failed),
            (1, 0),
            "{answer}"
        );
        // What was accepted and not named cannot be closed.
        let left_open = u64::from(answer == "answer: {}");
        assert_eq!(report.orphans_total, left_open, "{answer}");
    }
}

#[tokio::test]
async fn a_chat_whose_last_step_is_on_its_way_may_pass() {
    let (bench, puppet) = Bench::with_puppet().await;
    let last = "
steps:
  - step: last
    http: { post: '{{ target.url }}/last', json: { wait_ms: 300 } }
";
    let run = bench.start(last, "{ chats: 1 }");
    arrived(&puppet, 1).await;
    run.order(END).await.unwrap();
    let report = over(&run).await;
    assert_eq!((report.chats.passed, report.chats.stopped), (1, 0));
    assert_eq!(
        report.verdict,
        Some(Verdict::Passed),
        "nothing was cut short"
    );
}

#[tokio::test]
async fn a_threshold_that_ends_the_run_waits_for_answers_too() {
    let (mut bench, puppet) = Bench::with_puppet().await;
    bench.thresholds = "[ { failed: 0%, abort: true } ]";
    let scenario = OPENS.replace(
        "steps:\n  - step: open",
        "steps:
  - step: fails
    when: chat.number == 2
    http: { post: '{{ target.url }}/fails', json: { status: 503 } }
  - step: open",
    );
    let scenario = scenario.replace("wait_ms: 300", "wait_ms: 800");
    let run = bench.start(&scenario, "{ chats: 2 }");
    let report = over(&run).await;
    let mut requests = puppet.requests();
    requests.sort();
    assert_eq!(requests, ["/close/7", "/fails", "/open"]);
    assert_eq!((report.chats.failed, report.chats.stopped), (1, 1));
    assert_eq!(report.verdict, Some(Verdict::Failed));
    assert_eq!(report.orphans, []);
}
