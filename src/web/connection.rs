//! Connections from clients: accepted, served and ended.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long requests in flight may still take after the shutdown began.
const GRACE: Duration = Duration::from_secs(2);
/// How long to wait before accepting again when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections at once; more wait to be accepted.
const MOST_CONNECTIONS: usize = 512;
/// From the end of one request to the end of the next one's head: longer than the interval of a
/// usual scraper, so that it is mostly the client who closes.
const IDLE: Duration = Duration::from_secs(75);

/// Serves clients until `shutdown`; what then does not end in time is cut off.
pub(super) async fn serve_all(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let tasks = TaskTracker::new();
    let abort = CancellationToken::new();
    // Ends the connections as well when this future is dropped before its end.
    let _abort = abort.clone().drop_guard();
    let accepting = accept(&listener, &router, &tasks, &shutdown, &abort);
    shutdown.run_until_cancelled(accepting).await;
    drop(listener);
    tasks.close();
    if timeout(GRACE, tasks.wait()).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
        abort.cancel();
        tasks.wait().await;
    }
}

/// Accepts connections and serves each in a task of its own, for ever.
async fn accept(
    listener: &TcpListener,
    router: &Router,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
    abort: &CancellationToken,
) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        // Never closed; if it were, nothing could be accepted any more.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection stays slow for small answers");
        }
        let serving = serve(stream, peer, router.clone(), shutdown.clone());
        let abort = abort.clone();
        tasks.spawn(async move {
            abort.run_until_cancelled(serving).await;
            drop(place);
        });
    }
}

/// Serves one connection to its end; after `shutdown` no further request is read from it.
async fn serve(stream: TcpStream, peer: SocketAddr, router: Router, shutdown: CancellationToken) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        hyper::service::Service::call(&router, request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .serve_connection(TokioIo::new(stream), service)
    );
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%peer, "a connection broke: {error}");
    }
}
