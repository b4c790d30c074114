//! Servers that bend the contract, and what goes wrong at real ones: the probe takes the first in
//! its stride and counts the second as the centre does.

use serde_json::Value;

use crate::support::{Centre, Finished, Run, Service, events, plain, requests};

const CHATS: u64 = 20;

/// Every request that the centre answered well is a step that passed, and the other way round.
#[track_caller]
fn agree(run: &Finished, stats: &Value) {
    for step in run.report["steps"].as_array().unwrap() {
        let name = step["step"].as_str().unwrap();
        if !["agent_join", "receive_chat"].contains(&name) {
            let answered = requests(stats, name, "200") + requests(stats, name, "201");
            assert_eq!(answered, run.passed(name), "{name}: {stats:#}\n{run:#?}");
        }
    }
    // What was delivered was received; the last events of the last chats may come after its end.
    let delivered = events(stats, "acknowledged");
    let received = run.received();
    assert!(received <= delivered, "{received} of {delivered}");
    assert!(
        received + 2 * run.chats("started") >= delivered,
        "{received} of {delivered}"
    );
}

async fn run_against(centre: &Centre, code: i32) -> (Finished, Value) {
    run_with_delay(centre, "300ms", code).await
}

/// The same with a customer who speaks so long after the agent joined.
async fn run_with_delay(centre: &Centre, delay: &str, code: i32) -> (Finished, Value) {
    let delay = format!("first_message_delay={delay}");
    let run = Run::of_shipped(&centre.url)
        .load(&format!("{{ chats: {CHATS}, ramp: 200ms }}"))
        .with(&["-i", "agent_join_timeout=4s", "-i", "reply_timeout=8s"])
        .with(&["-i", &delay])
        .done()
        .await
        .exits(code);
    let stats = centre.settled().await;
    agree(&run, &stats);
    (run, stats)
}

/// The same for servers that differ and do nothing wrong.
async fn passes(settings: &str) -> (Finished, Value) {
    let centre = Centre::start(settings).await;
    let (run, stats) = run_against(&centre, 0).await;
    assert_eq!(run.chats("passed"), CHATS, "{settings}");
    (run, stats)
}

async fn with_fault(faults: &str, code: i32) -> (Finished, Value) {
    let centre = Centre::start(&format!("faults: {faults}")).await;
    run_against(&centre, code).await
}

#[tokio::test]
async fn the_server_of_the_reference_load_test_passes() {
    let centre = Centre::start("quirks: reference").await;
    let (run, stats) = run_against(&centre, 0).await;
    assert_eq!(run.chats("passed"), CHATS);
    assert_eq!(requests(&stats, "webhook_create", "200"), 1);
    // It answers the goodbye too, in its own time.
    centre
        .stats_when("an answer to every message", |stats| {
            stats["events"]["agent_message"]["emitted"] == 3 * CHATS
        })
        .await;
    assert_eq!(run.passed("receive_chat"), 2 * CHATS);
}

#[tokio::test]
async fn each_quirk_alone_passes() {
    for quirk in [
        "ok_for_created: [webhook_create, session_create]",
        "sparse_answers: true",
        "numeric_ids: true",
        "shared_callback: true",
        "constant_ids: true",
        "event_content_type: form",
        "event_content_type: none",
        "event_method: get",
        "disconnected_twice: true",
        "answers_bye: true",
    ] {
        passes(&format!("quirks: {{ {quirk} }}")).await;
    }
}

#[tokio::test]
async fn one_chat_of_a_server_whose_ids_identify_nothing_passes_and_its_run_says_so() {
    let centre = Centre::start("quirks: { constant_ids: true }").await;
    let run = Run::of_shipped(&centre.url)
        .load("{ chats: 1 }")
        .done()
        .await;
    let run = run.exits(0);
    assert_eq!(run.passed("agent_join"), 1);
    assert_eq!(run.passed("receive_chat"), 2);
    assert_eq!(run.fate("duplicate"), 0);
    assert!(run.log.contains("do not identify"), "{}", run.log);
}

