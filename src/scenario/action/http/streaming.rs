//! An answer that is an event stream: its messages come whether a step waits for them or not.

use std::sync::Arc;

use bytes::Bytes;
use minijinja::Value;
use tokio::{
    sync::oneshot,
    time::{Duration, Instant},
};

use crate::{
    body::{EventStreamReader, StreamedEvent},
    document::Node,
    driver::{AnswerStream, StreamPiece},
    scenario::{
        Reason, Scope,
        action::{
            ActionReading, ArrivedFrame, FrameKind, PassedFrame, SessionEvent, SocketEnd,
            SocketEvent, SocketRules,
            chat_sockets::{ConnectionEvents, OpenStream},
            message::MessageView,
        },
    },
};

/// `stream: sse`.
#[derive(Debug)]
pub(super) struct EventStream {
    /// The step that asks for it.
    pub(super) step: Arc<str>,
    /// The longest message, in bytes.
    most: usize,
    rules: Arc<SocketRules>,
}

impl EventStream {
    /// Reads what `stream` of a request says. `most`: the longest message, in bytes.
    pub(super) fn read(
        node: &Node,
        most: usize,
        reading: &mut ActionReading<'_, '_>,
    ) -> Option<Self> {
        let kind = node.text("`sse`", reading.problems)?;
        let why_not = if kind != "sse" {
            format!("`{kind}` is no kind of stream; `sse`, server-sent events, is the only one")
        } else if !reading.names.part().is_chat() {
            "a `stream` belongs to a chat; it cannot stand in `setup` or `teardown`".to_owned()
        } else {
            let step = reading.step?.clone();
            reading.streams.push(step.clone());
            let rules = reading.rules.clone();
            return Some(Self { step, most, rules });
        };
        reading.problems.add(&node.place, why_not);
        None
    }

    /// Reads the stream in a task of its own, which tells what comes.
    pub(super) fn open(
        &self,
        stream: Box<AnswerStream>,
        events: ConnectionEvents,
        scope: &Arc<Scope>,
    ) -> OpenStream {
        events.open();
        let connection = events.connection;
        let (close, closed) = oneshot::channel();
        let reading = Reading {
            events,
            // A wait for messages names no socket.
            is_received: self.rules.is_received("", scope),
            reader: EventStreamReader::new(self.most),
        };
        let task = tokio::spawn(reading.run(stream, closed));
        OpenStream::new(self.step.clone(), connection, close, task)
    }
}

/// A stream that is read.
struct Reading {
    events: ConnectionEvents,
    /// Whether a step of the chat may look at messages. If none does, none is kept.
    is_received: bool,
    reader: EventStreamReader,
}

/// How a stream ended.
struct StreamEnd {
    by: SocketEnd,
    reason: Reason,
    how: String,
}

impl StreamEnd {
    fn new(by: SocketEnd, reason: Reason, how: impl Into<String>) -> Self {
        let how = how.into();
        Self { by, reason, how }
    }
}

impl Reading {
    async fn run(mut self, stream: Box<AnswerStream>, closed: oneshot::Receiver<()>) {
        let end = tokio::select! {
            biased;
            // Dropping the sender closes the stream, too.
            _ = closed => StreamEnd::new(SocketEnd::Us, Reason::Closed, "the chat is over"),
            end = self.read(stream) => end,
        };
        self.events.end(Instant::now(), end.reason, end.how);
        let closed = SocketEvent::Closed {
            by: end.by,
            code: None,
        };
        self.events.tell(SessionEvent::Socket(closed));
    }

    async fn read(&mut self, mut stream: Box<AnswerStream>) -> StreamEnd {
        loop {
            match stream.next().await {
                Ok(Some(piece)) => {
                    if let Err(end) = self.take(&piece) {
                        return end;
                    }
                }
                Ok(None) => {
                    let how = "the target ended the event stream";
                    return StreamEnd::new(SocketEnd::Target, Reason::Closed, how);
                }
                Err(broken) => {
                    let how = format!("the event stream broke off: {broken}");
                    return StreamEnd::new(SocketEnd::Network, Reason::Closed, how);
                }
            }
        }
    }

    fn take(&mut self, piece: &StreamPiece) -> Result<(), StreamEnd> {
        let StreamPiece { bytes, arrival } = piece;
        let mut events = Vec::new();
        let read = self.reader.read(bytes, &mut events);
        for event in events {
            self.tell(event, arrival.at, arrival.read_delay);
        }
        read.map_err(|error| {
            let how = format!("the event stream has {error}; `body_limit` on the step allows more");
            StreamEnd::new(SocketEnd::Us, Reason::Protocol, how)
        })
    }

    fn tell(&self, event: StreamedEvent, at: Instant, read_delay: Option<Duration>) {
        let connection = self.events.connection;
        self.events
            .tell(SessionEvent::Socket(SocketEvent::Received {
                kind: FrameKind::Text,
                bytes: event.data.len(),
                read_delay,
            }));
        self.events.tell(SessionEvent::Passed(PassedFrame {
            connection,
            at,
            is_received: true,
            kind: FrameKind::Text,
            content: shown(&event),
        }));
        if !self.is_received {
            return;
        }
        self.events.tell(SessionEvent::Arrived(ArrivedFrame {
            connection,
            at,
            bytes: MessageView::weight(&event),
            frame: Value::from_object(MessageView::new(event)),
        }));
    }
}

/// What people see of a message: its data, and in front of it the event if it has a name of its own.
fn shown(event: &StreamedEvent) -> Bytes {
    let name = event.event.as_str();
    let text = if name == "message" {
        event.data.clone()
    } else {
        format!("{name}: {}", event.data)
    };
    text.into()
}
