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
use tokio_io_timeout::TimeoutStream;
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
    /// How long a client may take nothing of what is written to it.
    pub unread: Duration,
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
        |stream, peer| serve_one(stream, peer, router.clone(), limits, shutdown.clone()),
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
    limits: Limits,
    shutdown: CancellationToken,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        hyper::service::Service::call(&router, request)
    });
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.unread));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.idle)
            .serve_connection(TokioIo::new(Box::pin(stream)), service)
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

#[cfg(test)]
mod tests {
    use axum::{body::Bytes, routing::get};
    use futures_util::stream::repeat_with;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const LIMITS: Limits = Limits {
        connections: 8,
        idle: Duration::from_mins(1),
        unread: Duration::from_secs(2),
        grace: Duration::ZERO,
    };

    /// A client that has asked.
    async fn client(address: SocketAddr) -> TcpStream {
        let mut client = TcpStream::connect(address).await.unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        client
    }

    #[tokio::test]
    async fn who_reads_nothing_is_cut_off_and_who_reads_slowly_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (given_up, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let endless = async move |ConnectInfo(peer): ConnectInfo<SocketAddr>| {
            let over = CancellationToken::new();
            let guard = over.clone().drop_guard();
            tokio::spawn(async move {
                over.cancelled().await;
                given_up.send(peer).ok();
            });
            let piece = Bytes::from(vec![0; 1 << 16]);
            Body::from_stream(repeat_with(move || {
                let _ = &guard;
                Ok::<_, std::convert::Infallible>(piece.clone())
            }))
        };
        let router = Router::new().route("/", get(endless));
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, router, LIMITS, shutdown.clone()));
        let (mut slow, deaf) = (client(address).await, client(address).await);
        let mut read = vec![0; 1 << 20];
        let cut_off = loop {
            slow.read_exact(&mut read).await.unwrap();
            sleep(Duration::from_millis(100)).await;
            if let Ok(peer) = seen.try_recv() {
                break peer;
            }
        };
        assert_eq!(cut_off, deaf.local_addr().unwrap());
        slow.read_exact(&mut read).await.unwrap();
        shutdown.cancel();
        serving.await.unwrap();
    }
}
