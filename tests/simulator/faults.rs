//! Faults on demand, and clients and receivers that misbehave.

use crate::practice::{
    AGENT, CREATED, CUSTOMER, LEFT, MESSAGE, PATIENCE, Practice, listen, session_body,
};
use axum::http::Method;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test]
async fn requests_fail_as_the_faults_say_while_it_runs() {
    let practice = Practice::start("{}").await;
    practice
        .faults(
            json!({ "errors": [{ "probability": 1, "status": 503, "only": ["session_create"] }] }),
        )
        .await;
    assert_eq!(practice.post("/sessions", session_body()).await.0, 503);

    practice
        .faults(json!({ "resets": [{ "probability": 1, "only": ["session_create"] }] }))
        .await;
    let path = "/api/digital/v1/sessions";
    let error = practice
        .try_call(Method::POST, path, session_body())
        .await
        .unwrap_err();
    assert!(error.is_request(), "{error:?}");

    let slow = json!([{ "probability": 1, "by": "200ms", "only": ["session_create"] }]);
    practice.faults(json!({ "slow": slow })).await;
    let before = tokio::time::Instant::now();
    practice.session().await;
    assert!(before.elapsed() >= Duration::from_millis(200));

    let statistics = practice.stats().await;
    let expected = json!({ "503": 1, "reset": 1, "201": 1 });
    assert_eq!(statistics["requests"]["session_create"], expected);
    assert_eq!(
        statistics["now"]["sessions_open"], 1,
        "only the slow one had an effect"
    );

    let (status, answer) = practice
        .call(
            Method::PUT,
            "/faults",
            json!({ "resets": [{ "probability": 2 }] }),
        )
        .await;
    assert_eq!(status, 400);
    assert!(
        answer["error"]
            .as_str()
            .unwrap()
            .contains("not between 0 and 1"),
        "{answer}"
    );
    let (_, faults) = practice.call(Method::GET, "/faults", Value::Null).await;
    assert_eq!(
        faults["slow"][0]["by"], "200ms",
        "a refused replacement changes nothing"
    );
    practice.finish().await;
}

#[tokio::test]
async fn a_reset_is_a_reset_on_the_wire() {
    let practice = Practice::start("faults: { resets: [{ probability: 1 }] }").await;
    let address = practice.base.trim_start_matches("http://");
    let mut raw = TcpStream::connect(address).await.unwrap();
    raw.write_all(
        b"POST /api/digital/v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}",
    )
    .await
    .unwrap();
    let error = timeout(PATIENCE, raw.read(&mut [0; 64]))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    practice.finish().await;
}

