//! The simulated behaviour service over real sockets.

mod checked;
mod database;
mod faults;
mod order;
mod requests;

use std::net::SocketAddr;

use chatprobe::simulator::{BehaviourService, BehaviourSettings};
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    practice::listen,
    support::{PATIENCE, eventually},
};

/// A service in this process.
pub struct Behaviours {
    pub address: SocketAddr,
    pub client: reqwest::Client,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Behaviours {
    pub async fn start(yaml: &str) -> Self {
        crate::support::install_crypto();
        let settings: BehaviourSettings = serde_yaml::from_str(yaml).unwrap();
        let (listener, address) = listen().await;
        let stop = CancellationToken::new();
        let service = BehaviourService::new(settings).unwrap();
        Self {
            address,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            serving: tokio::spawn(service.serve(listener, stop.clone())),
            stop,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The status of an answer, and its body.
    pub async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.try_ask(method, path, body).await.unwrap()
    }

    pub async fn try_ask(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> reqwest::Result<(u16, Value)> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, self.url(path)).json(body);
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    /// Stores a behaviour: its record.
    pub async fn store(&self, user: &str, status: &str, at: &str) -> Value {
        let body = json!({ "user": user, "article": "a-1", "status": status, "at": at });
        let (code, answer) = self.ask("POST", "/user/status", &body).await;
        assert_eq!(code, 201, "{answer}");
        answer
    }

    pub async fn query(&self, user: &str, words: &str) -> Value {
        let path = format!("/{user}/query{words}");
        let (code, answer) = self.ask("GET", &path, &Value::Null).await;
        assert_eq!(code, 200, "{answer}");
        answer
    }

    pub async fn faults(&self, faults: Value) {
        let (status, answer) = self.ask("PUT", "/faults", &faults).await;
        assert_eq!(status, 200, "{answer}");
    }

    pub async fn stats(&self) -> Value {
        self.ask("GET", "/stats", &Value::Null).await.1
    }

    /// The statistics once this holds of them.
    pub async fn stats_when(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || Some(self.stats().await).filter(&holds)).await
    }

    /// Ends it and looks that it ends by itself.
    pub async fn finish(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.serving)
            .await
            .expect("an end")
            .unwrap();
    }
}

/// The ids of the records of an answer, in its order.
pub fn ids(answer: &Value) -> Vec<i64> {
    let records = answer["records"].as_array().unwrap();
    let id = |record: &Value| record["id"].as_i64().unwrap();
    records.iter().map(id).collect()
}
