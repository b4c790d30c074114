//! The listener that targets send their events to.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
};
use tokio::{
    net::TcpListener,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Exchange, exchange::Reception};
use crate::{descriptors, listener};

/// A centre that sends an event on a connection that is just being closed may not send it again, so
/// idle connections stay for long.
const IDLE: Duration = Duration::from_mins(10);
/// How long events in flight may take once the runs are over.
const GRACE: Duration = Duration::from_secs(2);
/// Answers are a few bytes: who leaves them lying is gone.
const UNREAD: Duration = Duration::from_secs(30);
/// Connections at once, if the system allows twice as many descriptors: the other half is for the
/// way out.
const MOST_CONNECTIONS: u64 = 16_384;
/// How long a sender may take over a body: a slow one holds a connection, and a shutdown.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Serves until `shutdown`. Events come with any method and any content type; what counts is a
/// JSON body.
pub async fn serve(listener: TcpListener, exchange: Exchange, shutdown: CancellationToken) {
    let routes = Router::new()
        // Not routed: whatever comes is counted, on any path.
        .fallback(receive)
        .with_state(exchange);
    let connections = MOST_CONNECTIONS.min(descriptors::allowed() / 2);
    let limits = listener::Limits {
        connections: usize::try_from(connections).unwrap_or(usize::MAX),
        idle: IDLE,
        unread: UNREAD,
        grace: GRACE,
    };
    listener::serve(listener, routes, limits, shutdown).await;
}

async fn receive(State(exchange): State<Exchange>, request: Request<Body>) -> StatusCode {
    // Before the body is read, let alone understood: this is when the event reached us.
    let arrived = Instant::now();
    let (head, body) = request.into_parts();
    let token = head.uri.path().split('/').nth(1).unwrap_or_default();
    let body = match timeout(BODY_TIME, to_bytes(body, exchange.max_body_bytes())).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            exchange.reject(token);
            return StatusCode::PAYLOAD_TOO_LARGE;
        }
        Err(_) => {
            exchange.reject(token);
            return StatusCode::REQUEST_TIMEOUT;
        }
    };
    match exchange.deliver(token, arrived, &body) {
        Reception::Taken => StatusCode::OK,
        Reception::NoSuchPath => StatusCode::NOT_FOUND,
        Reception::NotJson => StatusCode::BAD_REQUEST,
    }
}
