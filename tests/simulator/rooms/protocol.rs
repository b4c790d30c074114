//! What clients say and hear.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{Backend, Guest, add_up};

#[tokio::test]
async fn who_is_in_a_room_hears_what_is_said_there_and_who_is_not_does_not() {
    let backend = Backend::start("{}").await;
    let mut ann = backend.joined("lobby", "Ann").await;
    let mut bob = backend.joined("lobby", "Bob").await;
    let mut other = backend.joined("garden", "Other").await;
    ann.say("lobby", "a-1", "hello").await;
    for guest in [&mut ann, &mut bob] {
        let said = guest.expect("said").await;
        let fields = [
            &said["room"],
            &said["id"],
            &said["name"],
            &said["role"],
            &said["text"],
        ];
        assert_eq!(fields, ["lobby", "a-1", "Ann", "member", "hello"]);
        assert!(said["at"].as_u64().unwrap() > 1_700_000_000_000);
    }
    other.say("garden", "o-1", "alone").await;
    assert_eq!(
        other.ids(1).await,
        ["o-1"],
        "nothing of the lobby came before"
    );
    bob.send(json!({ "type": "leave", "room": "lobby" })).await;
    bob.expect("left").await;
    ann.say("lobby", "a-2", "still there?").await;
    assert_eq!(ann.ids(1).await, ["a-2"]);
    bob.say("lobby", "b-1", "no").await;
    assert_eq!(bob.expect("error").await["reason"], "not_a_member");
    let stats = backend.stats().await;
    assert_eq!(
        stats["received"],
        json!({ "join": 3, "leave": 1, "say": 4 })
    );
    assert_eq!(stats["refused"], json!({ "not_a_member": 1 }));
    assert_eq!(stats["frames"]["said"]["sent"], 4);
    assert_eq!(
        (&stats["now"]["sockets"], &stats["now"]["members"]),
        (&json!(3), &json!(2))
    );
    assert!(add_up(&stats), "{stats:#}");
    backend.finish().await;
}

#[tokio::test]
async fn what_is_said_without_a_room_or_a_type_goes_to_every_client() {
    let backend = Backend::start("{}").await;
    let mut guests = [
        backend.connect().await,
        backend.joined("lobby", "Ann").await,
    ];
    guests[0]
        .send(json!({ "id": "7-1", "text": "hello" }))
        .await;
    for guest in &mut guests {
        let said = guest.expect("said").await;
        assert_eq!((&said["id"], &said["room"]), (&json!("7-1"), &json!(null)));
    }
    guests[1].send(json!({ "text": "without an id" })).await;
    let said = guests[0].expect("said").await;
    assert!(
        said["id"].as_str().unwrap().starts_with("message-"),
        "{said}"
    );
    backend.finish().await;
}

