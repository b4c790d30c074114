use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Uri},
};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::callbacks::{Exchange, Request};

/// A server that does what the body of each request says:
/// `{ wait_ms: 5, token: CALLBACK_URL, before: [EVENT], after: [[10, EVENT]], status: 201, answer: {} }`.
pub(super) struct Puppet {
    pub(super) url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    exchange: OnceLock<Exchange>,
    requests: Mutex<Vec<String>>,
}

impl Puppet {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::<Shared>::default();
        let router = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    pub(super) fn deliver_to(&self, exchange: Exchange) {
        assert!(self.shared.exchange.set(exchange).is_ok());
    }

    /// The paths of the requests so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    body: Bytes,
) -> (axum::http::StatusCode, String) {
    shared.requests.lock().unwrap().push(uri.path().to_owned());
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    let wait = told["wait_ms"].as_u64().unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(wait)).await;
    let token = told["token"].as_str().unwrap_or_default();
    let token = token.rsplit('/').next().unwrap_or_default().to_owned();
    for event in told["before"].as_array().into_iter().flatten() {
        shared.deliver(&token, event);
    }
    if let Some(after) = told["after"].as_array().cloned() {
        tokio::spawn(async move {
            for entry in after {
                tokio::time::sleep(Duration::from_millis(entry[0].as_u64().unwrap())).await;
                shared.deliver(&token, &entry[1]);
            }
        });
    }
    let status = told["status"].as_u64().unwrap_or(200);
    let status = axum::http::StatusCode::from_u16(u16::try_from(status).unwrap()).unwrap();
    let text = match &told["answer"] {
        Value::String(text) => text.clone(),
        answer => answer.to_string(),
    };
    (status, text)
}

impl Shared {
    fn deliver(&self, token: &str, event: &Value) {
        let exchange = self.exchange.get().unwrap();
        let (headers, body) = (HeaderMap::new(), event.to_string());
        let request = Request::post(&headers, body);
        // Whether a run has the path is for the test to see.
        let _ = exchange.deliver(token, crate::arrival::Arrival::unstamped(), &request);
    }
}
