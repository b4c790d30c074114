//! Faults on demand.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Behaviours, ids};

const NOON: &str = "2026-01-01T12:00:00Z";

#[tokio::test]
async fn behaviours_are_lost_and_stored_twice_as_the_faults_say() {
    let behaviours = Behaviours::start("faults: { lose: 1 }").await;
    let lost = behaviours.store("ann", "like", NOON).await;
    assert_eq!(behaviours.query("ann", "").await["count"], 0);
    behaviours.faults(json!({ "duplicate": 1 })).await;
    let twice = behaviours.store("ann", "like", NOON).await;
    behaviours.faults(json!({})).await;
    let once = behaviours.store("ann", "like", NOON).await;
    let [lost, twice, once] = [lost, twice, once].map(|record| record["id"].as_i64().unwrap());
    assert!(lost < twice && twice + 1 < once);
    let found = behaviours.query("ann", "").await;
    assert_eq!(ids(&found), [twice, twice + 1, once]);
    let stats = behaviours.stats().await;
    let counts = ["acknowledged", "stored", "lost", "duplicated"].map(|name| stats[name].as_u64());
    assert_eq!(counts, [3, 3, 1, 1].map(Some));
    assert_eq!(stats["now"]["records"], 3);
    let (code, _) = behaviours.ask("POST", "/stats/reset", &Value::Null).await;
    assert_eq!(code, 204);
    let stats = behaviours.stats().await;
    assert_eq!(
        (&stats["stored"], &stats["requests"]),
        (&json!(0), &json!({}))
    );
    assert_eq!(stats["now"]["records"], 3);
    behaviours.finish().await;
}

#[tokio::test]
async fn queries_are_answered_from_an_earlier_state_as_the_faults_say() {
    let behaviours = Behaviours::start("{}").await;
    behaviours.store("ann", "like", NOON).await;
    let stale = |by: &str| json!({ "stale": { "probability": 1, "by": by } });
    behaviours.faults(stale("1h")).await;
    let found = behaviours.query("ann", "?status=like").await;
    assert_eq!((&found["count"], ids(&found)), (&json!(0), vec![]));
    behaviours.faults(stale("0s")).await;
    assert_eq!(behaviours.query("ann", "").await["count"], 1);
    assert_eq!(behaviours.stats().await["stale"], 2);
    behaviours.finish().await;
}

#[tokio::test]
async fn requests_are_slow_fail_and_are_cut_off_by_their_kind() {
    let behaviours = Behaviours::start("{}").await;
    behaviours.store("ann", "like", NOON).await;
    behaviours
        .faults(json!({ "errors": [{ "probability": 1, "status": 503, "only": ["store"] }] }))
        .await;
    let body = json!({ "user": "ann", "article": "a", "status": "like" });
    assert_eq!(behaviours.ask("POST", "/user/status", &body).await.0, 503);
    assert_eq!(behaviours.query("ann", "").await["count"], 1);
    behaviours
        .faults(json!({ "slow": [{ "probability": 1, "by": "300ms", "only": ["query"] }] }))
        .await;
    let began = Instant::now();
    behaviours.query("ann", "").await;
    assert!(began.elapsed() >= Duration::from_millis(300));
    behaviours
        .faults(json!({ "resets": [{ "probability": 1, "only": ["store"] }] }))
        .await;
    let cut = behaviours.try_ask("POST", "/user/status", &body).await;
    assert!(cut.is_err(), "{cut:?}");
    let stats = behaviours.stats().await;
    assert_eq!(stats["requests"]["store"]["503"], 1);
    assert!(stats["requests"]["store"]["reset"].as_u64() >= Some(1));
    let wrong = json!({ "stale": { "probability": 1, "by": { "uniform": ["2s", "1s"] } } });
    assert_eq!(behaviours.ask("PUT", "/faults", &wrong).await.0, 400);
    let (_, faults) = behaviours.ask("GET", "/faults", &Value::Null).await;
    assert_eq!(faults["resets"][0]["only"], json!(["store"]));
    behaviours.finish().await;
}
