//! HTTP requests, timed, over connections that all chats of the process share.

mod addresses;
mod connection;
mod failure;
mod resolver;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{
    Client, ClientBuilder, Request, Response, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect, retry,
};
use tokio::time::Instant;

use crate::scenario::{HttpBody, HttpRequest};

pub use self::failure::{HttpFailure, HttpFailureKind};
use self::{
    addresses::Addresses,
    connection::{Connection, note_connects, watched},
    failure::{Cause, closed_before_answer},
    resolver::SystemResolver,
};

/// The longest answer body that is read, in bytes; a longer one is a failure.
pub const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Shorter than what common servers allow, so that it is mostly us who close an idle connection.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Bounds the sockets that a burst leaves open; the connections above it are closed after use.
const POOL_MAX_IDLE_PER_HOST: usize = 1024;

const USER_AGENT: &str = concat!("chatprobe/", env!("CARGO_PKG_VERSION"));

/// Sends HTTP requests; a clone shares the connections.
///
/// It reports what the server answered: it follows no redirect, keeps no cookie and uses no proxy.
#[derive(Debug, Clone)]
pub struct HttpDriver {
    pooled: Client,
    /// Keeps no connection, so a request that is sent again cannot meet another dead one.
    fresh: Client,
    addresses: Arc<Addresses>,
}

/// The driver cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum HttpSetupError {
    /// The process has installed no rustls provider yet.
    #[error("no TLS crypto provider is installed")]
    NoCryptoProvider,
    /// The client refuses its settings, for instance because the system has no root certificates.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

/// What the server answered, whatever the status.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body, at most [`MAX_ANSWER_BYTES`].
    pub body: Bytes,
    /// Right before the request was handed to the client, for the first time if it was resent.
    pub sent_at: Instant,
    /// From `sent_at` until the whole body was read.
    pub elapsed: Duration,
    /// The first connection was an idle one that the server closed under the request.
    pub resent: bool,
}

impl HttpDriver {
    /// Sets up the clients. The process must have installed its rustls provider before.
    pub fn new() -> Result<Self, HttpSetupError> {
        Self::configured(|builder| builder)
    }

    fn configured(
        configure: impl Fn(ClientBuilder) -> ClientBuilder,
    ) -> Result<Self, HttpSetupError> {
        // The client would panic without one.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(HttpSetupError::NoCryptoProvider);
        }
        let build = |builder: ClientBuilder| {
            let built = configure(builder).build();
            built.map_err(|error| HttpSetupError::Client(failure::describe(&error)))
        };
        Ok(Self {
            pooled: build(note_connects(
                base()
                    .pool_idle_timeout(POOL_IDLE_TIMEOUT)
                    .pool_max_idle_per_host(POOL_MAX_IDLE_PER_HOST),
            ))?,
            // What is sent again is sent once again, even if HTTP/2 would allow more.
            fresh: build(base().pool_max_idle_per_host(0).retry(retry::never()))?,
            addresses: Arc::default(),
        })
    }

    /// Sends a request and reads the whole answer; any status is an answer.
    ///
    /// A request that meets an idle connection closed under it, before an answer, is sent once
    /// more on a fresh connection. A fresh connection that closes is a failure: a server that
    /// crashes must show, and a POST must not be doubled.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpAnswer, HttpFailure> {
        let prepared = self.prepare(&request);
        let sent_at = Instant::now();
        let exchange = async { self.exchange(prepared?, &request).await };
        match tokio::time::timeout(request.timeout, exchange).await {
            Ok(Ok(exchanged)) => Ok(HttpAnswer {
                status: exchanged.status,
                headers: exchanged.headers,
                body: exchanged.body,
                sent_at,
                elapsed: sent_at.elapsed(),
                resent: exchanged.resent,
            }),
            Ok(Err(cause)) => Err(located(cause.at(sent_at), &request.url)),
            Err(_) => {
                let failure = Cause::timeout(request.timeout).at(sent_at);
                Err(located(failure, &request.url))
            }
        }
    }

    fn prepare(&self, request: &HttpRequest) -> Result<Request, Cause> {
        let url = (self.addresses.parse(&request.url))
            .map_err(|error| Cause::bad_request(format!("the URL is not valid: {error}")))?;
        let mut builder = self.pooled.request(request.method.clone(), url);
        let mut typed = false;
        for (position, (name, value)) in request.headers.iter().enumerate() {
            // Not named: a whole `name: secret` may have ended up in the name.
            let name = HeaderName::try_from(name.as_str()).map_err(|_| {
                Cause::bad_request(format!("the name of header {} is not valid", position + 1))
            })?;
            let value = HeaderValue::try_from(value.as_str()).map_err(|_| {
                Cause::bad_request(format!("the value of header `{name}` is not valid"))
            })?;
            typed |= name == CONTENT_TYPE;
            builder = builder.header(name, value);
        }
        builder = match &request.body {
            None => builder,
            Some(HttpBody::Json(json)) if !typed => builder
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(json.clone()),
            Some(HttpBody::Json(text) | HttpBody::Text(text)) => builder.body(text.clone()),
        };
        let built = builder.query(&request.query).build();
        built.map_err(|error| Cause::of(&error))
    }

    async fn exchange(&self, prepared: Request, request: &HttpRequest) -> Result<Exchanged, Cause> {
        match watched(self.pooled.execute(prepared)).await {
            (Ok(response), _) => read(response, false).await,
            (Err(error), Connection::Reused) if closed_before_answer(&error) => {
                let again = self.fresh.execute(self.prepare(request)?).await;
                match again {
                    Ok(response) => read(response, true).await,
                    Err(error) => Err(Cause::of(&error)),
                }
                .map_err(Cause::after_resend)
            }
            (Err(error), _) => Err(Cause::of(&error)),
        }
    }
}

/// An answer that has been read, before it is timed.
struct Exchanged {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    resent: bool,
}

fn base() -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .tcp_nodelay(true)
        .dns_resolver(SystemResolver)
}

/// Says of a failure between us and the server which server: its host and port. The rest of the URL
/// may hold what is nobody's business.
fn located(mut failure: HttpFailure, url: &str) -> HttpFailure {
    use HttpFailureKind::{AnswerTooLarge, BadRequest, Connect, Dns, Exhausted, Timeout, Tls};
    match failure.kind {
        Dns | Connect | Tls | Timeout => {}
        BadRequest | AnswerTooLarge | Exhausted => return failure,
    }
    if let Ok(url) = Url::parse(url)
        && let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default())
    {
        failure.detail.insert_str(0, &format!("{host}:{port}: "));
    }
    failure
}

async fn read(mut response: Response, resent: bool) -> Result<Exchanged, Cause> {
    // Grows with what arrives: a `Content-Length` is only a claim.
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Cause::of(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(Cause::body_too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Exchanged {
        status: response.status().as_u16(),
        headers: std::mem::take(response.headers_mut()),
        body: body.into(),
        resent,
    })
}
