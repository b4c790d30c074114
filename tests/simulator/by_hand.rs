//! Agents who act by hand, over requests and at a socket.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    practice::{AGENT, CREATED, CUSTOMER, LEFT, MESSAGE, PATIENCE, Practice, Seen},
    rooms::Guest,
};

const BY_HAND: &str = "{ floor: by_hand, agents: 3, chats_per_agent: 2 }";

impl Practice {
    /// What an agent asks for: the answer to a success.
    async fn agent(&self, what: &str, body: Value) -> Value {
        let (status, answer) = self.try_agent(what, body).await;
        assert_eq!(status, 200, "{what}: {answer}");
        answer
    }

    async fn try_agent(&self, what: &str, body: Value) -> (u16, Value) {
        let path = format!("/agent/{what}");
        let (status, answer) = self.call(Method::POST, &path, body).await;
        (status.as_u16(), answer)
    }

    async fn waiting(&self, query: &str) -> Value {
        let path = format!("/agent/waiting{query}");
        self.call(Method::GET, &path, Value::Null).await.1
    }

    /// The next events, sorted: those of one chat come in order, and those of several as they may.
    async fn seen_in_any_order(&mut self, count: usize) -> Vec<Seen> {
        let mut seen = Vec::new();
        for _ in 0..count {
            seen.push(self.next().await);
        }
        seen.sort_by_key(Seen::short);
        seen
    }

    async fn lines(&self, chat: &str, after: u32) -> Value {
        let path = format!("/chats/{chat}/messages?after={after}");
        self.call(Method::GET, &path, Value::Null).await.1
    }
}

