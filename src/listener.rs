//! Connections from clients: accepted, bounded in number, served in a task each, and ended.

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

/// How long to wait before accepting again when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What clients may take of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// From the end of one request to the end of the next one's head. A client that sends at the
    /// moment the connection is closed loses its request, so this is longer than clients pause.
    pub idle: Duration,
    /// How long requests in flight may still take after the shutdown began.
    pub grace: Duration,
}

/// Serves clients until `shutdown`; what then does not end in time is cut off.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let tasks = TaskTracker::new();
    let abort = CancellationToken::new();
    // Ends the connections as well when this future is dropped before its end.
    let _abort = abort.clone().drop_guard();
    let accepting = accept(
        &listener,
        limits.connections,
        &tasks,
        &abort,
        |stream, peer| serve_one(stream, peer, router.clone(), limits.idle, shutdown.clone()),
    );
    shutdown.run_until_cancelled(accepting).await;
    drop(listener);
    tasks.close();
    if timeout(limits.grace, tasks.wait()).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
        abort.cancel();
        tasks.wait().await;
    }
}

/// Accepts connections and serves each in a task of its own until `abort`, for ever.
pub async fn accept<F: Future<Output = ()> + Send + 'static>(
    listener: &TcpListener,
    connections: usize,
    tasks: &TaskTracker,
    abort: &CancellationToken,
    mut serve_one: impl FnMut(TcpStream, SocketAddr) -> F,
) {
    let places = Arc::new(Semaphore::new(connections));
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
        let serving = serve_one(stream, peer);
        let abort = abort.clone();
        tasks.spawn(async move {
            abort.run_until_cancelled(serving).await;
            drop(place);
        });
    }
}

/// Serves one connection to its end; after `shutdown` no further request is read from it.
async fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    idle: Duration,
    shutdown: CancellationToken,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        hyper::service::Service::call(&router, request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(idle)
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
