use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use hyper::header::SET_COOKIE;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use super::{
    answer::HandshakeAnswer,
    failure::{SocketFailure, SocketFailureKind, SocketRefusal},
    handler::SocketHandler,
    handshake::{Exchanged, exchange},
    opening::Opening,
    queue::SocketState,
    request::{as_http, prepare},
    socket::Socket,
    spawned::SharedSocketTask,
    task::{Established, SocketTask},
    timers::Timers,
    wire::speak,
};
use crate::{
    arrival::Arrival,
    driver::{HttpClient, OnWire, Phases, transport::Progress},
};

/// Opens sockets to one target and knows those that are open. Clones are the same client.
#[derive(Debug, Clone)]
pub struct WebSocketClient {
    http: HttpClient,
    tasks: TaskTracker,
}

/// A socket, and how it was opened.
#[derive(Debug)]
pub struct OpenedSocket {
    /// The socket. Dropping it closes it.
    pub socket: Socket,
    /// What the target answered.
    pub answer: HandshakeAnswer,
    /// When it was asked for.
    pub sent_at: Instant,
    /// From `sent_at` until the answer arrived.
    pub elapsed: Duration,
    /// From then until it was read; `None` where the kernel gave no stamp, so that `elapsed` holds this wait too.
    pub read_delay: Option<Duration>,
    /// From `sent_at` until there was leave to open a connection.
    pub waited: Duration,
    /// How long its phases took.
    pub phases: Phases,
    /// When the certificate of the target ends, if the handshake of TLS showed it.
    pub certificate_expires: Option<SystemTime>,
}

impl WebSocketClient {
    /// A client whose sockets reach the target as the requests of this one do, each on a connection of its own.
    pub fn beside(http: &HttpClient) -> Self {
        let tasks = TaskTracker::new();
        // A closed tracker completes when its tasks have ended; tasks can still be spawned on it.
        tasks.close();
        Self {
            http: http.clone(),
            tasks,
        }
    }

    /// Opens a socket: over TLS and through a proxy's tunnel as requests go.
    ///
    /// Any answer but a valid 101 is a failure, redirects included. `on_wire` says for whoever gives up waiting whether
    /// the target may have seen the opening. The handler is called from the opening on, also for a message that came
    /// together with the answer.
    pub async fn open(
        &self,
        opening: &Opening,
        mut handler: Box<dyn SocketHandler>,
        on_wire: &OnWire,
    ) -> Result<OpenedSocket, SocketFailure> {
        let mut progress = Progress::begin(opening.timeout);
        // In a box: the future is large, and the future of the chat would have room for it until the chat ends.
        let establishing = Box::pin(self.establish(opening, on_wire, &mut progress));
        let refusal = match timeout(opening.timeout, establishing).await {
            Ok(Ok((answer, arrival, established))) => {
                handler.opened(&answer);
                let state = Arc::new(SocketState::new(opening.limits));
                let timers = Timers::of(opening, Instant::now());
                let task = SocketTask::new(established, state.clone(), handler, timers);
                let task = SharedSocketTask::new(task, state.waker().clone());
                self.tasks.spawn(task.spawned());
                return Ok(OpenedSocket {
                    socket: Socket::of(state, task),
                    answer,
                    sent_at: progress.sent_at,
                    elapsed: arrival.at.saturating_duration_since(progress.sent_at),
                    read_delay: arrival.read_delay,
                    waited: progress.waited(),
                    phases: progress.phases(),
                    certificate_expires: progress.certificate_expires,
                });
            }
            Ok(Err(refusal)) => refusal,
            Err(_) => progress.out_of_time().into(),
        };
        Err(refusal.after(&progress, &opening.url))
    }

    /// Waits until all sockets of this client have ended, but no longer than this; how many have not.
    pub async fn all_closed(&self, within: Duration) -> usize {
        // Whether they have is what the number says.
        drop(timeout(within, self.tasks.wait()).await);
        self.tasks.len()
    }

    async fn establish(
        &self,
        opening: &Opening,
        on_wire: &OnWire,
        progress: &mut Progress,
    ) -> Result<(HandshakeAnswer, Arrival, Established), SocketRefusal> {
        let server = self.http.socket_servers().server_of(&opening.url)?;
        let (request, expected) = prepare(&server.destination, opening)?;
        let turn = server.opening(progress).await;
        let connected = server.open(progress).await?;
        on_wire.set();
        let Exchanged {
            status,
            headers,
            body,
            arrival,
            switched,
        } = exchange(
            connected.stream,
            request,
            &connected.arrivals,
            turn,
            progress,
        )
        .await?;
        let mut answer = HandshakeAnswer {
            status: status.as_u16(),
            protocol: None,
            body,
            cookies: opening.cookies.clone(),
            headers,
        };
        if let Some(cookies) = &mut answer.cookies
            && answer.headers.contains_key(SET_COOKIE)
        {
            Arc::make_mut(cookies).keep(&as_http(&opening.url), &answer.headers);
        }
        let Some(switched) = switched else {
            let detail = format!("the target answered {status} instead of 101");
            let kind = SocketFailureKind::Status(Box::new(answer));
            return Err(SocketRefusal { kind, detail });
        };
        match expected.check(&answer.headers) {
            Ok(protocol) => answer.protocol = protocol,
            Err(why) => {
                let kind = SocketFailureKind::Handshake(Box::new(answer));
                let detail = why.to_owned();
                return Err(SocketRefusal { kind, detail });
            }
        }
        let established = Established {
            wire: speak(switched.stream, &switched.first, &opening.limits).await,
            arrivals: connected.arrivals,
            permit: connected.permit,
        };
        Ok((answer, arrival, established))
    }
}
