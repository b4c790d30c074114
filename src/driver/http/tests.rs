mod connections;
mod failures;
mod requests;
mod resend;
mod server;
mod tls;

use std::time::Duration;

use hyper::Method;
use tokio::time::Instant;

use super::*;
use crate::scenario::{HttpBody, HttpRequest};

fn driver() -> HttpClient {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    HttpDriver::new().unwrap().client(&Endpoint::default())
}

/// An endpoint with connections as they are written.
fn connected(connections: &str) -> Endpoint {
    Endpoint {
        connections: serde_yaml::from_str(connections).unwrap(),
        ..Endpoint::default()
    }
}

impl HttpClient {
    /// One request of somebody new.
    async fn send(&self, request: HttpRequest) -> Result<HttpAnswer, HttpFailure> {
        self.customer().send(&request).await
    }
}

fn get(url: impl Into<String>) -> HttpRequest {
    HttpRequest {
        method: Method::GET,
        url: url.into(),
        headers: Vec::new(),
        query: Vec::new(),
        body: None,
        timeout: Duration::from_secs(10),
    }
}

fn post(url: impl Into<String>, body: HttpBody) -> HttpRequest {
    HttpRequest {
        method: Method::POST,
        body: Some(body),
        ..get(url)
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