#[tokio::test]
async fn ids_that_identify_nothing_are_counted_and_told_of_once() {
    let centre = Centre::start("quirks: { constant_ids: true }").await;
    let inputs = "{ session_pause: 10ms, first_message_delay: 10ms, reply_delay: 10ms }";
    let probe = format!(
        "probes: {{ one: {{ scenario: contact-center-chat, target: centre, every: 1s, inputs: {inputs} }} }}"
    );
    let service = Service::start(&plain(&centre.url, &probe)).await;
    let id = service
        .burst("{ chats: 30, ramp: 100ms }", inputs, "")
        .await;
    service.passed(3).await;
    let path = format!("/api/v1/runs/{id}");
    let burst = crate::support::eventually("the end of the burst", async || {
        let run = service.read(&path).await.body;
        (run["state"] == "ended").then_some(run)
    })
    .await;
    assert_eq!(burst["chats"]["passed"], 30, "{burst:#}");
    // Of each chat the joins and the messages, all but the very first of each kind.
    let metrics = service.metrics().await;
    let scenario = [("scenario", "contact-center-chat")];
    let repeated = metrics.count("chatprobe_callback_repeated_ids_total", &scenario);
    assert!(repeated >= 33 * 4 - 2, "{repeated}");
    let log = service.process.log();
    assert_eq!(
        log.matches("does not identify an event").count(),
        1,
        "{log}"
    );
}

#[tokio::test]
async fn idle_connections_that_are_closed_between_two_steps_are_no_failures() {
    // Only the delay of the first message is as long as that: where both were alike, a connection could be closed
    // under a request which the centre might have read.
    let centre = Centre::start("idle_close: 1s").await;
    let (run, stats) = run_with_delay(&centre, "3s", 0).await;
    assert_eq!(run.chats("passed"), CHATS);
    // What met a closed connection was sent once more and not twice.
    assert_eq!(requests(&stats, "send_chat", "200"), 2 * CHATS);
}

#[tokio::test]
async fn with_one_callback_url_for_everybody_the_run_that_lost_it_fails_and_says_so() {
    let centre = Centre::start("quirks: { shared_callback: true }").await;
    let slow = ["-i", "session_pause=5s", "-i", "agent_join_timeout=1s"];
    let first = Run::of_shipped(&centre.url)
        .load("{ chats: 3 }")
        .with(&slow);
    let first_process = first.start();
    centre
        .stats_when("the first run's sessions", |stats| {
            requests(stats, "session_create", "201") == 3
        })
        .await;
    let second = Run::of_shipped(&centre.url)
        .load("{ chats: 2 }")
        .with(&["-i", "first_message_delay=6s"]);
    let second_process = second.start();
    let first = first.finish(first_process).await.exits(1);
    let second = second.finish(second_process).await.exits(0);
    assert_eq!(first.failed("agent_join", "agent_join_timeout"), 3);
    assert_eq!(first.received(), 0);
    assert_eq!(second.chats("passed"), 2);
    // Customer, engagement and agent of three chats that it does not know.
    assert!(second.fate("early_expired") >= 9, "{second:#?}");
}

#[tokio::test]
async fn two_runs_that_both_get_all_events_take_only_their_own() {
    let centre = Centre::start("{}").await;
    let run = || {
        Run::of_shipped(&centre.url)
            .load(&format!("{{ chats: {CHATS} }}"))
            .with(&["-i", "session_pause=2s"])
    };
    let (one, other) = (run(), run());
    let (one, other) = tokio::join!(one.done(), other.done());
    for run in [one.exits(0), other.exits(0)] {
        assert_eq!(run.fate("consumed"), 3 * CHATS);
    }
}

#[tokio::test]
async fn a_probe_and_a_burst_of_one_process_share_the_only_callback_url() {
    let centre = Centre::start("quirks: reference").await;
    // The burst takes the callback URL over while the probe's chat has not begun, and keeps it
    // until that has ended.
    let inputs = |pause: &str| {
        format!("{{ session_pause: {pause}, first_message_delay: 10ms, reply_delay: 10ms }}")
    };
    let more = format!(
        "probes: {{ one: {{ scenario: contact-center-chat, target: centre, every: 1h, inputs: {} }} }}\n\
         bursts: {{ rush: {{ scenario: contact-center-chat, target: centre, load: {{ chats: 5 }}, \
         schedule: {{ cron: '*/2 * * * * *' }}, inputs: {} }} }}",
        inputs("5s"),
        inputs("8s")
    );
    let service = Service::start(&plain(&centre.url, &more)).await;
    let metrics = service
        .when("a burst has ended", |metrics| {
            metrics.sum("chatprobe_bursts_total", &[("burst", "rush")]) > 0.0
        })
        .await;
    let verdict = [("burst", "rush"), ("verdict", "passed")];
    assert_eq!(metrics.count("chatprobe_bursts_total", &verdict), 1);
    assert_eq!(
        metrics.count("chatprobe_chats_passed_total", &crate::support::PROBE),
        1
    );
    let fate = |fate| metrics.sum("chatprobe_callback_events_total", &[("fate", fate)]);
    // Three of each of six chats are asked for.
    assert!((fate("consumed") - 18.0).abs() < 0.1, "{}", metrics.text);
    assert!(
        (fate("unknown") + fate("early_expired")).abs() < 0.1,
        "{}",
        metrics.text
    );
}

