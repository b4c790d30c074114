//! The listener that targets send their events to.

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, Request, State},
    http::StatusCode,
    routing::any,
};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Exchange, exchange::Reception};

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
        .route("/{token}", any(receive))
        .route("/{token}/{*rest}", any(receive))
        .with_state(exchange);
    axum::serve(listener, routes)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}

async fn receive(
    State(exchange): State<Exchange>,
    Path(segments): Path<Vec<String>>,
    request: Request<Body>,
) -> StatusCode {
    // Before the body is read, let alone understood: this is when the event reached us.
    let arrived = Instant::now();
    let token = segments.first().map_or("", String::as_str);
    let Ok(body) = to_bytes(request.into_body(), exchange.max_body_bytes()).await else {
        exchange.reject(token);
        return StatusCode::PAYLOAD_TOO_LARGE;
    };
    match exchange.deliver(token, arrived, &body) {
        Reception::Taken => StatusCode::OK,
        Reception::NoSuchPath => StatusCode::NOT_FOUND,
        Reception::NotJson => StatusCode::BAD_REQUEST,
    }
}
