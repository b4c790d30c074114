//! How long requests wait for chatprobe itself.

use super::*;
use crate::driver::Sharing;

/// Three chats at once over one connection to a server that takes 200 ms for an answer.
async fn one_connection(bench: &mut Bench) -> RunReport {
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
        target.connections.sharing = Sharing::Shared { most };
        target
    })
    .await
}

#[tokio::test]
async fn a_wait_for_a_connection_is_lateness_and_not_latency() {
    let (mut bench, _puppet) = narrow().await;
    let report = one_connection(&mut bench).await;
    assert_eq!(
        report.verdict,
        Some(Verdict::Passed),
        "{:?}",
        report.verdict_reasons
    );
    let late = report.send_lateness;
    assert_eq!(late.count, 3);
    assert!(
        late.p50.unwrap() >= 0.19 && late.max.unwrap() >= 0.39,
        "{late:?}"
    );
    let latency = report.steps[0].latency.max.unwrap();
    assert!((0.2..0.39).contains(&latency), "{latency}");
}

#[tokio::test]
async fn a_run_whose_requests_waited_for_too_long_is_invalid() {
    let (mut bench, _puppet) = narrow().await;
    bench.engine.budget.send_lateness_p99 = Duration::from_millis(100);
    let report = one_connection(&mut bench).await;
    assert_eq!(report.verdict, Some(Verdict::Invalid));
    let reasons = report.verdict_reasons.join("\n");
    assert!(reasons.contains("requests were sent up to 4"), "{reasons}");
    assert!(reasons.contains("the budget is 100ms"), "{reasons}");
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
