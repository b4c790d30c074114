//! How `chatprobe serve` ends.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::support::{Centre, SCENARIO, Service, Signal, plain, requests};

/// A probe whose chat takes as long as two pauses, and a burst beside it.
async fn serve(centre: &Centre, pause: &str, grace: &str) -> Service {
    let inputs = format!("{{ session_pause: 0s, first_message_delay: {pause}, reply_delay: 0s }}");
    let chat = format!("scenario: {SCENARIO}, target: centre, inputs: {inputs}");
    let more = format!(
        "probes: {{ one: {{ {chat}, every: 200ms }} }}\n\
         bursts: {{ rush: {{ {chat}, load: {{ rate: 10/s, for: 1h, max_active: 10 }}, \
         schedule: {{ cron: '* * * * * *' }} }} }}\n\
         shutdown: {{ grace: {grace} }}"
    );
    let service = Service::start(&plain(&centre.url, &more)).await;
    // The probe's and the burst's, with some under way.
    centre
        .stats_when("chats of both", |stats| {
            requests(stats, "webhook_create", "201") >= 2
                && stats["now"]["engagements_open"].as_u64().unwrap() >= 5
        })
        .await;
    service
}

/// Ends the service; how long that took, and the statistics of the centre before and after.
async fn end(centre: &Centre, service: &mut Service) -> (Duration, Value, Value) {
    service.process.signal(Signal::SIGTERM);
    let asked = Instant::now();
    service
        .process
        .line("ending: chats in progress may finish")
        .await;
    let before = centre.stats().await;
    // Who watches the service sees it to its end.
    assert!(
        service
            .metrics()
            .await
            .text
            .contains("chatprobe_build_info")
    );
    assert_eq!(service.process.ended().await, 0);
    let took = asked.elapsed();
    (took, before, centre.settled().await)
}

/// Nothing of the service is left at the centre.
fn assert_clean(stats: &Value) {
    let created = requests(stats, "webhook_create", "201");
    assert_eq!(
        requests(stats, "webhook_delete", "200"),
        created,
        "{stats:#}"
    );
    assert_eq!(stats["now"]["webhooks"], 0, "{stats:#}");
    assert_eq!(stats["now"]["engagements_open"], 0, "{stats:#}");
}

#[tokio::test]
async fn chats_in_progress_may_finish_and_no_new_ones_begin() {
    let centre = Centre::start("{}").await;
    let mut service = serve(&centre, "3s", "15s").await;
    let (took, before, after) = end(&centre, &mut service).await;
    assert!(
        took < Duration::from_secs(15),
        "no longer than its chats: {took:?}"
    );
    let begun = |stats: &Value| requests(stats, "session_create", "201");
    // One may have been on its way when the signal came.
    assert!(begun(&after) <= begun(&before) + 1, "{before:#}{after:#}");
    assert_eq!(requests(&after, "interact_end", "200"), begun(&after));
    assert_eq!(after["ended"], serde_json::json!({ "bye": begun(&after) }));
    assert_eq!(requests(&after, "session_terminate", "200"), 0);
    assert_clean(&after);
}

#[tokio::test]
async fn chats_that_outlast_the_grace_are_taken_back() {
    let centre = Centre::start("{}").await;
    let mut service = serve(&centre, "1h", "1s").await;
    let (took, _, after) = end(&centre, &mut service).await;
    assert!(took >= Duration::from_secs(1), "{took:?}");
    assert!(
        took < Duration::from_secs(6),
        "grace and five seconds: {took:?}"
    );
    let begun = requests(&after, "engagement_create", "200");
    assert_eq!(requests(&after, "participant_get", "200"), begun);
    assert_eq!(requests(&after, "engagement_disconnect", "200"), begun);
    assert_eq!(after["ended"], serde_json::json!({ "disconnected": begun }));
    assert_clean(&after);
    let log = service.process.log();
    assert!(log.contains("the grace is over"), "{log}");
}

#[tokio::test]
async fn answers_on_their_way_at_the_end_of_the_grace_are_waited_for() {
    // Every chat spends its time waiting for the answer that names it.
    let slow = "faults: { slow: [{ probability: 1, by: 1500ms, only: [engagement_create] }] }";
    let centre = Centre::start(slow).await;
    let chat = format!("scenario: {SCENARIO}, target: centre, inputs: {{ session_pause: 0s }}");
    let more = format!(
        "bursts: {{ rush: {{ {chat}, load: {{ customers: 10, for: 1h }}, \
         schedule: {{ cron: '* * * * * *' }} }} }}\n\
         shutdown: {{ grace: 1ms }}"
    );
    let mut service = Service::start(&plain(&centre.url, &more)).await;
    centre
        .stats_when("sessions", |stats| {
            requests(stats, "session_create", "201") >= 10
        })
        .await;
    let (_, _, after) = end(&centre, &mut service).await;
    let opened = requests(&after, "engagement_create", "200");
    assert!((1..=10).contains(&opened), "{after:#}");
    assert_eq!(requests(&after, "engagement_disconnect", "200"), opened);
    assert_clean(&after);
}

#[tokio::test]
async fn a_centre_that_never_answers_does_not_hold_up_the_end() {
    let centre = Centre::start("{}").await;
    let mut service = serve(&centre, "1h", "1s").await;
    // From here on nothing is answered, and connections stay open.
    centre.process.signal(Signal::SIGSTOP);
    service.process.signal(Signal::SIGTERM);
    let asked = Instant::now();
    assert_eq!(service.process.ended().await, 0);
    assert!(
        asked.elapsed() < Duration::from_secs(6),
        "{:?}",
        asked.elapsed()
    );
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let centre = Centre::start("{}").await;
    for second in [Signal::SIGTERM, Signal::SIGINT] {
        let mut service = serve(&centre, "1h", "1h").await;
        service.process.signal(Signal::SIGINT);
        service.process.line("a second signal ends at once").await;
        let asked = Instant::now();
        service.process.signal(second);
        assert_eq!(service.process.ended().await, 130);
        assert!(
            asked.elapsed() < Duration::from_secs(3),
            "{:?}",
            asked.elapsed()
        );
    }
}
