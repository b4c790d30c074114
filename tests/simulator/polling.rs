//! Chats by polling alone.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    practice::Practice,
    support::{Folder, Run, eventually},
};

impl Practice {
    async fn chat(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let path = format!("/chats{path}");
        let (code, answer) = self.call(method, &path, body).await;
        (code.as_u16(), answer)
    }

    /// Opens a chat: its id.
    async fn open_polled(&self) -> String {
        let body = json!({ "customer": "Ann", "conversation": "hello" });
        let (code, chat) = self.chat(Method::POST, "", body).await;
        assert_eq!((code, &chat["state"]), (201, &json!("waiting")), "{chat}");
        assert!(chat.get("agent").is_none());
        chat["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_customer_without_events_asks_for_the_agent_and_what_he_says() {
    let practice = Practice::start("{ agents: 1 }").await;
    let id = practice.open_polled().await;
    let path = format!("/{id}");
    let joined = eventually("an agent", async || {
        let (_, chat) = practice.chat(Method::GET, &path, Value::Null).await;
        chat["agent"].is_string().then_some(chat)
    })
    .await;
    assert_eq!(
        joined,
        json!({ "id": id, "state": "talking", "agent": "Agent 1", "last": 0 })
    );
    let messages = format!("/{id}/messages");
    for number in [1, 3] {
        let (code, said) = practice
            .chat(Method::POST, &messages, json!({ "text": "hello" }))
            .await;
        assert_eq!((code, said), (201, json!({ "number": number })));
        let query = format!("{messages}?after={number}");
        let answer = eventually("an answer", async || {
            let (_, answer) = practice.chat(Method::GET, &query, Value::Null).await;
            answer["messages"].get(0).cloned()
        })
        .await;
        assert_eq!(
            (&answer["from"], &answer["number"]),
            (&json!("AGENT"), &json!(number + 1))
        );
    }
    let (code, _) = practice.chat(Method::DELETE, &path, Value::Null).await;
    assert_eq!(code, 200);
    let (code, ended) = practice.chat(Method::GET, &path, Value::Null).await;
    assert_eq!((code, ended), (200, json!({ "id": id, "state": "ended" })));
    for (method, path) in [(Method::DELETE, &path), (Method::GET, &messages)] {
        assert_eq!(practice.chat(method, path, Value::Null).await.0, 409);
    }
    assert_eq!(
        practice.chat(Method::GET, "/en-1", Value::Null).await.0,
        404
    );
    let stats = practice.stats().await;
    assert_eq!(stats["now"]["sessions_open"], 0);
    assert_eq!(
        (&stats["ended"], &stats["events"]),
        (&json!({ "bye": 1 }), &json!({}))
    );
    assert_eq!(stats["requests"]["chat_open"], json!({ "201": 1 }));
    practice.finish().await;
}

#[tokio::test]
async fn a_customer_sees_that_the_agent_is_gone_and_that_nobody_comes() {
    let practice = Practice::start("{ floor: by_hand }").await;
    let id = practice.open_polled().await;
    let ask = async |what: &str| {
        let (code, answer) = practice
            .call(
                Method::POST,
                &format!("/agent/{what}"),
                json!({ "agent": "Bob", "chat": id }),
            )
            .await;
        assert_eq!(code, 200, "{answer}");
    };
    let state = async || {
        practice
            .chat(Method::GET, &format!("/{id}"), Value::Null)
            .await
            .1["state"]
            .clone()
    };
    ask("login").await;
    assert_eq!(state().await, "waiting");
    ask("accept").await;
    assert_eq!(state().await, "talking");
    ask("logout").await;
    assert_eq!(state().await, "deserted");
    ask("login").await;
    let (code, _) = practice.chat(Method::POST, "", json!({})).await;
    assert_eq!(code, 400);
    // One with events is not another one's to end.
    let other = practice.open().await;
    assert_eq!(
        practice
            .chat(Method::DELETE, &format!("/{}", other.1), Value::Null)
            .await
            .0,
        409
    );
    practice.finish().await;
}

#[tokio::test]
async fn chats_with_events_have_no_transcript_where_agents_act_by_themselves() {
    let practice = Practice::start("{}").await;
    let chat = practice.open().await;
    let path = format!("/{}/messages", chat.1);
    assert_eq!(practice.chat(Method::GET, &path, Value::Null).await.0, 404);
    practice.finish().await;
}

#[tokio::test]
async fn the_shipped_scenario_holds_its_chats_by_polling_alone() {
    let practice = Practice::start("{ agents: 3 }").await;
    let run = Run::new(Folder::new(), "polling-chat", &practice.base);
    let inputs = ["--input", "every=20ms", "--input", "reply_delay=10ms"];
    let arguments = [&["--load", "{ chats: 3 }"][..], &inputs].concat();
    let finished = run.with(&arguments).done().await;
    assert_eq!(finished.code, 0, "{}", finished.log);
    let stats = practice.stats().await;
    assert_eq!(stats["ended"], json!({ "bye": 3 }));
    for (request, answers) in [
        ("chat_open", json!({ "201": 3 })),
        ("chat_say", json!({ "201": 6 })),
        ("chat_end", json!({ "200": 3 })),
    ] {
        assert_eq!(stats["requests"][request], answers, "{request}");
    }
    // Nobody comes: the chat is taken back.
    practice
        .faults(json!({ "agents": { "never_come": 1 } }))
        .await;
    let run = Run::new(Folder::new(), "polling-chat", &practice.base);
    let arguments = [
        &[
            "--load",
            "{ chats: 1 }",
            "--input",
            "agent_join_timeout=100ms",
        ][..],
        &inputs,
    ]
    .concat();
    let finished = run.with(&arguments).done().await;
    assert_eq!(finished.code, 1, "{}", finished.log);
    let stats = practice.stats().await;
    assert_eq!(
        (&stats["ended"], &stats["now"]["engagements_open"]),
        (&json!({ "bye": 4 }), &json!(0))
    );
    practice.finish().await;
}
