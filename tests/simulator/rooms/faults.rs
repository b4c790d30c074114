//! Faults on demand.

use serde_json::json;
use tokio::time::{Instant, timeout};

use super::{Backend, Guest, SHORT, add_up};

#[tokio::test]
async fn frames_are_dropped_duplicated_and_swapped_for_each_recipient_as_the_faults_say() {
    let backend = Backend::start("{}").await;
    let mut ann = backend.joined("lobby", "Ann").await;
    let fault = |name: &str| json!({ "frames": { name: { "probability": 1, "only": ["said"] } } });
    backend.faults(fault("drop")).await;
    ann.say("lobby", "lost", "").await;
    backend
        .stats_when("it is dropped", |stats| {
            stats["frames"]["said"]["dropped"] == 1
        })
        .await;
    backend.faults(fault("duplicate")).await;
    ann.say("lobby", "twice", "").await;
    assert_eq!(ann.ids(2).await, ["twice", "twice"]);
    backend.faults(fault("reorder")).await;
    ann.say("lobby", "first", "").await;
    ann.say("lobby", "second", "").await;
    assert_eq!(ann.ids(2).await, ["second", "first"]);
    let stats = backend.stats().await;
    let said = &stats["frames"]["said"];
    let counts = ["emitted", "dropped", "duplicated", "reordered", "sent"]
        .map(|name| said[name].as_u64().unwrap());
    assert_eq!(counts, [4, 1, 1, 1, 4]);
    assert!(add_up(&stats), "{stats:#}");
    backend.finish().await;
}

#[tokio::test]
async fn a_late_frame_holds_up_those_behind_it() {
    let backend = Backend::start("{}").await;
    let mut ann = backend.joined("lobby", "Ann").await;
    let delay = json!({ "probability": 1, "by": "300ms", "only": ["said"] });
    backend
        .faults(json!({ "frames": { "delay": delay } }))
        .await;
    let began = Instant::now();
    ann.say("lobby", "late", "").await;
    ann.send(json!({ "type": "presence", "room": "lobby" }))
        .await;
    ann.expect("said").await;
    assert!(began.elapsed() >= std::time::Duration::from_millis(300));
    ann.expect("presence").await;
    let stats = backend.stats().await;
    assert_eq!(stats["frames"]["said"]["delayed"], 1);
    backend.finish().await;
}

#[tokio::test]
async fn sockets_are_closed_with_the_code_of_the_fault_and_by_order() {
    let backend = Backend::start("{}").await;
    backend
        .faults(json!({ "close": { "probability": 1, "code": 4001, "after": "20ms" } }))
        .await;
    assert_eq!(backend.connect().await.close_code().await, Some(4001));
    backend.faults(json!({})).await;
    let mut guests = [backend.connect().await, backend.connect().await];
    let (code, answer) = backend
        .ask("POST", "/sockets/close", json!({ "code": 1012 }))
        .await;
    assert_eq!((code, &answer["closed"]), (200, &json!(2)));
    for guest in &mut guests {
        assert_eq!(guest.close_code().await, Some(1012));
    }
    let (code, answer) = backend
        .ask("POST", "/sockets/close", json!({ "code": 1006 }))
        .await;
    assert_eq!(code, 400, "{answer}");
    let stats = backend
        .stats_when("all are gone", |stats| stats["now"]["sockets"] == 0)
        .await;
    assert_eq!(
        stats["closed"],
        json!({ "server": { "app": 1, "1012": 2 } })
    );
    backend.finish().await;
}

#[tokio::test]
async fn a_server_that_has_stopped_reading_still_sends_and_answers_no_close() {
    let backend = Backend::start("{}").await;
    backend
        .faults(json!({ "stop_reading": { "probability": 1, "after": "0s" } }))
        .await;
    let mut deaf = backend.connect().await;
    backend.faults(json!({})).await;
    let mut other = backend.connect().await;
    // Whether it is read before the server stops is a race that nobody has to win.
    tokio::time::sleep(SHORT).await;
    deaf.send(json!({ "id": "unheard", "text": "" })).await;
    other.send(json!({ "id": "heard", "text": "" })).await;
    assert_eq!(deaf.ids(1).await, ["heard"]);
    assert_eq!(other.ids(1).await, ["heard"]);
    deaf.socket.close(None).await.unwrap();
    let answer = timeout(SHORT, deaf.message()).await;
    assert!(answer.is_err(), "{answer:?}");
    backend.finish().await;
}

#[tokio::test]
async fn a_socket_that_the_server_has_stopped_reading_is_cut_off_after_the_silence() {
    let backend = Backend::start(
        "{ silence: 300ms, faults: { stop_reading: { probability: 1, after: 0s } } }",
    )
    .await;
    let deaf = backend.connect().await;
    let stats = backend
        .stats_when("the socket is cut off", |stats| {
            stats["now"]["sockets"] == 0
        })
        .await;
    assert_eq!(stats["closed"], json!({ "network": { "none": 1 } }));
    drop(deaf);
    backend.finish().await;
}

#[tokio::test]
async fn handshakes_are_refused_as_the_faults_say_and_wrong_faults_change_nothing() {
    let faults = "faults: { refuse: { probability: 1, status: 503 } }";
    let backend = Backend::start(faults).await;
    let (head, guest) = Guest::ask(backend.address, "").await;
    assert!(
        guest.is_none() && head.starts_with("HTTP/1.1 503"),
        "{head}"
    );
    for wrong in [
        json!({ "refuse": { "probability": 2, "status": 503 } }),
        json!({ "frames": { "delay": { "probability": 1, "by": { "uniform": ["2s", "1s"] } } } }),
        json!({ "close": { "probability": 1, "code": 1006, "after": "0s" } }),
    ] {
        let (status, answer) = backend.ask("PUT", "/faults", wrong).await;
        assert_eq!(status, 400, "{answer}");
    }
    let (_, faults) = backend.ask("GET", "/faults", json!(null)).await;
    assert_eq!(faults["refuse"]["status"], 503);
    backend.faults(json!({})).await;
    backend.connect().await;
    assert_eq!(
        backend.stats().await["handshakes"],
        json!({ "101": 1, "503": 1 })
    );
    backend.finish().await;
}
