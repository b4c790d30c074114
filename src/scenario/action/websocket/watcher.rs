//! What happens on a socket whether a step waits for it or not.

use std::{sync::Arc, time::Duration};

use minijinja::Value;
use tokio::time::Instant;

use crate::{
    driver::{
        ClosedBy, ClosedSocket, HandshakeAnswer, ReceivedMessage, SocketHandler, SocketMessage,
    },
    scenario::{
        EvaluationError, Scope,
        action::{
            ArrivedFrame, PassedFrame, SessionEvent, SocketEnd, SocketEvent, SocketRules,
            chat_sockets::{ConnectionEvents, reason_of_end},
            frame::{FrameView, SeenFrame, kind_of},
        },
        key_text,
    },
};

/// Watches one connection in the task of its socket: counts, answers by the rules of the scenario, and hands frames on.
pub(super) struct Watcher {
    events: Arc<ConnectionEvents>,
    /// The room that the chat enters with the opening, until then.
    room: Option<Arc<str>>,
    /// The name of the socket.
    name: Arc<str>,
    rules: Arc<SocketRules>,
    /// The variables as they were when it was opened, if an expression needs them.
    scope: Option<Arc<Scope>>,
    /// Whether a step of the chat may look at frames. If none does, none is kept.
    is_received: bool,
}

/// A frame, which is made when the first of those asks for it that look at it.
struct LazyFrame<'a> {
    message: &'a SocketMessage,
    socket: &'a Arc<str>,
    made: Option<Value>,
}

impl Watcher {
    pub(super) fn new(
        events: Arc<ConnectionEvents>,
        room: Option<Arc<str>>,
        name: Arc<str>,
        rules: &Arc<SocketRules>,
        scope: &Arc<Scope>,
    ) -> Self {
        let needs_scope = rules.need_scope(&name);
        Self {
            is_received: rules.is_received(&name, scope),
            events,
            room,
            name,
            rules: rules.clone(),
            scope: needs_scope.then(|| scope.clone()),
        }
    }

    fn tell(&self, event: SocketEvent) {
        self.events.tell(SessionEvent::Socket(event));
    }

    /// Tells of a frame for the explanation of the chat, should it fail.
    fn passed(&self, at: Instant, is_received: bool, message: &SocketMessage) {
        self.events.tell(SessionEvent::Passed(PassedFrame {
            connection: self.events.connection,
            at,
            is_received,
            kind: kind_of(message),
            content: match message {
                SocketMessage::Text(text) => text.clone().into(),
                SocketMessage::Binary(bytes) => bytes.clone(),
            },
        }));
    }

    /// By which a frame is recognized as a message of the room, if it is one.
    fn delivered(&mut self, frame: &mut LazyFrame<'_>) -> Option<Box<str>> {
        if self.rules.deliveries.is_none() || !self.events.is_member() {
            return None;
        }
        let rules = self.rules.clone();
        let delivery = rules.deliveries.as_ref()?;
        let bytes = frame.message.bytes();
        if !delivery.may_be(bytes) {
            return None;
        }
        if let Some(id) = delivery.field().and_then(|field| field.text_in(bytes)) {
            return Some(id);
        }
        let scope = self.look_at(frame)?;
        let id = delivery.id().evaluate(scope);
        self.look_away();
        match id {
            Ok(id) => key_text(&id).map(Into::into),
            Err(error) if error.exceeded => {
                self.events.note_fault(error);
                None
            }
            Err(_) => None,
        }
    }

    /// What is answered to a frame: that of the first rule that holds.
    fn answer(
        &mut self,
        frame: &mut LazyFrame<'_>,
    ) -> Result<Option<SocketMessage>, EvaluationError> {
        let socket = frame.socket;
        if self.rules.replies_of(socket).next().is_none() {
            return Ok(None);
        }
        let rules = self.rules.clone();
        let Some(scope) = self.look_at(frame) else {
            return Ok(None);
        };
        for reply in rules.replies_of(socket) {
            if reply.when.decide(scope)? {
                return reply.content.render(scope).map(Some);
            }
        }
        Ok(None)
    }

    fn look_at(&mut self, frame: &mut LazyFrame<'_>) -> Option<&Arc<Scope>> {
        let scope = self.scope.as_mut()?;
        Arc::make_mut(scope).look_at(Arc::new(SeenFrame(frame.value())));
        Some(scope)
    }

    /// A frame that was looked at is not kept.
    fn look_away(&mut self) {
        if let Some(scope) = &mut self.scope {
            Arc::make_mut(scope).look_away();
        }
    }
}

impl LazyFrame<'_> {
    fn value(&mut self) -> Value {
        let make = || {
            let frame = FrameView::new(self.message, self.socket.clone());
            Value::from_object(frame)
        };
        self.made.get_or_insert_with(make).clone()
    }
}

impl SocketHandler for Watcher {
    fn opened(&mut self, _: &HandshakeAnswer) {
        self.events.open();
        if let Some(room) = self.room.take() {
            self.events.join(room, Instant::now());
        }
    }

    fn received(&mut self, received: ReceivedMessage) -> Vec<SocketMessage> {
        let ReceivedMessage {
            at,
            read_delay,
            message,
        } = received;
        self.tell(SocketEvent::Received {
            kind: kind_of(&message),
            bytes: message.length(),
            read_delay,
        });
        self.passed(at, true, &message);
        let name = self.name.clone();
        let mut frame = LazyFrame {
            message: &message,
            socket: &name,
            made: None,
        };
        if let Some(id) = self.delivered(&mut frame) {
            self.events.tell(SessionEvent::Delivered {
                connection: self.events.connection,
                id,
                at,
            });
        }
        let answer = self.answer(&mut frame);
        self.look_away();
        if self.is_received {
            self.events.tell(SessionEvent::Arrived(ArrivedFrame {
                connection: self.events.connection,
                at,
                frame: frame.value(),
                bytes: FrameView::weight(&message),
            }));
        }
        match answer {
            Ok(answer) => answer.into_iter().collect(),
            Err(error) => {
                self.events.note_fault(error);
                Vec::new()
            }
        }
    }

    fn heartbeat(&mut self, position: usize) -> Option<SocketMessage> {
        let rules = self.rules.clone();
        let heartbeat = rules.heartbeats_of(&self.name).nth(position)?;
        let scope = self.scope.as_mut()?;
        Arc::make_mut(scope).renew_moment();
        match heartbeat.content.render(scope) {
            Ok(message) => Some(message),
            Err(error) => {
                self.events.note_fault(error);
                None
            }
        }
    }

    fn ponged(&mut self, after: Duration) {
        self.tell(SocketEvent::Ponged { after });
    }

    fn sent(&mut self, message: &SocketMessage, took: Duration) {
        self.tell(SocketEvent::Sent {
            kind: kind_of(message),
            bytes: message.length(),
            took,
        });
        // From when it went out: an answer to it may have arrived before the system had taken all of it.
        let now = Instant::now();
        self.passed(now.checked_sub(took).unwrap_or(now), false, message);
    }

    fn closed(&mut self, closed: &ClosedSocket) {
        self.events.leave(closed.at);
        self.events
            .end(closed.at, reason_of_end(closed), closed.to_string());
        self.tell(SocketEvent::Closed {
            by: match closed.by {
                ClosedBy::Target => SocketEnd::Target,
                ClosedBy::Us => SocketEnd::Us,
                ClosedBy::Network => SocketEnd::Network,
            },
            code: closed.code,
        });
    }
}
