//! How late requests are sent, and how long they wait for a connection.

use super::*;
use crate::{
    driver::Sharing,
    event::{RunEvent, RunObserver},
};

/// Three chats at once over one connection to a server that takes 200 ms for an answer.
async fn one_connection(bench: &Bench) -> RunReport {
    bench
        .run(
            "steps:\n  - { step: ask, http: { post: '{{ target.url }}', json: { wait_ms: 200 } } }",
            "{ chats: 3 }",
        )
        .await
}

async fn narrow() -> (Bench, Puppet) {
    Bench::with_puppet_and(|mut target| {
        let most = std::num::NonZeroUsize::MIN;
        target.connections.sharing = Sharing::Shared {
            most,
            max_age: Duration::from_mins(5),
        };
        target
    })
    .await
}

#[tokio::test]
async fn a_wait_for_a_connection_is_latency_and_told_by_itself() {
    let (mut bench, _puppet) = narrow().await;
    bench.thresholds = "[ { step: ask, max: 1h } ]";
    let report = one_connection(&bench).await;
    assert_eq!(
        report.verdict,
        Some(Verdict::Passed),
        "{:?}",
        report.verdict_reasons
    );
    let waited = report.connection_wait;
    assert_eq!(waited.count, 3);
    assert!(
        waited.p50.unwrap() >= 0.19 && waited.max.unwrap() >= 0.39,
        "{waited:?}"
    );
    assert!(report.steps[0].latency.max.unwrap() >= 0.59);
    assert!(
        report.send_lateness.max.unwrap() < 0.1,
        "{:?}",
        report.send_lateness
    );
}

#[tokio::test]
async fn a_wait_for_a_connection_is_named_beside_the_threshold_that_it_broke() {
    let (mut bench, _puppet) = narrow().await;
    bench.thresholds = "[ { step: ask, max: 300ms } ]";
    let report = one_connection(&bench).await;
    assert_eq!(report.verdict, Some(Verdict::Failed));
    let reasons = report.verdict_reasons.join("\n");
    assert!(reasons.contains("broken: "), "{reasons}");
    assert!(
        reasons.contains("requests waited for a connection up to 4"),
        "{reasons}"
    );
}

/// Somebody who keeps the thread busy when an event has arrived.
struct Slow;

impl RunObserver for Slow {
    fn observe(&self, _: &Arc<RunIdentity>, event: &RunEvent) {
        if matches!(event, RunEvent::CallbackSettled(_)) {
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

#[tokio::test]
async fn who_hears_late_of_an_event_is_late_behind_the_pause_too() {
    let (mut bench, _puppet) = Bench::with_puppet().await;
    bench.hear_first(Arc::new(Slow));
    bench.engine.budget.send_lateness_p99 = Duration::from_millis(100);
    let scenario = "
callbacks: { key: event.key }
steps:
  - step: ask
    http: { post: '{{ target.url }}', json: { token: '{{ callback.url }}', after: [[50, { key: '{{ chat.id }}' }]] } }
    claim: chat.id
  - step: told
    wait_for: event.key == chat.id
  - think: 100ms
  - step: again
    http: { post: '{{ target.url }}', json: {} }
";
    let report = bench.run(scenario, "{ chats: 1 }").await;
    assert!(
        report.send_lateness.max.unwrap() >= 0.19,
        "{:?}",
        report.send_lateness
    );
    assert_eq!(report.verdict, Some(Verdict::Invalid));
    let reasons = report.verdict_reasons.join("\n");
    assert!(reasons.contains("requests were sent up to "), "{reasons}");
}

#[tokio::test(start_paused = true)]
async fn pauses_and_waits_are_nobodys_lateness() {
    let (bench, _puppet) = Bench::with_puppet().await;
    let scenario = "
callbacks: { key: event.key }
steps:
  - think: 3s
  - step: ask
    http: { post: '{{ target.url }}', json: { token: '{{ callback.url }}', after: [[700, { key: '{{ chat.id }}' }]] } }
    claim: chat.id
  - step: told
    wait_for: event.key == chat.id
    timeout: 5s
  - step: again
    http: { post: '{{ target.url }}', json: {} }
  - step: never
    wait_for: event.key == 'none'
    timeout: 3s
always:
  - step: last
    http: { post: '{{ target.url }}', json: {} }
  - step: never_again
    wait_for: event.key == 'none'
    timeout: 3s
  - step: very_last
    http: { post: '{{ target.url }}', json: {} }
";
    let report = bench.run(scenario, "{ chats: 1 }").await;
    assert_eq!(report.chats.failed_by_reason[&Reason::ReplyTimeout], 1);
    assert_eq!(report.send_lateness.count, 4);
    // The grain of the timer is 1 ms.
    assert!(
        report.send_lateness.max.unwrap() < 0.002,
        "{:?}",
        report.send_lateness
    );
}
