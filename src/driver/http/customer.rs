//! Who sends requests, and what becomes of each.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{Response, body::Incoming, header::HeaderMap};
use tokio::time::Instant;
use url::Url;

use super::{
    HttpClient, HttpFailure, HttpFailureKind, MAX_ANSWER_BYTES, Sharing,
    connector::Sender,
    failure::{Cause, closed_before_answer},
    lane::{Grant, Lane, Place},
    request::prepare,
};
use crate::scenario::HttpRequest;

/// Somebody who sends one request after the other.
#[derive(Debug)]
pub struct Customer {
    client: HttpClient,
    /// Connections that nobody else may use.
    own: Vec<Connection>,
}

struct Connection {
    lane: Arc<Lane>,
    place: Place,
    sender: Sender,
    /// It carried a request before.
    used: bool,
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
    /// When there was a connection for the request, or leave to open one; for the first time if it was
    /// resent.
    pub sent_at: Instant,
    /// From `sent_at` until the whole body was read.
    pub elapsed: Duration,
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
        let asked_at = Instant::now();
        let mut granted_at = None;
        let exchange = self.exchange(request, &mut granted_at);
        let result = tokio::time::timeout(request.timeout, exchange).await;
        let sent_at = granted_at.unwrap_or(asked_at);
        let cause = match result {
            Ok(Ok(exchanged)) => {
                return Ok(HttpAnswer {
                    status: exchanged.status,
                    headers: exchanged.headers,
                    body: exchanged.body,
                    sent_at,
                    elapsed: sent_at.elapsed(),
                    resent: exchanged.resent,
                });
            }
            Ok(Err(cause)) => cause,
            Err(_) => self.out_of_time(request, granted_at.is_some()),
        };
        Err(located(cause.at(sent_at), &request.url))
    }

    async fn exchange(
        &mut self,
        request: &HttpRequest,
        granted_at: &mut Option<Instant>,
    ) -> Result<Exchanged, Cause> {
        let (lane, path) = self.client.lane(&request.url)?;
        let prepared = prepare(&lane.origin, path, request)?;
        let mut connection = self.connection(lane, granted_at).await?;
        let exchanged = match connection.sender.send_request(prepared).await {
            Ok(response) => read(response, false).await?,
            Err(error) if connection.used && closed_before_answer(&error) => {
                let server = &connection.lane.origin;
                let again = prepare(server, path, request)?;
                connection.sender = self.client.0.connector.open(&server.server).await?;
                let again = connection.sender.send_request(again).await;
                let response = again.map_err(|error| Cause::of(&error).after_resend())?;
                read(response, true).await.map_err(Cause::after_resend)?
            }
            Err(error) => return Err(Cause::of(&error)),
        };
        self.keep(connection);
        Ok(exchanged)
    }

    /// One that is ready for a request.
    async fn connection(
        &mut self,
        lane: Arc<Lane>,
        granted_at: &mut Option<Instant>,
    ) -> Result<Connection, Cause> {
        let own = (self.own.iter()).position(|own| Arc::ptr_eq(&own.lane, &lane));
        let (place, used) = if let Some(own) = own.map(|at| self.own.swap_remove(at)) {
            *granted_at = Some(Instant::now());
            (own.place, Some(own.sender))
        } else {
            let grant = lane.grant().await;
            *granted_at = Some(Instant::now());
            match grant {
                Grant::Used(place, sender) => (place, Some(sender)),
                Grant::Open(place, opening) => {
                    let sender = self.client.0.connector.open(&lane.origin.server).await?;
                    drop(opening);
                    return Ok(Connection {
                        lane,
                        place,
                        sender,
                        used: false,
                    });
                }
            }
        };
        if let Some(mut sender) = used
            && sender.ready().await.is_ok()
        {
            return Ok(Connection {
                lane,
                place,
                sender,
                used: true,
            });
        }
        // It was closed while it was idle, so nothing has been sent on it.
        let sender = self.client.0.connector.open(&lane.origin.server).await?;
        Ok(Connection {
            lane,
            place,
            sender,
            used: false,
        })
    }

    fn keep(&mut self, connection: Connection) {
        match self.client.0.sharing {
            Sharing::Shared { .. } => {
                let Connection {
                    lane,
                    place,
                    sender,
                    ..
                } = connection;
                lane.give_back(place, sender);
            }
            Sharing::PerCustomer => self.own.push(connection),
        }
    }

    fn out_of_time(&self, request: &HttpRequest, granted: bool) -> Cause {
        if !granted && let Ok((lane, _)) = self.client.lane(&request.url) {
            return lane.shortage(request.timeout);
        }
        Cause::timeout(format!("no complete answer within {:?}", request.timeout))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Connection");
        debug.field("used", &self.used).finish_non_exhaustive()
    }
}

/// An answer that has been read, before it is timed.
struct Exchanged {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
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
        resent,
    })
}