#[tokio::test]
async fn members_learn_who_is_there_who_comes_and_goes_and_what_was_said() {
    let backend = Backend::start("limits: { history: 2 }").await;
    let mut ann = backend.connect().await;
    ann.send(json!({ "type": "join", "room": "lobby", "name": "Ann", "watch": true }))
        .await;
    assert_eq!(ann.expect("joined").await["members"], 1);
    let mut bob = backend.joined("lobby", "Bob").await;
    let came = ann.expect("presence").await;
    assert_eq!(
        (&came["came"], &came["members"]),
        (&json!("Bob"), &json!(2))
    );
    bob.send(json!({ "type": "presence", "room": "lobby" }))
        .await;
    assert_eq!(bob.expect("presence").await["names"], json!(["Ann", "Bob"]));
    for number in 1..=3 {
        bob.say("lobby", &format!("b-{number}"), "hello").await;
        bob.expect("said").await;
        ann.expect("said").await;
    }
    for (limit, expected) in [(json!(null), vec!["b-2", "b-3"]), (json!(1), vec!["b-3"])] {
        ann.send(json!({ "type": "history", "room": "lobby", "limit": limit }))
            .await;
        let history = ann.expect("history").await;
        let ids = history["messages"].as_array().unwrap().iter();
        let ids: Vec<_> = ids.map(|said| said["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected);
    }
    drop(bob);
    assert_eq!(ann.expect("presence").await["went"], "Bob");
    backend.finish().await;
}

#[tokio::test]
async fn frames_that_mean_nothing_are_answered_and_end_nothing() {
    let backend = Backend::start("{}").await;
    let mut guest = backend.connect().await;
    guest.send(json!("hello")).await;
    assert_eq!(guest.expect("error").await["reason"], "malformed");
    let binary = Message::Binary(b"{}".to_vec().into());
    futures_util::SinkExt::send(&mut guest.socket, binary)
        .await
        .unwrap();
    assert_eq!(guest.expect("error").await["reason"], "binary");
    guest
        .send(json!({ "type": "join", "room": "support-1" }))
        .await;
    assert_eq!(guest.expect("error").await["reason"], "reserved");
    guest
        .send(json!({ "type": "presence", "room": "nowhere" }))
        .await;
    assert_eq!(guest.expect("error").await["reason"], "not_a_member");
    let ping = Message::Ping(b"are you there".to_vec().into());
    futures_util::SinkExt::send(&mut guest.socket, ping)
        .await
        .unwrap();
    let answer = guest.message().await.unwrap();
    assert_eq!(answer, Message::Pong(b"are you there".to_vec().into()));
    let stats = backend.stats().await;
    let refused = json!({ "malformed": 1, "binary": 1, "reserved": 1, "not_a_member": 1 });
    assert_eq!(stats["refused"], refused);
    backend.finish().await;
}

#[tokio::test]
async fn who_asks_for_a_room_in_the_address_gets_all_that_is_said_from_the_handshake_on() {
    let backend = Backend::start("{}").await;
    let mut speaker = backend.joined("lobby", "Speaker").await;
    for number in 0..50 {
        let path = "/websocket?room=lobby&name=Ann%20B";
        let (head, guest) = Guest::ask_for(path, backend.address, "").await;
        let mut guest = guest.unwrap_or_else(|| panic!("{head}"));
        let id = format!("s-{number}");
        speaker.say("lobby", &id, "").await;
        let joined = guest.expect("joined").await;
        assert_eq!(
            (&joined["room"], &joined["name"]),
            (&json!("lobby"), &json!("Ann B"))
        );
        assert_eq!(guest.ids(1).await, [id]);
    }
    let (_, guest) = Guest::ask_for("/websocket?room=", backend.address, "").await;
    let refused = guest.unwrap().expect("error").await;
    assert_eq!(refused["reason"], "field");
    backend.finish().await;
}

#[tokio::test]
async fn a_handshake_is_answered_by_the_standard() {
    let backend = Backend::start("{}").await;
    let lines =
        "sec-websocket-protocol: other, rooms\r\nsec-websocket-extensions: permessage-deflate\r\n";
    let (head, guest) = Guest::ask(backend.address, lines).await;
    assert!(
        guest.is_some() && head.contains("sec-websocket-protocol: rooms\r\n"),
        "{head}"
    );
    assert!(!head.contains("extensions"), "{head}");
    let (head, _) = Guest::ask(backend.address, "sec-websocket-protocol: other\r\n").await;
    assert!(!head.contains("sec-websocket-protocol"), "{head}");
    let (code, answer) = backend.ask("GET", "/websocket", json!(null)).await;
    assert_eq!(code, 426, "{answer}");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (version, key, expected) in [("8", "dGhlIHNhbXBsZSBub25jZQ==", 426), ("13", "short", 400)] {
        let request = client.get(backend.url("/websocket"));
        let request = request
            .header("connection", "upgrade")
            .header("upgrade", "websocket");
        let request = request
            .header("sec-websocket-version", version)
            .header("sec-websocket-key", key);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), expected, "{version} {key}");
    }
    let stats = backend.stats().await;
    assert_eq!(stats["handshakes"], json!({ "101": 2, "400": 1, "426": 2 }));
    backend.finish().await;
}

#[tokio::test]
async fn a_client_that_closes_gets_its_code_back_and_one_that_is_lost_is_counted_so() {
    let backend = Backend::start("{}").await;
    let mut guest = backend.connect().await;
    guest.socket.close(None).await.unwrap();
    assert_eq!(guest.close_code().await, None, "no code was sent");
    drop(backend.connect().await);
    let stats = backend
        .stats_when("both are gone", |stats| stats["now"]["sockets"] == 0)
        .await;
    let closed = json!({ "client": { "none": 1 }, "network": { "none": 1 } });
    assert_eq!(stats["closed"], closed);
    backend.finish().await;
}

#[tokio::test]
async fn the_end_of_the_server_closes_sockets_with_1001() {
    let backend = Backend::start("{}").await;
    let mut guest = backend.joined("lobby", "Ann").await;
    let (code, ()) = tokio::join!(guest.close_code(), backend.finish());
    assert_eq!(code, Some(1001));
}