fn said(lines: &Value) -> Vec<(&str, &str)> {
    let lines = lines["messages"].as_array().unwrap().iter();
    lines
        .map(|line| {
            (
                line["from"].as_str().unwrap(),
                line["text"].as_str().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn an_agent_accepts_writes_hears_and_ends_by_requests() {
    let mut practice = Practice::registered(BY_HAND).await;
    let chat = practice.open().await;
    practice.expect(&[CUSTOMER, CREATED]).await;
    let logged_in = practice.agent("login", json!({ "agent": "Ann" })).await;
    assert_eq!(logged_in, json!({ "agent": "Ann", "chats": [] }));
    let offer = json!({ "chat": chat.1, "customer": "c", "conversation": "hello" });
    assert_eq!(practice.waiting("").await, json!({ "chats": [offer] }));
    let accept = json!({ "agent": "Ann", "chat": chat.1 });
    assert_eq!(practice.agent("accept", accept).await, offer);
    let joined = practice.next().await;
    assert_eq!(
        (joined.short().as_str(), &joined.event["displayName"]),
        (AGENT, &json!("Ann"))
    );
    assert_eq!(practice.waiting("").await, json!({ "chats": [] }));
    assert_eq!(practice.say(&chat, "my order is late").await, 200);
    let say = json!({ "agent": "Ann", "chat": chat.1, "text": "It is on its way." });
    assert_eq!(practice.agent("say", say).await, json!({ "number": 2 }));
    let message = practice.next().await;
    assert_eq!(message.short(), MESSAGE);
    assert_eq!(
        message.event["body"]["elementText"]["text"],
        "It is on its way."
    );
    let lines = practice.lines(&chat.1, 0).await;
    let all = [
        ("CUSTOMER", "my order is late"),
        ("AGENT", "It is on its way."),
    ];
    assert_eq!(said(&lines), all);
    assert_eq!(said(&practice.lines(&chat.1, 1).await), all[1..]);
    let stats = practice.stats().await;
    assert_eq!(
        (&stats["now"]["agents_busy"], &stats["now"]["agents_total"]),
        (&json!(1), &json!(1))
    );
    practice
        .agent("end", json!({ "agent": "Ann", "chat": chat.1 }))
        .await;
    practice.expect(&["PARTICIPANT_DISCONNECTED/AGENT"]).await;
    let stats = practice.stats().await;
    assert_eq!(
        (&stats["ended"], &stats["now"]["agents_busy"]),
        (&json!({ "handled": 1 }), &json!(0))
    );
    assert_eq!(stats["requests"]["agent_accept"], json!({ "200": 1 }));
    practice.finish().await;
}

#[tokio::test]
async fn what_an_agent_may_not_do_is_refused() {
    let practice = Practice::registered(BY_HAND).await;
    let chats = [
        practice.open().await,
        practice.open().await,
        practice.open().await,
    ];
    let accept = |agent: &str, chat: &str| json!({ "agent": agent, "chat": chat });
    let (status, _) = practice
        .try_agent("accept", accept("Ann", &chats[0].1))
        .await;
    assert_eq!(status, 403);
    for (agent, status) in [
        ("", 400),
        ("Ann", 200),
        ("Bob", 200),
        ("Cleo", 200),
        ("Dan", 503),
        ("Ann", 200),
    ] {
        let (answered, answer) = practice.try_agent("login", json!({ "agent": agent })).await;
        assert_eq!(answered, status, "{agent}: {answer}");
    }
    practice.agent("accept", accept("Ann", &chats[0].1)).await;
    for (agent, chat, status) in [
        ("Bob", chats[0].1.as_str(), 409),
        ("Ann", "en-1", 404),
        ("Ann", &chats[1].1, 200),
        ("Ann", &chats[2].1, 409),
    ] {
        let (answered, answer) = practice.try_agent("accept", accept(agent, chat)).await;
        assert_eq!(answered, status, "{agent} {chat}: {answer}");
    }
    // Without a name it is the oldest.
    let accepted = practice.agent("accept", json!({ "agent": "Bob" })).await;
    assert_eq!(accepted["chat"], json!(chats[2].1));
    let (status, _) = practice
        .try_agent("accept", json!({ "agent": "Bob" }))
        .await;
    assert_eq!(status, 404);
    let say = json!({ "agent": "Bob", "chat": chats[0].1, "text": "" });
    assert_eq!(practice.try_agent("say", say).await.0, 409);
    assert_eq!(
        practice
            .try_agent("end", accept("Bob", &chats[0].1))
            .await
            .0,
        409
    );
    practice.finish().await;
    let automatic = Practice::registered("{}").await;
    let (status, answer) = automatic
        .try_agent("login", json!({ "agent": "Ann" }))
        .await;
    assert_eq!(status, 409, "{answer}");
    automatic.finish().await;
}

#[tokio::test]
async fn whoever_asks_who_waits_is_answered_with_the_next_chat() {
    let practice = Practice::registered(BY_HAND).await;
    let began = Instant::now();
    assert_eq!(
        practice.waiting("?wait=100ms").await,
        json!({ "chats": [] })
    );
    assert!(began.elapsed() >= Duration::from_millis(100));
    let (answer, chat) = tokio::join!(practice.waiting("?wait=1m"), practice.open());
    assert_eq!(answer["chats"][0]["chat"], json!(chat.1));
    let (status, _) = practice
        .call(Method::GET, "/agent/waiting?wait=soon", Value::Null)
        .await;
    assert_eq!(status, 400);
    practice.finish().await;
}

#[tokio::test]
async fn an_agent_who_logs_out_leaves_the_customers_behind() {
    let mut practice = Practice::registered(BY_HAND).await;
    practice.agent("login", json!({ "agent": "Ann" })).await;
    let chat = practice.open().await;
    practice.agent("accept", json!({ "agent": "Ann" })).await;
    practice.agent("logout", json!({ "agent": "Ann" })).await;
    practice
        .expect(&[CUSTOMER, CREATED, AGENT, "PARTICIPANT_DISCONNECTED/AGENT"])
        .await;
    assert_eq!(
        practice
            .try_agent("logout", json!({ "agent": "Ann" }))
            .await
            .0,
        403
    );
    assert_eq!(practice.say(&chat, "###BYE###").await, 200);
    practice.expect(&[LEFT]).await;
    practice.finish().await;
}

/// The socket of an agent.
async fn socket(practice: &Practice, agent: &str) -> Guest {
    let address = practice
        .base
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    let path = format!("/agent/socket?agent={agent}");
    let (answer, socket) = Guest::ask_for(&path, address, "").await;
    socket.unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn an_agent_at_a_socket_sees_who_waits_accepts_and_talks() {
    let mut practice = Practice::registered(BY_HAND).await;
    let first = practice.open().await;
    let mut ann = socket(&practice, "Ann").await;
    let offer = |chat: &str| json!({ "type": "waiting", "chat": chat, "customer": "c", "conversation": "hello" });
    assert_eq!(ann.next().await, offer(&first.1));
    let second = practice.open().await;
    assert_eq!(ann.next().await, offer(&second.1));
    ann.send(json!({ "type": "accept", "chat": second.1 }))
        .await;
    assert_eq!(ann.expect("accepted").await["chat"], json!(second.1));
    assert_eq!(practice.say(&second, "hello").await, 200);
    let heard = ann.expect("message").await;
    assert_eq!(
        (&heard["chat"], &heard["number"], &heard["text"]),
        (&json!(second.1), &json!(1), &json!("hello"))
    );
    ann.send(json!({ "type": "message", "chat": second.1, "text": "hello, too" }))
        .await;
    ann.send(json!({ "type": "accept", "chat": second.1 }))
        .await;
    assert_eq!(ann.expect("error").await["reason"], 409);
    ann.send(json!({ "type": "dance" })).await;
    assert_eq!(ann.expect("error").await["reason"], 400);
    let seen = practice.seen_in_any_order(6).await;
    let events: Vec<_> = seen.iter().map(Seen::short).collect();
    assert_eq!(
        events,
        [CREATED, CREATED, MESSAGE, AGENT, CUSTOMER, CUSTOMER]
    );
    assert_eq!(seen[2].event["body"]["elementText"]["text"], "hello, too");
    ann.send(json!({ "type": "bye", "chat": second.1 })).await;
    assert_eq!(
        ann.expect("ended").await,
        json!({ "type": "ended", "chat": second.1, "reason": "handled" })
    );
    // The end of the socket logs him out, and leaves his customers behind.
    ann.send(json!({ "type": "accept", "chat": first.1 })).await;
    ann.expect("accepted").await;
    drop(ann);
    let left = "PARTICIPANT_DISCONNECTED/AGENT";
    let seen = practice.seen_in_any_order(3).await;
    let events: Vec<_> = seen.iter().map(Seen::short).collect();
    assert_eq!(events, [AGENT, left, left]);
    practice
        .stats_when("nobody is logged in", |stats| {
            stats["now"]["agents_total"] == 0
        })
        .await;
    practice.finish().await;
}

#[tokio::test]
async fn a_second_socket_takes_the_place_of_the_first_and_both_end_with_the_centre() {
    let practice = Practice::registered(BY_HAND).await;
    let mut first = socket(&practice, "Ann").await;
    let mut second = socket(&practice, "Ann").await;
    assert_eq!(first.close_code().await, Some(1013));
    drop(first);
    let chat = practice.open().await;
    assert_eq!(second.expect("waiting").await["chat"], json!(chat.1));
    assert_eq!(practice.stats().await["now"]["agents_total"], 1);
    let address = practice
        .base
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    let (answer, _) = Guest::ask_for("/agent/socket", address, "").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    practice.stop.cancel();
    let closed = timeout(PATIENCE, async {
        loop {
            if let Some(Message::Close(frame)) = second.message().await {
                break frame;
            }
        }
    });
    assert_eq!(
        closed.await.unwrap().map(|frame| u16::from(frame.code)),
        Some(1001)
    );
    drop(second);
    practice.finish().await;
}
