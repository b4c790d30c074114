//! Connections from clients: accepted, bounded in number, time and bytes, served in a task each, and ended.
//!
//! [`serve`] gives each connection a slot among the [`Connections`] of its listener. They know which of
//! them wait for their client, close what waits too long, and what can be spared most when the capacity is used up.
//! A request has the [`crate::arrival::ArrivalClock`] of its connection among its extensions.
//! [`Counters`] count and log what could not be taken, and report it to those who wait for something to come in.

mod connections;
mod counters;
mod queue;
mod stream;
mod upgrade;

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    http::StatusCode,
};
use bytes::Bytes;
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    connections::Connections,
    counters::{Closed, Counters, Figures, Listeners, Name, Shortage},
    queue::bind,
    upgrade::{ClientStream, Upgrade, Upgraded},
};
use self::{
    connections::ListenerSlot,
    stream::{AnswerEnd, BodyEnd, GuardedBody, MeteredStream},
};
use crate::{arrival::StampedStream, descriptors};

/// How long to wait before accepting again when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often connections are looked at that have waited too long, at the least.
const LOOK: Duration = Duration::from_secs(1);
const SHORTEST_LOOK: Duration = Duration::from_millis(5);

/// What clients may take of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once. Beyond it one that waits for its client goes for each that comes.
    pub connections: usize,
    /// How long a connection may stay without a request that is answered well. Whoever opens one has
    /// something to send.
    pub silent: Duration,
    /// From the first byte of a head to its end.
    pub head: Duration,
    /// From the end of a head to the end of the body.
    pub body: Duration,
    /// From one answer to the first byte of the next request. A client that sends at the moment the
    /// connection is closed loses its request, so this is longer than clients pause.
    pub idle: Duration,
    /// How long a client may take nothing of what is written to it.
    pub unread: Duration,
    /// Bytes of all requests that are not answered yet, if they take long; twice as many if they are quick.
    pub bytes: u64,
    /// How long requests in flight may still take after the shutdown began.
    pub grace: Duration,
}

impl Limits {
    /// Of connections that nobody has told anything about.
    pub const USUAL: Self = Self {
        connections: 512,
        silent: Duration::from_secs(30),
        head: Duration::from_secs(10),
        body: Duration::from_secs(30),
        idle: Duration::from_secs(75),
        unread: Duration::from_secs(30),
        bytes: 32 << 20,
        grace: Duration::from_secs(2),
    };

    /// How often to look: a quarter of the shortest time, so that each is kept roughly.
    fn look(&self) -> Duration {
        let shortest = [self.silent, self.head, self.body, self.idle];
        shortest
            .into_iter()
            .map(|time| time / 4)
            .fold(LOOK, Duration::min)
            .max(SHORTEST_LOOK)
    }
}

/// Marks an answer that is not to be sent: the connection is reset instead.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the connection is reset on purpose")]
pub struct Reset;

/// Serves clients until `shutdown`; what then does not end in time is cut off.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections: Arc<Connections>,
    shutdown: CancellationToken,
) {
    let tasks = TaskTracker::new();
    let abort = CancellationToken::new();
    // Ends the connections as well when this future is dropped before its end.
    let _abort = abort.clone().drop_guard();
    let accepting = accept(&listener, &router, &connections, &tasks, &abort, &shutdown);
    shutdown.run_until_cancelled(accepting).await;
    drop(listener);
    tasks.close();
    if timeout(connections.limits.grace, tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end in time and are cut off");
        abort.cancel();
        tasks.wait().await;
    }
}

