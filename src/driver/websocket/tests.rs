mod arrivals;
mod endings;
mod frames;
mod memory;
mod opened;
mod reading;
mod refused;
mod sending;
mod server;
mod timing;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    net::TcpStream,
    sync::Notify,
    time::{Instant, timeout},
};

use self::server::switch;
use super::*;
use crate::{
    arrival::Arrival,
    driver::{
        OnWire,
        http::tests::{
            driver,
            server::{Peer, Server},
        },
    },
};

/// What no test should come near.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a handler was told.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Opened(u16),
    Received(SocketMessage),
    Heartbeat(usize),
    Ponged,
    Sent(SocketMessage),
    Closed(ClosedSocket),
}

type Reply = Box<dyn FnMut(&SocketMessage) -> Vec<SocketMessage> + Send>;

/// A handler that keeps what it is told, and the eyes of a test on that.
#[derive(Clone, Default)]
struct Notes {
    told: Arc<Mutex<Vec<Told>>>,
    /// Of the messages.
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    changed: Arc<Notify>,
}

struct NotingHandler {
    notes: Notes,
    reply: Reply,
    heartbeat: Option<SocketMessage>,
}

impl Notes {
    /// A handler that answers nothing.
    fn handler(&self) -> NotingHandler {
        self.replying(|_| Vec::new())
    }

    fn replying(
        &self,
        reply: impl FnMut(&SocketMessage) -> Vec<SocketMessage> + Send + 'static,
    ) -> NotingHandler {
        NotingHandler {
            notes: self.clone(),
            reply: Box::new(reply),
            heartbeat: None,
        }
    }

    fn note(&self, told: Told) {
        self.told.lock().unwrap().push(told);
        self.changed.notify_waiters();
    }

    fn all(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    fn received(&self) -> Vec<SocketMessage> {
        let all = self.all().into_iter();
        all.filter_map(|told| match told {
            Told::Received(message) => Some(message),
            _ => None,
        })
        .collect()
    }

    /// Waits until this holds of what was told.
    async fn until(&self, holds: impl Fn(&[Told]) -> bool) {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if holds(&self.all()) {
                    return;
                }
                changed.await;
            }
        };
        let waited = timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "still waiting after {:?}", self.all());
    }

    async fn until_received(&self, count: usize) -> Vec<SocketMessage> {
        let is_received = |told: &&Told| matches!(told, Told::Received(_));
        self.until(|told| told.iter().filter(is_received).count() >= count)
            .await;
        self.received()
    }

    async fn until_closed(&self) -> ClosedSocket {
        let end = |told: &[Told]| match told.last() {
            Some(Told::Closed(closed)) => Some(closed.clone()),
            _ => None,
        };
        self.until(|told| end(told).is_some()).await;
        end(&self.all()).unwrap()
    }
}

impl Socket {
    /// Sends a message to a target that reads.
    async fn send(&self, message: SocketMessage) -> Result<Duration, SocketFailure> {
        self.send_announced(message, PATIENCE, &mut || {}).await
    }
}

impl SocketHandler for NotingHandler {
    fn opened(&mut self, answer: &HandshakeAnswer) {
        self.notes.note(Told::Opened(answer.status));
    }

    fn received(&mut self, received: ReceivedMessage) -> Vec<SocketMessage> {
        assert!(received.at <= Instant::now());
        self.notes.arrivals.lock().unwrap().push(Arrival {
            at: received.at,
            read_delay: received.read_delay,
        });
        let replies = (self.reply)(&received.message);
        self.notes.note(Told::Received(received.message));
        replies
    }

    fn heartbeat(&mut self, position: usize) -> Option<SocketMessage> {
        self.notes.note(Told::Heartbeat(position));
        self.heartbeat.clone()
    }

    fn ponged(&mut self, _: Duration) {
        self.notes.note(Told::Ponged);
    }

    fn sent(&mut self, message: &SocketMessage, _: Duration) {
        self.notes.note(Told::Sent(message.clone()));
    }

    fn closed(&mut self, closed: &ClosedSocket) {
        self.notes.note(Told::Closed(closed.clone()));
    }
}

fn text(text: &str) -> SocketMessage {
    SocketMessage::text(text)
}

fn opening(url: impl Into<String>) -> Opening {
    Opening {
        url: url.into(),
        headers: Vec::new(),
        cookies: None,
        protocols: Vec::new(),
        timeout: PATIENCE,
        limits: FrameLimits::default(),
        ping: None,
        heartbeats: Vec::new(),
    }
}

fn ws(server: &Server) -> String {
    format!("ws://127.0.0.1:{}/chat", server.port)
}

fn client() -> WebSocketClient {
    WebSocketClient::beside(&driver())
}

/// A server that opens every socket and does this then.
async fn socket_server<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(Peer<TcpStream>) -> F + Copy + Send + Sync + 'static,
) -> Server {
    Server::start(move |mut peer| async move {
        if switch(&mut peer, "").await {
            serve(peer).await;
        }
    })
    .await
}

/// Opens a socket with this handler.
async fn open_with(opening: &Opening, handler: NotingHandler) -> OpenedSocket {
    let handler = Box::new(handler);
    let opened = client().open(opening, handler, &OnWire::default()).await;
    opened.unwrap()
}

/// Opens a socket whose messages are noted.
async fn open(server: &Server) -> (OpenedSocket, Notes) {
    let notes = Notes::default();
    let opened = open_with(&opening(ws(server)), notes.handler()).await;
    (opened, notes)
}
