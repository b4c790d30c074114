//! What a client of a healthy centre sees, and the statistics of the centre.

use crate::practice::{
    AGENT, CREATED, CUSTOMER, LEFT, MESSAGE, Practice, engagement_body, message_body, session_body,
};
use axum::http::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_healthy_chat_and_counts_that_agree() {
    let mut practice = Practice::start("{}").await;
    let (status, webhook) = practice.register(&practice.callback).await;
    assert_eq!(status, 201);
    let session = practice.session().await;
    let answer = practice.engage(&session).await;
    for field in ["engagementId", "sessionId", "dialogId", "correlationId"] {
        assert!(answer[field].is_string(), "{field} in {answer}");
    }
    let chat = (session, answer["engagementId"].as_str().unwrap().to_owned());
    practice.expect(&[CUSTOMER, CREATED]).await;
    let joined = practice.next().await;
    assert_eq!(joined.short(), AGENT);
    for (field, expected) in [
        ("engagementId", &chat.1),
        ("sessionId", &chat.0),
        ("tenantId", &"t".to_owned()),
    ] {
        assert_eq!(
            joined.event[field].as_str(),
            Some(expected.as_str()),
            "{field}"
        );
    }
    for field in ["participantId", "displayName", "connectionId", "dialogId"] {
        assert!(
            joined.event[field].is_string(),
            "{field} in {}",
            joined.event
        );
    }
    let path = format!("/api/digital/v1/engagements/{}", chat.1);
    let (status, who) = practice.call(Method::GET, &path, Value::Null).await;
    assert_eq!(status, 200);
    assert!(
        who["dialogs"][0]["sourceParticipantId"].is_string(),
        "{who}"
    );
    assert_eq!(practice.say(&chat, "hello").await, 200);
    let message = practice.next().await;
    assert_eq!(message.event["senderType"], "AGENT");
    assert!(message.event["body"]["elementText"]["text"].is_string());
    assert_eq!(practice.say(&chat, "###BYE###").await, 200);
    practice.expect(&[LEFT]).await;
    assert_eq!(practice.say(&chat, "hello?").await, 409);
    let terminate = format!("/sessions/{}:terminate", chat.0);
    let reason = json!({ "channelProviderId": "p", "reason": "USER_CLOSED" });
    assert_eq!(practice.post(&terminate, reason).await.0, 200);

    let statistics = practice
        .stats_when("all events acknowledged", |stats| {
            stats["events"]["participant_left"]["acknowledged"] == 1
        })
        .await;
    assert_eq!(
        statistics["requests"]["send_chat"],
        json!({ "200": 1, "409": 1 })
    );
    assert_eq!(statistics["requests"]["interact_end"], json!({ "200": 1 }));
    assert_eq!(statistics["joins"]["count"], 1);
    let delay = statistics["joins"]["max_ms"].as_f64().unwrap();
    assert!((30.0..500.0).contains(&delay), "{delay}");
    assert_eq!(statistics["now"]["engagements_open"], 0);
    assert_eq!(statistics["ended"], json!({ "bye": 1 }));

    let webhook = format!(
        "/api/digital/v1/channel-providers/p/webhooks/{}",
        webhook["webhookId"].as_str().unwrap()
    );
    assert_eq!(
        practice.call(Method::DELETE, &webhook, Value::Null).await.0,
        200
    );
    assert_eq!(
        practice.call(Method::DELETE, &webhook, Value::Null).await.0,
        404
    );
    assert_eq!(
        practice
            .call(Method::POST, "/stats/reset", Value::Null)
            .await
            .0,
        204
    );
    assert_eq!(practice.stats().await["requests"], json!({}));
    practice.finish().await;
}

