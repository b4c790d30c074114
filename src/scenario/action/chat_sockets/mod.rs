//! The sockets that a chat has opened.

mod connection_events;
mod failure;
mod open_stream;

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::{join, join_all};
use tokio::time::Instant;

use self::failure::ended;
pub(super) use self::{
    connection_events::ConnectionEvents,
    failure::{failed, reason_of_end},
    open_stream::OpenStream,
};
use crate::{
    driver::{ClosedSocket, Socket, SocketFailure, SocketMessage, SocketReader},
    scenario::{
        Reason,
        action::{SessionEvent, Unperformed, WaitSources},
    },
};

/// The name of a socket that has none.
pub(super) const UNNAMED: &str = "socket";
/// The code of a close by a chat that is over.
const GOING_AWAY: u16 = 1001;

/// The sockets that a chat has opened; little while there are none.
#[derive(Debug, Default)]
pub struct ChatSockets(Option<Box<Connections>>);

#[derive(Debug, Default)]
struct Connections {
    /// The latest of each name.
    latest: Vec<NamedConnection>,
    /// The latest event stream of each step that asks for one.
    streams: Vec<OpenStream>,
}

/// The latest connection under one name.
#[derive(Debug)]
struct NamedConnection {
    name: Arc<str>,
    /// Which one of the chat, from one.
    connection: u32,
    /// `None` once a step has closed it.
    open: Option<OpenSocket>,
}

/// An open socket, and what is told of it.
pub(super) struct OpenSocket {
    socket: Socket,
    events: Arc<ConnectionEvents>,
}

impl ChatSockets {
    /// What a wait for frames of the socket with this name looks at, or without a name of any socket. Fails where none was
    /// opened.
    pub(in crate::scenario) fn wait_sources(
        &self,
        name: Option<&str>,
    ) -> Result<WaitSources, Unperformed> {
        let latest = self.0.iter().flat_map(|connections| &connections.latest);
        let named = latest.filter(|latest| name.is_none_or(|name| name == &*latest.name));
        let numbers = named.map(|latest| latest.connection);
        sources(numbers).ok_or_else(|| not_open(name.unwrap_or(UNNAMED)))
    }

    /// What a wait for messages of event streams looks at. Fails where none was opened.
    pub(in crate::scenario) fn stream_sources(&self) -> Result<WaitSources, Unperformed> {
        let streams = self.0.iter().flat_map(|connections| &connections.streams);
        let numbers = streams.map(|stream| stream.connection);
        sources(numbers).ok_or_else(|| {
            let detail = "no event stream is open: the step that asks for it did not run or failed";
            Unperformed::failed(Reason::Closed, detail)
        })
    }

