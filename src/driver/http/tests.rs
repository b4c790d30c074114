mod addresses;
mod arrivals;
pub(in crate::driver) mod blocking;
mod bodies;
mod connections;
mod failures;
mod lookups;
pub(in crate::driver) mod proxies;
mod redirects;
mod requests;
mod resend;
pub(in crate::driver) mod server;
mod sockets;
pub(in crate::driver) mod tls;

use std::{ops::Deref, time::Duration};

use bytes::Bytes;
use hyper::Method;
use tokio::time::Instant;

use super::*;
use crate::driver::transport::{
    Progress, Proxy, ProxyChoice, ProxyError, Sharing, TlsError, TlsSettings,
};

pub(in crate::driver) fn driver() -> HttpClient {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    HttpDriver::new().unwrap().client(&Endpoint::default())
}

/// An endpoint with connections as they are written.
pub(in crate::driver) fn connected(connections: &str) -> Endpoint {
    Endpoint {
        connections: serde_yaml::from_str(connections).unwrap(),
        ..Endpoint::default()
    }
}

/// The longest body that is read.
const MAX_BODY: usize = 1024 * 1024;

impl HttpClient {
    /// One request of somebody new.
    async fn send(&self, request: HttpRequest) -> Result<Answered, HttpFailure> {
        let mut customer = self.session();
        let answer = customer.send(&request).await?;
        Ok(Answered {
            body: answer.body.as_whole().unwrap().clone(),
            answer,
            resent: customer.take_resent(),
        })
    }
}

/// An answer whose body is whole.
#[derive(Debug)]
struct Answered {
    answer: HttpAnswer,
    body: Bytes,
    resent: u32,
}

impl Deref for Answered {
    type Target = HttpAnswer;

    fn deref(&self) -> &HttpAnswer {
        &self.answer
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
        body_limit: Some(MAX_BODY),
        redirects: None,
        streams_events: false,
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
