//! What chatprobe finds out about the rooms, held against what they know themselves.

use serde_json::json;

use super::{Backend, sharing};
use crate::support::{Finished, Folder, Redis, Run};

async fn run(backend: &Backend, scenario: &str, arguments: &[&str]) -> Finished {
    let run = Run::new(Folder::new(), scenario, &backend.url(""));
    run.with(arguments).done().await
}

#[tokio::test]
async fn the_shipped_scenario_talks_to_the_support_desk() {
    let backend = Backend::start("{}").await;
    let arguments = ["--load", "{ chats: 3 }", "--input", "reply_delay=10ms"];
    let finished = run(&backend, "websocket-support-chat", &arguments).await;
    assert_eq!(finished.code, 0, "{}", finished.log);
    let stats = backend.stats().await;
    assert_eq!(
        (&stats["agents_joined"], &stats["support_ended"]),
        (&json!(3), &json!({ "bye": 3 }))
    );
    assert_eq!(stats["closed"], json!({ "client": { "1000": 3 } }));
    assert_eq!(finished.report["sockets"]["opened"], 3);
    backend.finish().await;
}

#[tokio::test]
async fn messages_lost_with_a_subscription_are_found_one_by_one_and_no_others() {
    const CUSTOMERS: u64 = 10;
    let redis = Redis::start().await;
    let backend = sharing::backend(&redis).await;
    let killing = async {
        backend
            .stats_when("they talk", |stats| {
                stats["received"]["say"]
                    .as_u64()
                    .is_some_and(|said| said > 40)
            })
            .await;
        redis.command("CLIENT KILL TYPE pubsub").await;
    };
    let load = format!("{{ chats: {CUSTOMERS} }}");
    let arguments = [
        "--load",
        &load,
        "--input",
        "messages=20",
        "--input",
        "pause=100ms",
        "--input",
        "echo_timeout=7s",
        "--threshold",
        "{ lost: 0.1% }",
    ];
    let (finished, ()) = tokio::join!(run(&backend, "room-chat", &arguments), killing);
    assert_eq!(finished.code, 1, "{}", finished.log);
    let stats = backend.stats().await;
    let missed = stats["redis"]["missed"].as_u64().unwrap();
    assert_eq!(
        stats["closed"]["server"],
        json!(null),
        "no socket was closed"
    );
    let fates = &finished.report["deliveries"]["by_fate"];
    let of = |fate: &str| fates[fate].as_u64().unwrap_or_default();
    // Each is missed by all but the speaker; a customer whose echo is lost fails, and may leave before others count as lost.
    let undelivered = missed * (CUSTOMERS - 1);
    assert!(
        of("lost") > 0 && of("lost") <= undelivered,
        "{fates}, {missed} missed"
    );
    assert!(
        of("lost") + of("excused") >= undelivered,
        "{fates}, {missed} missed"
    );
    assert_eq!(of("duplicate"), 0);
    backend.finish().await;
}

#[tokio::test]
async fn customers_of_the_shipped_scenario_stay_until_their_losses_count() {
    let backend =
        Backend::start("{ faults: { frames: { drop: { probability: 0.2, only: [said] } } } }")
            .await;
    let mut arguments = vec!["--load", "{ chats: 10 }", "--threshold", "{ lost: 0.1% }"];
    // Who misses the own message waits for it until those of others count.
    for input in ["pause=100ms", "echo_timeout=7s"] {
        arguments.extend(["--input", input]);
    }
    let finished = run(&backend, "room-chat", &arguments).await;
    assert_eq!(finished.code, 1, "{}", finished.log);
    let fates = &finished.report["deliveries"]["by_fate"];
    let of = |fate: &str| fates[fate].as_u64().unwrap_or_default();
    assert!(of("lost") > 0, "{fates}");
    assert_eq!(of("excused"), 0, "{fates}");
    backend.finish().await;
}