/// Accepts connections and serves each in a task of its own until `abort`, for ever. After `shutdown` no
/// further request is read from them.
async fn accept(
    listener: &TcpListener,
    router: &Router,
    connections: &Arc<Connections>,
    tasks: &TaskTracker,
    abort: &CancellationToken,
    shutdown: &CancellationToken,
) {
    connections
        .counters
        .listen(queue::longest(), queue::overflows);
    let accepting = async {
        loop {
            let (stream, peer) = take_one(listener, connections).await;
            connections.counters.count_accepted();
            let slot = connections.admit(peer).await;
            let unread = connections.limits.unread;
            let serving = serve_one(stream, slot, router.clone(), unread, shutdown.clone());
            let abort = abort.clone();
            tasks.spawn(async move { abort.run_until_cancelled(serving).await });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = watch(connections) => {}
    }
}

/// The next connection, however long that takes.
async fn take_one(listener: &TcpListener, connections: &Connections) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection stays slow for small answers");
                }
                return (stream, peer);
            }
            Err(error) => {
                connections
                    .counters
                    .note_shortage(Shortage::NotAccepted, &error);
                if descriptors::are_exhausted(&error) {
                    // Any listener may close one; its descriptor is free once the task of the connection ends.
                    descriptors::reclaim();
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Closes connections that wait too long, and counts those that found the accept queue full, for ever.
async fn watch(connections: &Connections) {
    let pause = connections.limits.look();
    let mut looked = Instant::now();
    loop {
        sleep(pause).await;
        connections.close_expired();
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            connections.counters.end_period();
        }
    }
}

/// Serves one connection to its end.
async fn serve_one(
    stream: TcpStream,
    slot: Arc<ListenerSlot>,
    router: Router,
    unread: Duration,
    shutdown: CancellationToken,
) {
    let stream = StampedStream::new(stream);
    let arrivals = stream.arrivals();
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(unread));
    let stream = MeteredStream::new(Box::pin(stream), slot.clone());
    let router = TowerToHyperService::new(router);
    let of_service = slot.clone();
    let upgrade = Arc::new(OnceLock::new());
    let announced = upgrade.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (slot, announced) = (of_service.clone(), announced.clone());
        slot.begin(!request.body().is_end_stream());
        let end = BodyEnd(slot.clone());
        let mut request = request.map(|body| Body::new(GuardedBody::new(body, end)));
        request.extensions_mut().insert(ConnectInfo(slot.peer()));
        request.extensions_mut().insert(arrivals.clone());
        let answer = router.call(request);
        // In a box: the connection has to be `Unpin`, because its stream is taken out of it at its end.
        Box::pin(async move {
            let mut response = answer.await.map_err(|never| match never {})?;
            if let Some(reset) = response.extensions().get::<Reset>() {
                return Err(*reset);
            }
            let status = response.status();
            let well = status.is_success()
                || status.is_redirection()
                || status == StatusCode::SWITCHING_PROTOCOLS;
            if let Some(upgrade) = Upgrade::of(&mut response) {
                // A second one cannot be: the first ends HTTP on the connection.
                announced.get_or_init(|| upgrade);
            }
            Ok(response.map(|body| GuardedBody::new(body, AnswerEnd { slot, well })))
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    let served = tokio::select! {
        served = &mut connection => served,
        () = slot.ended() => return,
        () = shutdown.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            tokio::select! {
                served = &mut connection => served,
                () = slot.ended() => return,
            }
        }
    };
    let Err(error) = served else {
        if let Some(upgrade) = upgrade.get() {
            let parts = connection.into_parts();
            let upgraded = Upgraded {
                stream: parts.io.into_inner().stream,
                // A copy, because it would keep the whole buffer of the connection.
                early: Bytes::copy_from_slice(&parts.read_buf),
            };
            serve_upgraded(upgrade, upgraded, &slot).await;
        }
        return;
    };
    let peer = slot.peer();
    tracing::debug!(%peer, "a connection broke: {error}");
    let cause = std::error::Error::source(&error);
    if cause.is_some_and(<dyn std::error::Error>::is::<Reset>) {
        let stream = connection.into_parts().io.into_inner().stream;
        reset_on_close(stream.as_ref().get_ref().get_ref().get_ref());
    }
}

/// Serves the protocol that a connection changed to, until it ends or its slot is taken.
async fn serve_upgraded(upgrade: &Upgrade, upgraded: Upgraded, slot: &ListenerSlot) {
    slot.upgraded();
    tokio::select! {
        () = upgrade.serve(upgraded) => {}
        () = slot.ended() => {}
    }
}

/// Has the closing of a stream send a reset in place of an orderly end.
fn reset_on_close(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "a connection is closed, not reset");
    }
}

#[cfg(test)]
mod tests;
