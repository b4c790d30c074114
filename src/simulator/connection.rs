//! One connection from a client: requests one after the other, resets, closing when idle.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::api::HangUp;

impl std::fmt::Display for HangUp {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("the connection is reset on purpose")
    }
}

impl std::error::Error for HangUp {}

/// Serves one connection to its end; after `shutdown` no further request is read from it.
pub(super) async fn serve(
    stream: TcpStream,
    router: Router,
    idle_close: Option<Duration>,
    shutdown: CancellationToken,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = router.call(request.map(Body::new));
        Box::pin(async move {
            let response = answer.await.map_err(|never| match never {})?;
            match response.extensions().get::<HangUp>() {
                Some(hang_up) => Err(*hang_up),
                None => Ok(response),
            }
        })
    });
    // This timeout runs from the end of one request to the end of the next one's head, so it
    // closes idle connections without a word.
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle_close)
        .serve_connection(TokioIo::new(stream), service);
    let served = tokio::select! {
        served = &mut connection => served,
        () = shutdown.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    if served.is_err_and(|error| error.is_user()) {
        // Closing with this set sends a reset in place of an orderly end.
        let stream = connection.into_parts().io.into_inner();
        if let Err(error) = stream.set_zero_linger() {
            tracing::debug!(%error, "a connection is closed, not reset");
        }
    }
}