#[tokio::test]
async fn events_are_dropped_duplicated_and_swapped_as_the_faults_say() {
    let events = "{ drop: { probability: 1, only: [engagement_created] }, \
        duplicate: { probability: 1, only: [agent_joined] }, \
        reorder: { probability: 1, only: [customer_joined] } }";
    let mut practice = Practice::registered(&format!("faults: {{ events: {events} }}")).await;
    let chat = practice.open().await;
    practice.expect(&[AGENT, AGENT, CUSTOMER]).await;
    practice.say(&chat, "hello").await;
    practice.expect(&[MESSAGE]).await;
    let stats = practice.stats().await;
    assert_eq!(stats["events"]["engagement_created"]["dropped"], 1);
    assert_eq!(stats["events"]["engagement_created"]["sent"], 0);
    assert_eq!(stats["events"]["agent_joined"]["duplicated"], 1);
    assert_eq!(stats["events"]["agent_joined"]["sent"], 2);
    assert_eq!(stats["events"]["customer_joined"]["reordered"], 1);
    assert_eq!(stats["joins"]["count"], 1, "a duplicate is no second join");
    practice.finish().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_word() {
    let practice = Practice::start("idle_close: 100ms").await;
    let address = practice.base.trim_start_matches("http://");
    let mut raw = TcpStream::connect(address).await.unwrap();
    raw.write_all(b"GET /faults HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let before = tokio::time::Instant::now();
    let mut all = Vec::new();
    timeout(PATIENCE, raw.read_to_end(&mut all))
        .await
        .expect("a close")
        .unwrap();
    assert!(before.elapsed() >= Duration::from_millis(100));
    let answer = String::from_utf8(all).unwrap();
    assert_eq!(
        answer.matches("HTTP/1.1").count(),
        1,
        "one answer and no second: {answer}"
    );
    practice.finish().await;
}

#[tokio::test]
async fn a_dead_receiver_fills_a_bounded_queue_and_blocks_nobody() {
    // Accepts connections in its backlog and never answers.
    let (_silent, address) = listen().await;
    let delivery = "{ connections: 2, queue: 5, timeout: 300ms }";
    let practice = Practice::start(&format!("{{ agents: unlimited, delivery: {delivery} }}")).await;
    practice.register(&format!("http://{address}/")).await;
    for _ in 0..20 {
        practice.open().await;
    }
    let total = |stats: &Value, count: &str| -> u64 {
        let events = stats["events"].as_object().unwrap();
        events
            .values()
            .map(|counts| counts[count].as_u64().unwrap())
            .sum()
    };
    let stats = practice
        .stats_when("all events sent or lost", |stats| {
            total(stats, "emitted") == 60
                && stats["deliveries"] == json!({ "queued": 0, "in_flight": 0 })
        })
        .await;
    assert_eq!(total(&stats, "acknowledged"), 0);
    assert!(total(&stats, "overflowed") >= 30, "{stats}");
    assert_eq!(total(&stats, "sent"), total(&stats, "failed"));
    assert_eq!(total(&stats, "sent") + total(&stats, "overflowed"), 60);
    practice.finish().await;
}

#[tokio::test]
async fn shutting_down_does_not_wait_for_slow_answers_or_half_a_request() {
    let practice = Practice::start("faults: { slow: [{ probability: 1, by: 1h }] }").await;
    let address = practice.base.trim_start_matches("http://").to_owned();
    let mut raw = TcpStream::connect(address).await.unwrap();
    raw.write_all(b"POST /api/dig").await.unwrap();
    let url = format!("{}/api/digital/v1/sessions", practice.base);
    let late = tokio::spawn(practice.client.post(url).json(&session_body()).send());
    practice
        .stats_when("the session is open", |stats| {
            stats["now"]["sessions_open"] == 1
        })
        .await;
    practice.finish().await;
    assert_eq!(
        late.await.unwrap().unwrap().status(),
        201,
        "answered early rather than not at all"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_chats_at_once_keep_their_order_and_the_counts_agree() {
    const CHATS: usize = 500;
    let mut practice = Practice::registered("{ agents: unlimited, chats_per_agent: 1 }").await;
    let mut chats = Vec::new();
    for _ in 0..CHATS {
        chats.push(practice.open().await);
    }
    let mut told: HashMap<String, Vec<String>> = HashMap::new();
    let mut bye = 0;
    while told.values().map(Vec::len).sum::<usize>() < CHATS * 4 {
        let seen = practice.next().await;
        let id = seen.event["engagementId"].as_str().unwrap().to_owned();
        if seen.short() == AGENT {
            let chat = chats.iter().find(|chat| chat.1 == id).unwrap();
            assert_eq!(practice.say(chat, "###BYE###").await, 200);
            bye += 1;
        }
        told.entry(id).or_default().push(seen.short());
    }
    assert_eq!((told.len(), bye), (CHATS, CHATS));
    for story in told.values() {
        assert_eq!(story[..], [CUSTOMER, CREATED, AGENT, LEFT]);
    }
    let stats = practice
        .stats_when("nothing in flight", |stats| {
            stats["deliveries"]["in_flight"] == 0
        })
        .await;
    for kind in [
        "customer_joined",
        "engagement_created",
        "agent_joined",
        "participant_left",
    ] {
        let counts = &stats["events"][kind];
        assert_eq!(
            (&counts["sent"], &counts["acknowledged"]),
            (&json!(CHATS), &json!(CHATS))
        );
    }
    assert_eq!(stats["joins"]["count"], CHATS);
    practice.finish().await;
}
