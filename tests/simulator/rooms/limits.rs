//! What clients cannot exceed, and clients that misbehave.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, timeout},
};
use tokio_tungstenite::tungstenite::Message;

use super::{Backend, Guest, add_up, frames};
use crate::support::PATIENCE;

#[tokio::test]
async fn sockets_rooms_members_and_memberships_are_bounded() {
    let limits = "limits: { sockets: 3, rooms: 2, members: 2, memberships: 2, support_chats: 1 }";
    let backend = Backend::start(limits).await;
    let mut one = backend.joined("a", "One").await;
    let mut two = backend.joined("a", "Two").await;
    let mut three = backend.connect().await;
    let (head, _) = Guest::ask(backend.address, "").await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    let join = |room: &str| json!({ "type": "join", "room": room });
    three.send(join("a")).await;
    assert_eq!(three.expect("error").await["reason"], "full", "members");
    one.send(join("b")).await;
    one.expect("joined").await;
    three.send(join("c")).await;
    assert_eq!(three.expect("error").await["reason"], "full", "rooms");
    one.send(json!({ "type": "leave", "room": "b" })).await;
    one.expect("left").await;
    three.send(json!({ "type": "support" })).await;
    three.expect("joined").await;
    three.expect("queued").await;
    two.send(json!({ "type": "support" })).await;
    assert_eq!(two.expect("error").await["reason"], "full", "support chats");
    assert_eq!(backend.stats().await["now"]["rooms"], 2);
    backend.finish().await;
}

#[tokio::test]
async fn a_frame_that_is_too_long_ends_its_socket_with_1009_and_one_that_is_no_text_with_1007() {
    let backend = Backend::start("limits: { frame_bytes: 1000 }").await;
    let mut long = backend.connect().await;
    long.send(json!({ "text": "x".repeat(2_000) })).await;
    assert_eq!(long.close_code().await, Some(1009));
    let mut torn = backend.connect().await;
    // A masked text frame of one byte, which is no UTF-8.
    let stream = torn.socket.get_mut();
    stream
        .write_all(&[0x81, 0x81, 0, 0, 0, 0, 0xff])
        .await
        .unwrap();
    assert_eq!(torn.close_code().await, Some(1007));
    let stats = backend
        .stats_when("both are gone", |stats| stats["now"]["sockets"] == 0)
        .await;
    assert_eq!(
        stats["closed"],
        json!({ "server": { "1007": 1, "1009": 1 } })
    );
    backend.finish().await;
}

/// Says so much that the kernel cannot keep it for one that reads nothing; `other` hears all of it.
async fn flood(backend: &Backend, other: &mut Guest, until: &str) {
    let text = "x".repeat(10_000);
    for number in 0.. {
        other.say("lobby", &number.to_string(), &text).await;
        assert_eq!(other.ids(1).await, [number.to_string()]);
        if number % 50 == 0 {
            let stats = backend.stats().await;
            let reached = stats[until]
                .as_u64()
                .unwrap_or_else(|| frames(&stats, until));
            if reached > 0 {
                return;
            }
            assert!(number < 10_000, "{stats:#}");
        }
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_disconnected_and_holds_up_nobody() {
    let backend = Backend::start("limits: { queue: 20 }").await;
    let mut slow = backend.joined("lobby", "Slow").await;
    let mut other = backend.joined("lobby", "Other").await;
    flood(&backend, &mut other, "slow_disconnected").await;
    let stats = backend
        .stats_when("it is gone", |stats| stats["now"]["sockets"] == 1)
        .await;
    assert_eq!(stats["slow_disconnected"], 1);
    assert_eq!(stats["closed"], json!({ "server": { "1013": 1 } }));
    assert!(add_up(&stats), "{stats:#}");
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, slow.socket.get_mut().read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "its connection is closed");
    backend.finish().await;
}

#[tokio::test]
async fn a_slow_client_that_may_stay_does_not_get_everything() {
    let backend = Backend::start("{ slow_clients: drop, limits: { queue: 20 } }").await;
    let mut slow = backend.joined("lobby", "Slow").await;
    let mut other = backend.joined("lobby", "Other").await;
    flood(&backend, &mut other, "overflowed").await;
    let said = backend.stats().await["received"]["say"].as_u64().unwrap();
    let mut heard = 0;
    // What it did get, it gets when it reads.
    other.say("lobby", "last", "").await;
    other.expect("said").await;
    loop {
        let id = &slow.ids(1).await[0];
        heard += 1;
        let stats = backend.stats().await;
        if stats["now"]["queued_frames"] == 0 || id == "last" {
            break;
        }
    }
    let stats = backend.stats().await;
    let lost = frames(&stats, "overflowed");
    assert!(
        lost > 0 && heard <= said + 1 - lost,
        "{heard} of {said}, {lost} lost"
    );
    assert_eq!(stats["now"]["sockets"], 2);
    backend.finish().await;
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_cut_off_and_one_that_answers_is_not() {
    let backend = Backend::start("silence: 2s").await;
    let dead = backend.connect().await;
    let mut alive = backend.connect().await;
    let began = Instant::now();
    let answering = async {
        // Reading answers pings.
        loop {
            let message = alive.message().await.unwrap();
            assert!(matches!(message, Message::Ping(_)), "{message:?}");
        }
    };
    let gone = backend.stats_when("one is gone", |stats| stats["now"]["sockets"] == 1);
    let stats = tokio::select! {
        stats = gone => stats,
        () = answering => unreachable!("the loop has no end"),
    };
    assert!(began.elapsed() >= Duration::from_secs(2));
    assert_eq!(stats["closed"], json!({ "network": { "none": 1 } }));
    drop(dead);
    alive.send(json!({ "id": "1", "text": "" })).await;
    while alive.message().await.expect("it is still there").is_ping() {}
    backend.finish().await;
}
