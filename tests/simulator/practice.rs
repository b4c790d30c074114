//! A simulator over real sockets, with a receiver for its events.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use chatprobe::simulator::{CentreSettings, Simulator};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub const PATIENCE: Duration = Duration::from_secs(10);

/// An event as the receiver saw it.
#[derive(Debug)]
pub struct Seen {
    pub method: Method,
    pub content_type: Option<String>,
    pub event: Value,
}

impl Seen {
    /// `MESSAGES`, `PARTICIPANT_ADDED/AGENT` and so on.
    pub fn short(&self) -> String {
        let kind = self.event["eventType"].as_str().unwrap_or_default();
        match self.event["participantType"].as_str() {
            Some(party) => format!("{kind}/{party}"),
            None => kind.to_owned(),
        }
    }
}

pub struct Practice {
    pub base: String,
    pub callback: String,
    pub client: reqwest::Client,
    pub seen: mpsc::UnboundedReceiver<Seen>,
    pub stop: CancellationToken,
    pub tasks: Vec<JoinHandle<()>>,
}

pub async fn receive(
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

pub async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Fast agents, so that tests are; `yaml` comes on top.
pub fn settings(yaml: &str) -> CentreSettings {
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
    pub async fn start(yaml: &str) -> Self {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let stop = CancellationToken::new();
        let (listener, address) = listen().await;
        let simulator = Simulator::new(settings(yaml)).unwrap();
        let token = stop.clone();
        let simulating = tokio::spawn(simulator.serve(listener, token));

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
    pub async fn registered(yaml: &str) -> Self {
        let practice = Self::start(yaml).await;
        let (status, _) = practice.register(&practice.callback).await;
        assert!(status.is_success());
        practice
    }

    pub async fn call(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        self.try_call(method, path, body).await.unwrap()
    }

    pub async fn try_call(
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

    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(Method::POST, &format!("/api/digital/v1{path}"), body)
            .await
    }

    pub async fn register(&self, url: &str) -> (StatusCode, Value) {
        let body = json!([{ "callbackUrl": url, "eventTypes": ["ALL"] }]);
        self.post("/channel-providers/p/webhooks", body).await
    }

    pub async fn session(&self) -> String {
        let (status, answer) = self.post("/sessions", session_body()).await;
        assert_eq!(status, 201, "{answer}");
        answer["sessionId"].as_str().unwrap().to_owned()
    }

    pub async fn engage(&self, session: &str) -> Value {
        let (status, answer) = self.post("/engagements", engagement_body(session)).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Opens a chat: its session and engagement.
    pub async fn open(&self) -> (String, String) {
        let session = self.session().await;
        let answer = self.engage(&session).await;
        (session, answer["engagementId"].as_str().unwrap().to_owned())
    }

    pub async fn say(&self, chat: &(String, String), text: &str) -> StatusCode {
        self.post(
            &format!("/engagements/{}/messages", chat.1),
            message_body(&chat.0, text),
        )
        .await
        .0
    }

    pub async fn next(&mut self) -> Seen {
        timeout(PATIENCE, self.seen.recv())
            .await
            .expect("an event")
            .unwrap()
    }

    pub async fn expect(&mut self, events: &[&str]) {
        for event in events {
            assert_eq!(self.next().await.short(), *event);
        }
    }

    pub async fn stats(&self) -> Value {
        self.call(Method::GET, "/stats", Value::Null).await.1
    }

    /// The stats once they satisfy a condition.
    pub async fn stats_when(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
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

    pub async fn faults(&self, faults: Value) {
        let (status, answer) = self.call(Method::PUT, "/faults", faults).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Stops everything; the simulator has to end by itself.
    pub async fn finish(self) {
        self.stop.cancel();
        for task in self.tasks {
            timeout(PATIENCE, task).await.expect("an end").unwrap();
        }
    }
}

pub fn session_body() -> Value {
    json!({
        "tenantId": "t", "customerIdentifier": "c", "channelProviderId": "p", "userId": "u",
        "displayName": "Customer 1", "firstName": "Customer", "lastName": "1",
        "emailAddress": "c@example.com", "contactNumber": "1", "sessionParameters": { "language": "en" },
    })
}

pub fn engagement_body(session: &str) -> Value {
    json!({
        "sessionId": session, "tenantId": "t", "customerIdentifier": "c", "channelProviderId": "p",
        "conversation": "hello", "mediaType": "CHAT", "contextParameters": { "language": "en" },
    })
}

pub fn message_body(session: &str, text: &str) -> Value {
    json!({
        "sessionId": session, "correlationId": null, "dialogId": null, "parentMessageId": null,
        "senderType": "CUSTOMER", "senderName": "Customer 1",
        "body": { "elementType": "Text", "elementText": { "text": text, "textFormat": "PLAINTEXT" } },
    })
}

pub const CUSTOMER: &str = "PARTICIPANT_ADDED/CUSTOMER";
pub const CREATED: &str = "ENGAGEMENT_CREATED";
pub const AGENT: &str = "PARTICIPANT_ADDED/AGENT";
pub const MESSAGE: &str = "MESSAGES";
pub const LEFT: &str = "PARTICIPANT_DISCONNECTED/CUSTOMER";