    /// By which a wait reads the open connection with this number itself.
    pub(super) fn reader(&self, connection: u32) -> Option<SocketReader<'_>> {
        let mut latest = self.0.iter().flat_map(|connections| &connections.latest);
        let latest = latest.find(|latest| latest.connection == connection)?;
        latest.open.as_ref().map(|open| open.socket.reader())
    }

    /// Whether the chat has opened one, whatever became of it.
    pub(in crate::scenario) fn is_connected(&self) -> bool {
        self.0.is_some()
    }

    /// Closes all that are open and waits for the answers of the target, for no longer than this.
    pub async fn close_all(&mut self, within: Duration) {
        let Some(connections) = self.0.take() else {
            return;
        };
        let open = connections
            .latest
            .into_iter()
            .filter_map(|latest| latest.open);
        let closing = open.map(async |open| {
            // What came of it is an event of the socket.
            let _ = open.close(GOING_AWAY, "", within).await;
        });
        let streams = connections.streams.into_iter().map(OpenStream::close);
        join(join_all(closing), join_all(streams)).await;
    }

    /// An event stream is about to be read for a step. One that is open for it is closed.
    pub(super) fn begin_stream(&mut self, step: &str) {
        let connections = self.0.get_or_insert_default();
        connections.streams.retain(|stream| *stream.step != *step);
    }

    /// Keeps an event stream that is read.
    pub(super) fn keep_stream(&mut self, stream: OpenStream) {
        let connections = self.0.get_or_insert_default();
        connections.streams.push(stream);
    }

    /// A connection is about to be opened under a name. One that is open under it is closed.
    pub(super) fn begin(&mut self, name: &str) {
        let connections = self.0.get_or_insert_default();
        connections.latest.retain(|latest| *latest.name != *name);
    }

    /// Keeps a connection that was opened.
    pub(super) fn keep(&mut self, name: &Arc<str>, socket: Socket, events: Arc<ConnectionEvents>) {
        let connections = self.0.get_or_insert_default();
        connections.latest.push(NamedConnection {
            name: name.clone(),
            connection: events.connection,
            open: Some(OpenSocket { socket, events }),
        });
    }

    /// The open socket with this name, or why a step fails that needs it.
    pub(super) fn open(&mut self, name: &str) -> Result<&OpenSocket, Unperformed> {
        let Some(open) = self.find(name).and_then(|latest| latest.open.as_ref()) else {
            return Err(not_open(name));
        };
        open.check()?;
        Ok(open)
    }

    /// Takes the open socket with this name.
    pub(super) fn take(&mut self, name: &str) -> Result<OpenSocket, Unperformed> {
        let Some(open) = self.find(name).and_then(|latest| latest.open.take()) else {
            return Err(not_open(name));
        };
        open.check()?;
        Ok(open)
    }

    /// The chat is a member of a room from now on, over the socket with this name, if that is still open.
    pub(super) fn join(&mut self, name: &str, room: Arc<str>) {
        if let Some(open) = self.find(name).and_then(|latest| latest.open.as_ref()) {
            open.events.join(room, Instant::now());
        }
    }

    fn find(&mut self, name: &str) -> Option<&mut NamedConnection> {
        let mut latest = self
            .0
            .iter_mut()
            .flat_map(|connections| &mut connections.latest);
        latest.find(|latest| *latest.name == *name)
    }
}

impl OpenSocket {
    /// Why a step fails that needs it, if it does.
    fn check(&self) -> Result<(), Unperformed> {
        if let Some(error) = self.events.fault() {
            return Err(Unperformed::failed(Reason::Template, error.to_string()));
        }
        match self.socket.closed() {
            Some(closed) => Err(ended(&closed)),
            None => Ok(()),
        }
    }

    /// Tells that a message is about to be written that everybody in a room has to receive.
    pub(super) fn publish(&self, id: Box<str>, room: Arc<str>, at: Instant) {
        self.events.tell(SessionEvent::Published {
            connection: self.events.connection,
            id,
            room,
            at,
        });
    }

    /// See [`Socket::send_announced`].
    pub(super) async fn send(
        &self,
        message: SocketMessage,
        within: Duration,
        before: &mut (dyn FnMut() + Send),
    ) -> Result<Duration, SocketFailure> {
        self.socket.send_announced(message, within, before).await
    }

    /// See [`Socket::close`]. The chat is no member of its room any more.
    pub(super) async fn close(
        self,
        code: u16,
        reason: &str,
        within: Duration,
    ) -> Result<ClosedSocket, SocketFailure> {
        self.events.leave(Instant::now());
        self.socket.close(code, reason, within).await
    }
}

impl fmt::Debug for OpenSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

/// `None` of no connections.
fn sources(mut numbers: impl Iterator<Item = u32>) -> Option<WaitSources> {
    let first = numbers.next()?;
    let others: Vec<_> = numbers.collect();
    if others.is_empty() {
        return Some(WaitSources::Connection(first));
    }
    let numbers = [first].into_iter().chain(others);
    Some(WaitSources::Connections(numbers.collect()))
}

fn not_open(name: &str) -> Unperformed {
    let detail =
        format!("no socket `{name}` is open: its `connect` did not run, failed, or was closed");
    Unperformed::failed(Reason::Closed, detail)
}