#[tokio::test]
async fn refused_requests_fail_with_their_status() {
    let fault = "{ errors: [{ probability: 0.3, status: 503, only: [send_chat] }] }";
    let (run, stats) = with_fault(fault, 1).await;
    let refused = requests(&stats, "send_chat", "503");
    assert!(refused > 0);
    assert_eq!(run.failed("send_chat", "status"), refused);
    assert_eq!(run.chats("failed"), refused);
    // Those chats were taken back.
    assert_eq!(run.passed("session_terminate"), refused);
}

#[tokio::test]
async fn connections_that_are_reset_fail_as_such() {
    let fault = "{ resets: [{ probability: 0.3, only: [engagement_create] }] }";
    let (run, stats) = with_fault(fault, 1).await;
    let failed = run.failed("engagement_create", "connect");
    assert!(failed > 0, "{run:#?}");
    assert_eq!(run.chats("failed"), failed);
    assert_eq!(run.passed("engagement_create") + failed, CHATS);
    println!(
        "{failed} failed, {} reset",
        requests(&stats, "engagement_create", "reset")
    );
    assert!(requests(&stats, "engagement_create", "reset") >= failed);
}

#[tokio::test]
async fn slow_answers_are_waited_for_and_measured() {
    let fault = "{ slow: [{ probability: 1, by: 700ms, only: [session_create] }] }";
    let (run, _) = with_fault(fault, 0).await;
    let latency = &run.step("session_create")["latency"];
    assert!(latency["p50"].as_f64().unwrap() >= 0.7, "{latency}");
    assert!(latency["count"] == CHATS, "{latency}");
}

#[tokio::test]
async fn lost_events_are_timeouts_of_those_who_waited_for_them() {
    let fault = "{ events: { drop: { probability: 0.4, only: [agent_joined] } } }";
    let (run, stats) = with_fault(fault, 1).await;
    let lost = stats["events"]["agent_joined"]["dropped"].as_u64().unwrap();
    assert!(lost > 0);
    assert_eq!(run.failed("agent_join", "agent_join_timeout"), lost);
    assert_eq!(run.chats("failed"), lost);
}

#[tokio::test]
async fn events_that_come_twice_count_once() {
    let fault =
        "{ events: { duplicate: { probability: 1, only: [agent_joined, agent_message] } } }";
    let (run, _) = with_fault(fault, 0).await;
    assert_eq!(run.fate("consumed"), 3 * CHATS);
    // The second of the last may come when its chat is over.
    let (twice, late) = (run.fate("duplicate"), run.fate("late"));
    assert!(twice <= 3 * CHATS && twice + late >= 3 * CHATS, "{run:#?}");
}

#[tokio::test]
async fn an_event_behind_the_timeout_is_no_success() {
    let fault = "{ events: { delay: { probability: 1, by: 6s, only: [agent_joined] } } }";
    let (run, _) = with_fault(fault, 1).await;
    assert_eq!(run.failed("agent_join", "agent_join_timeout"), CHATS);
    assert_eq!(run.chats("failed"), CHATS);
}

#[tokio::test]
async fn events_in_another_order_still_pass() {
    let (run, stats) = with_fault("{ events: { reorder: { probability: 0.5 } } }", 0).await;
    assert!(
        stats["events"]["customer_joined"]["reordered"]
            .as_u64()
            .unwrap()
            > 0
    );
    assert_eq!(run.chats("passed"), CHATS);
}

#[tokio::test]
async fn agents_who_never_come_are_join_timeouts() {
    let (run, stats) = with_fault("{ agents: { never_come: 0.4 } }", 1).await;
    let missing = CHATS - stats["joins"]["count"].as_u64().unwrap();
    assert!(missing > 0);
    assert_eq!(run.failed("agent_join", "agent_join_timeout"), missing);
    assert_eq!(
        stats["ended"]["disconnected"], missing,
        "and were taken back"
    );
}

#[tokio::test]
async fn agents_who_leave_are_disconnections() {
    let fault = "{ agents: { leave: { probability: 1, after: 50ms } } }";
    let (run, _) = with_fault(fault, 1).await;
    assert_eq!(
        run.failed("receive_chat", "disconnected"),
        CHATS,
        "{run:#?}"
    );
}

#[tokio::test]
async fn agents_who_write_first_or_twice_disturb_nobody() {
    let (run, stats) = with_fault("{ agents: { write_first: 1, write_twice: 1 } }", 0).await;
    assert_eq!(run.passed("receive_chat"), 2 * CHATS);
    assert!(
        stats["events"]["agent_message"]["emitted"]
            .as_u64()
            .unwrap()
            >= 3 * CHATS
    );
}
