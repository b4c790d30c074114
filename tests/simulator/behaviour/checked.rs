//! What chatprobe finds out about the service, held against what it knows itself.

use serde_json::json;

use super::Behaviours;
use crate::support::{Finished, Folder, Run};

async fn run(behaviours: &Behaviours, scenario: &str, arguments: &[&str]) -> Finished {
    let run = Run::new(Folder::new(), scenario, &behaviours.url(""));
    run.with(arguments).done().await
}

#[tokio::test]
async fn the_shipped_checks_pass_and_find_behaviours_that_are_lost_or_stored_twice() {
    let behaviours = Behaviours::start("{}").await;
    let finished = run(&behaviours, "behaviour-check", &["--load", "{ chats: 2 }"]).await;
    assert_eq!(finished.code, 0, "{}", finished.log);
    let stats = behaviours.stats().await;
    assert_eq!(stats["requests"]["store"], json!({ "201": 4, "400": 10 }));
    assert_eq!(stats["requests"]["query"], json!({ "200": 4 }));
    for fault in ["lose", "duplicate"] {
        behaviours.faults(json!({ fault: 1 })).await;
        let finished = run(&behaviours, "behaviour-check", &["--load", "{ chats: 1 }"]).await;
        assert_eq!(finished.code, 1, "{fault}: {}", finished.log);
        let failed = &finished.report["chats"]["failed"];
        assert_eq!(failed, &json!(1), "{fault}: {:#}", finished.report);
    }
    behaviours.finish().await;
}

#[tokio::test]
async fn the_shipped_mix_stores_once_for_every_two_queries() {
    let behaviours = Behaviours::start("{}").await;
    let arguments = ["--load", "{ chats: 300 }", "--input", "users=10"];
    let finished = run(&behaviours, "behaviour-mix", &arguments).await;
    assert_eq!(finished.code, 0, "{}", finished.log);
    let stats = behaviours.stats().await;
    assert_eq!(
        stats["requests"],
        json!({ "store": { "201": 100 }, "query": { "200": 200 } })
    );
    assert_eq!(stats["now"]["records"], 100);
    behaviours.finish().await;
}
