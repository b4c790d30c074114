//! Who sends requests, and what becomes of each.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{Response, body::Incoming, header::HeaderMap};
use tokio::time::{Instant, timeout};
use url::Url;

use super::{
    HttpClient, HttpFailure, HttpFailureKind, MAX_ANSWER_BYTES, Sharing,
    failure::{Cause, closed_before_answer},
    lane::{Connection, Lane},
    progress::{Progress, Stage},
    request::prepare,
};
use crate::scenario::{HttpRequest, Phases};

/// Somebody who sends one request after the other.
pub struct Customer {
    client: HttpClient,
    /// Connections that nobody else may use.
    own: Vec<(Arc<Lane>, Connection)>,
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
    /// When it was asked for.
    pub sent_at: Instant,
    /// From `sent_at` until the whole body was read: a wait for a connection and its opening belong to
    /// what a customer feels.
    pub elapsed: Duration,
    /// From `sent_at` until there was a connection, or leave to open one.
    pub waited: Duration,
    /// How long its phases took.
    pub phases: Phases,
    /// When the certificate of the target ends, if a handshake of this request showed it.
    pub certificate_expires: Option<SystemTime>,
    /// The first connection was an idle one that the server closed under the request.
    pub resent: bool,
}

impl Customer {
    pub(super) fn of(client: HttpClient) -> Self {
        Self {
            client,
            own: Vec::new(),
        }
    }

    /// Sends a request and reads the whole answer; any status is an answer.
    ///
    /// A request that meets an idle connection closed under it, before an answer, is sent once
    /// more on a fresh connection. A fresh connection that closes is a failure: a server that
    /// crashes must show, and a POST must not be doubled.
    pub async fn send(&mut self, request: &HttpRequest) -> Result<HttpAnswer, HttpFailure> {
        let mut progress = Progress::begin(request.timeout);
        let exchange = self.exchange(request, &mut progress);
        let result = timeout(request.timeout, exchange).await;
        let sent_at = progress.sent_at;
        let cause = match result {
            Ok(Ok(exchanged)) => {
                return Ok(HttpAnswer {
                    status: exchanged.status,
                    headers: exchanged.headers,
                    body: exchanged.body,
                    sent_at,
                    elapsed: exchanged.read_at.saturating_duration_since(sent_at),
                    waited: progress.waited(),
                    phases: progress.phases(),
                    certificate_expires: progress.certificate_expires,
                    resent: exchanged.resent,
                });
            }
            Ok(Err(cause)) => cause,
            Err(_) => self.out_of_time(request, &progress),
        };
        Err(located(cause.after(&progress), &request.url))
    }

    async fn exchange(
        &mut self,
        request: &HttpRequest,
        progress: &mut Progress,
    ) -> Result<Exchanged, Cause> {
        let (lane, path) = self.client.lane(&request.url)?;
        let prepared = prepare(&lane.origin, path, request)?;
        let mut connection = self.connection(&lane, progress).await?;
        progress.send();
        let exchanged = match connection.sender.send(prepared).await {
            Ok(response) => {
                progress.reach(Stage::Body);
                read(response, false).await?
            }
            Err(error) if connection.used && closed_before_answer(&error) => {
                let again = prepare(&lane.origin, path, request)?;
                connection = lane.replace(connection, progress).await?;
                let again = connection.sender.send(again).await;
                let response = again.map_err(|error| Cause::of(&error).after_resend())?;
                progress.reach(Stage::Body);
                read(response, true).await.map_err(Cause::after_resend)?
            }
            Err(error) => return Err(Cause::of(&error)),
        };
        match self.client.0.connections.sharing {
            Sharing::Shared { .. } => lane.give_back(connection),
            Sharing::PerCustomer => {
                connection.used = true;
                self.own.push((lane, connection));
            }
        }
        Ok(exchanged)
    }

    /// One that is ready for a request.
    async fn connection(
        &mut self,
        lane: &Arc<Lane>,
        progress: &mut Progress,
    ) -> Result<Connection, Cause> {
        let own = (self.own.iter()).position(|(known, _)| Arc::ptr_eq(known, lane));
        match own {
            Some(at) => {
                progress.granted();
                let connection = self.own.swap_remove(at).1;
                lane.ready(connection, progress).await
            }
            None => lane.connection(progress).await,
        }
    }

    fn out_of_time(&self, request: &HttpRequest, progress: &Progress) -> Cause {
        if !progress.is_granted()
            && let Ok((lane, _)) = self.client.lane(&request.url)
        {
            return lane.shortage(request.timeout);
        }
        progress.out_of_time()
    }
}

/// Without its connections: what they belong to may hold a password.
impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Customer");
        debug.field("client", &self.client).finish_non_exhaustive()
    }
}

/// An answer that has been read, before it is timed.
struct Exchanged {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    read_at: Instant,
    resent: bool,
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

async fn read(response: Response<Incoming>, resent: bool) -> Result<Exchanged, Cause> {
    let (head, body) = response.into_parts();
    // Grows with what arrives: a `Content-Length` is only a claim.
    let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
    Ok(Exchanged {
        status: head.status.as_u16(),
        headers: head.headers,
        body: body.map_err(|error| Cause::of(&*error))?.to_bytes(),
        read_at: Instant::now(),
        resent,
    })
}
