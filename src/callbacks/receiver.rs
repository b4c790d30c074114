//! The listener that targets send their events to.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request as HttpRequest, State},
    http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use http_body_util::LengthLimitError;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{CallbackRefusal, Exchange, Reception, Request};
use crate::{
    arrival::ArrivalClock,
    descriptors,
    listener::{self, Connections, Limits, Name},
    scenario::VerificationAnswer,
};

/// A centre that sends an event on a connection that is just being closed may not send it again, so
/// idle connections that carried events stay for long. Those that carried none have no such claim.
const IDLE: Duration = Duration::from_mins(10);
/// Bodies of events that are not answered yet, at least as many of the largest as this.
const LARGEST_BODIES: u64 = 64;
/// Connections at once, if the system allows twice as many descriptors: the other half is for the
/// way out.
const MOST_CONNECTIONS: u64 = 16_384;
/// How long a sender may take over a body: a slow one holds a connection, and a shutdown.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Serves until `shutdown`. Events come with any method; [`Request`] says how they are read.
pub async fn serve(listener: TcpListener, exchange: Exchange, shutdown: CancellationToken) {
    let usual = Limits::USUAL;
    let connections = MOST_CONNECTIONS.min(descriptors::allowed() / 2);
    let largest = u64::try_from(exchange.max_body_bytes()).unwrap_or(u64::MAX);
    let limits = Limits {
        connections: usize::try_from(connections).unwrap_or(usize::MAX),
        idle: IDLE,
        bytes: usual.bytes.max(largest.saturating_mul(LARGEST_BODIES)),
        ..usual
    };
    let counters = exchange.listeners().of(Name::Callbacks).clone();
    let routes = Router::new()
        // Not routed: whatever comes is counted, on any path.
        .fallback(receive)
        .with_state(exchange);
    let connections = Connections::new(limits, counters);
    listener::serve(listener, routes, connections, shutdown).await;
}

async fn receive(State(exchange): State<Exchange>, request: HttpRequest<Body>) -> Response {
    let (mut head, body) = request.into_parts();
    let arrivals = head.extensions.remove::<ArrivalClock>().unwrap_or_default();
    let path = head.uri.path();
    let request = |body: Bytes| Request {
        method: head.method.as_str(),
        query: head.uri.query(),
        headers: &head.headers,
        body,
    };
    let taken = match read(body, exchange.max_body_bytes()).await {
        // When the last of it reached us, before it is understood.
        Ok(body) => exchange.deliver(path, arrivals.latest(), &request(body)),
        Err(refusal) => {
            exchange.reject(path, &request(Bytes::new()), &refusal);
            Err(refusal)
        }
    };
    match taken {
        Ok(Reception::Taken) => StatusCode::OK.into_response(),
        Ok(Reception::Verified(answer)) => verified(answer),
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status());
            let status = status.unwrap_or(StatusCode::BAD_REQUEST);
            (status, format!("{refusal}\n")).into_response()
        }
    }
}

async fn read(body: Body, most: usize) -> Result<Bytes, CallbackRefusal> {
    let read = timeout(BODY_TIME, to_bytes(body, most)).await;
    let read = read.map_err(|_| CallbackRefusal::TooSlow(BODY_TIME))?;
    read.map_err(|error| {
        let source = std::error::Error::source(&error);
        if source.is_some_and(<dyn std::error::Error>::is::<LengthLimitError>) {
            CallbackRefusal::TooLarge(most)
        } else {
            CallbackRefusal::BrokenOff
        }
    })
}

fn verified(answer: VerificationAnswer) -> Response {
    let mut response = answer.body.into_response();
    // The scenario has been read: its status and its content type are ones.
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(&answer.content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&value),
        ) {
            headers.insert(name, value);
        }
    }
    response
}