#[tokio::test]
async fn customers_beyond_the_agents_wait() {
    let mut practice = Practice::registered("agents: 1").await;
    let first = practice.open().await;
    practice.expect(&[CUSTOMER, CREATED, AGENT]).await;
    let second = practice.open().await;
    practice.expect(&[CUSTOMER, CREATED]).await;
    let stats = practice.stats().await;
    assert_eq!(stats["now"]["engagements_queued"], 1);
    assert_eq!(stats["now"]["agents_busy"], 1);
    let leave = json!({ "sessionId": first.0, "dialogId": "", "participantId": "", "reason": "USER_DISCONNECTED" });
    let path = format!("/engagements/{}:disconnect", first.1);
    assert_eq!(practice.post(&path, leave).await.0, 200);
    practice.expect(&[LEFT]).await;
    let joined = practice.next().await;
    assert_eq!(
        (joined.short().as_str(), &joined.event["engagementId"]),
        (AGENT, &json!(second.1))
    );
    practice.finish().await;
}

#[tokio::test]
async fn mistakes_are_answered_as_a_real_server_does() {
    let practice = Practice::start("{}").await;
    let chat = practice.open().await;
    let url = format!("{}/api/digital/v1/sessions", practice.base);
    let malformed = practice.client.post(&url).body("{").send().await.unwrap();
    assert_eq!(malformed.status(), 400);
    let large = practice
        .client
        .post(&url)
        .body(vec![b' '; 65 * 1024])
        .send()
        .await
        .unwrap();
    assert_eq!(large.status(), 413);
    let (status, answer) = practice.post("/sessions", json!({ "tenantId": "t" })).await;
    assert_eq!(status, 400);
    assert!(
        answer["error"]
            .as_str()
            .unwrap()
            .contains("customerIdentifier"),
        "{answer}"
    );
    let messages = format!("/engagements/{}/messages", chat.1);
    for (path, body, expected) in [
        ("/engagements", engagement_body("se-1"), 404),
        (
            "/sessions/se-1:terminate",
            json!({ "channelProviderId": "p" }),
            404,
        ),
        (
            "/engagements/en-1/messages",
            message_body(&chat.0, "x"),
            404,
        ),
        (&messages, message_body("se-1", "x"), 404),
        (&messages, json!({ "sessionId": chat.0 }), 400),
        ("/channel-providers/p/webhooks", json!([]), 400),
        (
            "/channel-providers/p/webhooks",
            json!([{ "callbackUrl": "x", "eventTypes": ["ALL"] }]),
            400,
        ),
        ("/nowhere", json!({}), 404),
    ] {
        assert_eq!(practice.post(path, body).await.0, expected, "{path}");
    }
    assert_eq!(
        practice.stats().await["requests"]["unknown"],
        json!({ "404": 1 })
    );
    practice.finish().await;
}

#[tokio::test]
async fn the_reference_kind_differs_as_it_is_known_to() {
    let mut practice = Practice::start("quirks: reference").await;
    let (status, webhook) = practice.register("http://127.0.0.1:9/replaced").await;
    assert_eq!(status, 200);
    assert!(webhook["webhookId"].is_number(), "{webhook}");
    practice.register(&practice.callback).await;
    let session = practice.session().await;
    let answer = practice.engage(&session).await;
    assert_eq!(answer.as_object().unwrap().len(), 1, "{answer}");
    let id = answer["engagementId"].as_str().unwrap().to_owned();
    let first = practice.next().await;
    assert_eq!(
        first.event["engagementId"],
        json!(id.parse::<u64>().unwrap())
    );
    assert_eq!(
        first.content_type.as_deref(),
        Some("application/x-www-form-urlencoded")
    );
    practice.expect(&[CREATED, AGENT]).await;
    assert_eq!(practice.say(&(session, id), "###BYE###").await, 200);
    practice.expect(&[MESSAGE, LEFT, LEFT]).await;
    practice.finish().await;
}

#[tokio::test]
async fn events_can_come_by_get_and_without_a_content_type() {
    let quirks =
        "quirks: { event_method: get, event_content_type: none, ok_for_created: [session_create] }";
    let mut practice = Practice::registered(quirks).await;
    let (status, session) = practice.post("/sessions", session_body()).await;
    assert_eq!(status, 200);
    practice
        .engage(session["sessionId"].as_str().unwrap())
        .await;
    let first = practice.next().await;
    assert_eq!(
        (first.method.clone(), first.content_type.clone()),
        (Method::GET, None)
    );
    assert_eq!(first.short(), CUSTOMER);
    practice.finish().await;
}
