//! Drives the simulator over real sockets, with a receiver for its events.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what a test needs and does not get has failed it"
)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use chatprobe::simulator::{Settings, Simulator};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(10);

/// An event as the receiver saw it.
#[derive(Debug)]
struct Seen {
    method: Method,
    content_type: Option<String>,
    event: Value,
}

impl Seen {
    /// `MESSAGES`, `PARTICIPANT_ADDED/AGENT` and so on.
    fn short(&self) -> String {
        let kind = self.event["eventType"].as_str().unwrap_or_default();
        match self.event["participantType"].as_str() {
            Some(party) => format!("{kind}/{party}"),
            None => kind.to_owned(),
        }
    }
}

struct Practice {
    base: String,
    callback: String,
    client: reqwest::Client,
    seen: mpsc::UnboundedReceiver<Seen>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

async fn receive(
    State(seen): State<Arc<mpsc::UnboundedSender<Seen>>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let content_type = headers
        .get("content-type")
        .map(|value| value.to_str().unwrap_or_default().to_owned());
    let event = serde_json::from_slice(&body).unwrap_or(Value::Null);
    match seen.send(Seen {
        method,
        content_type,
        event,
    }) {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::GONE,
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Fast agents, so that tests are; `yaml` comes on top.
fn settings(yaml: &str) -> Settings {
    let mut all: serde_yaml::Value =
        serde_yaml::from_str("{ join: 30ms, answer: 10ms, typing: 10ms }").unwrap();
    let extra: serde_yaml::Value = serde_yaml::from_str(yaml).unwrap();
    all.as_mapping_mut()
        .unwrap()
        .extend(extra.as_mapping().unwrap().clone());
    serde_yaml::from_value(all).unwrap()
}

impl Practice {
    /// A simulator and a receiver whose URL is not registered yet.
    async fn start(yaml: &str) -> Self {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let stop = CancellationToken::new();
        let (listener, address) = listen().await;
        let simulator = Simulator::new(settings(yaml)).unwrap();
        let token = stop.clone();
        let simulating =
            tokio::spawn(async move { simulator.serve(listener, token).await.unwrap() });

        let (sender, seen) = mpsc::unbounded_channel();
        let receiver = Router::new().fallback(receive).with_state(Arc::new(sender));
        let (listener, callback) = listen().await;
        let token = stop.clone();
        let receiving = tokio::spawn(async move {
            token
                .run_until_cancelled(axum::serve(listener, receiver).into_future())
                .await;
        });
        Self {
            base: format!("http://{address}"),
            callback: format!("http://{callback}/events"),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            seen,
            stop,
            tasks: vec![simulating, receiving],
        }
    }

    /// The same with the receiver registered.
    async fn registered(yaml: &str) -> Self {
        let practice = Self::start(yaml).await;
        let (status, _) = practice.register(&practice.callback).await;
        assert!(status.is_success());
        practice
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        self.try_call(method, path, body).await.unwrap()
    }

    async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Value,
    ) -> reqwest::Result<(StatusCode, Value)> {
        let url = format!("{}{path}", self.base);
        let answer = self.client.request(method, url).json(&body).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(Method::POST, &format!("/api/digital/v1{path}"), body)
            .await
    }

    async fn register(&self, url: &str) -> (StatusCode, Value) {
        let body = json!([{ "callbackUrl": url, "eventTypes": ["ALL"] }]);
        self.post("/channel-providers/p/webhooks", body).await
    }

    async fn session(&self) -> String {
        let (status, answer) = self.post("/sessions", session_body()).await;
        assert_eq!(status, 201, "{answer}");
        answer["sessionId"].as_str().unwrap().to_owned()
    }

    async fn engage(&self, session: &str) -> Value {
        let (status, answer) = self.post("/engagements", engagement_body(session)).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Opens a chat: its session and engagement.
    async fn open(&self) -> (String, String) {
        let session = self.session().await;
        let answer = self.engage(&session).await;
        (session, answer["engagementId"].as_str().unwrap().to_owned())
    }

    async fn say(&self, chat: &(String, String), text: &str) -> StatusCode {
        self.post(
            &format!("/engagements/{}/messages", chat.1),
            message_body(&chat.0, text),
        )
        .await
        .0
    }

    async fn next(&mut self) -> Seen {
        timeout(PATIENCE, self.seen.recv())
            .await
            .expect("an event")
            .unwrap()
    }

    async fn expect(&mut self, events: &[&str]) {
        for event in events {
            assert_eq!(self.next().await.short(), *event);
        }
    }

    async fn stats(&self) -> Value {
        self.call(Method::GET, "/stats", Value::Null).await.1
    }

    /// The stats once they satisfy a condition.
    async fn stats_when(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let wait = async {
            loop {
                let stats = self.stats().await;
                if holds(&stats) {
                    return stats;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match timeout(PATIENCE, wait).await {
            Ok(stats) => stats,
            Err(late) => panic!("{what} did not come true, {late}: {}", self.stats().await),
        }
    }

    async fn faults(&self, faults: Value) {
        let (status, answer) = self.call(Method::PUT, "/faults", faults).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Stops everything; the simulator has to end by itself.
    async fn finish(self) {
        self.stop.cancel();
        for task in self.tasks {
            timeout(PATIENCE, task).await.expect("an end").unwrap();
        }
    }
}

fn session_body() -> Value {
    json!({
        "tenantId": "t", "customerIdentifier": "c", "channelProviderId": "p", "userId": "u",
        "displayName": "Customer 1", "firstName": "Customer", "lastName": "1",
        "emailAddress": "c@example.com", "contactNumber": "1", "sessionParameters": { "language": "en" },
    })
}

fn engagement_body(session: &str) -> Value {
    json!({
        "sessionId": session, "tenantId": "t", "customerIdentifier": "c", "channelProviderId": "p",
        "conversation": "hello", "mediaType": "CHAT", "contextParameters": { "language": "en" },
    })
}

fn message_body(session: &str, text: &str) -> Value {
    json!({
        "sessionId": session, "correlationId": null, "dialogId": null, "parentMessageId": null,
        "senderType": "CUSTOMER", "senderName": "Customer 1",
        "body": { "elementType": "Text", "elementText": { "text": text, "textFormat": "PLAINTEXT" } },
    })
}

const CUSTOMER: &str = "PARTICIPANT_ADDED/CUSTOMER";
const CREATED: &str = "ENGAGEMENT_CREATED";
const AGENT: &str = "PARTICIPANT_ADDED/AGENT";
const MESSAGE: &str = "MESSAGES";
const LEFT: &str = "PARTICIPANT_DISCONNECTED/CUSTOMER";

#[tokio::test]
async fn a_healthy_chat_and_books_that_agree() {
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

    let books = practice
        .stats_when("all events acknowledged", |stats| {
            stats["events"]["participant_left"]["acknowledged"] == 1
        })
        .await;
    assert_eq!(
        books["requests"]["send_chat"],
        json!({ "200": 1, "409": 1 })
    );
    assert_eq!(books["requests"]["interact_end"], json!({ "200": 1 }));
    assert_eq!(books["joins"]["count"], 1);
    let delay = books["joins"]["max_ms"].as_f64().unwrap();
    assert!((30.0..500.0).contains(&delay), "{delay}");
    assert_eq!(books["now"]["engagements_open"], 0);
    assert_eq!(books["ended"], json!({ "bye": 1 }));

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

    let books = practice.stats().await;
    let expected = json!({ "503": 1, "reset": 1, "201": 1 });
    assert_eq!(books["requests"]["session_create"], expected);
    assert_eq!(
        books["now"]["sessions_open"], 1,
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
async fn many_chats_at_once_keep_their_order_and_the_books_agree() {
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
