//! What Alertmanager sends to Slack, received in its place.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State, routing::post};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::PATIENCE;

/// A message as a person would see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub color: String,
    pub pretext: String,
    pub title: String,
    pub title_link: String,
    pub text: String,
}

/// An incoming webhook of Slack.
pub struct Slack {
    pub url: String,
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Slack {
    pub async fn start() -> Self {
        let messages = Arc::<Mutex<Vec<_>>>::default();
        let app = Router::new()
            .route("/services/secret", post(receive))
            .with_state(messages.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            url: format!("http://{address}/services/secret"),
            messages,
        }
    }

    /// All so far, the oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }

    /// The first with this title, once it is there.
    pub async fn message(&self, title: &str) -> Message {
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let mut messages = self.messages().into_iter();
            if let Some(message) = messages.find(|message| message.title == title) {
                return message;
            }
            let late = Instant::now() > deadline;
            assert!(!late, "no {title}, but {:?}", self.titles());
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn titles(&self) -> Vec<String> {
        self.messages().into_iter().map(|m| m.title).collect()
    }
}

async fn receive(
    State(messages): State<Arc<Mutex<Vec<Message>>>>,
    Json(body): Json<Value>,
) -> &'static str {
    let attachment = &body["attachments"][0];
    let text = |key: &str| attachment[key].as_str().unwrap_or_default().to_owned();
    messages.lock().unwrap().push(Message {
        color: text("color"),
        pretext: text("pretext"),
        title: text("title"),
        title_link: text("title_link"),
        text: text("text"),
    });
    "ok"
}
