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

/// How long a sender may take over a body: a slow one holds a connection, and a shutdown.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Serves until `shutdown`. Events come with any method and any content type; what counts is a
/// JSON body.
///
/// # Errors
/// The listener broke.
pub async fn serve(
    listener: TcpListener,
    exchange: Exchange,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let routes = Router::new()
        // Not routed: whatever comes is counted, on any path.
        .fallback(receive)
        .with_state(exchange);
    axum::serve(listener, routes)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
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
