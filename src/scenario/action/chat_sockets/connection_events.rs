//! What a connection tells of itself.

use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};

use tokio::time::Instant;

use crate::scenario::{
    EvaluationError, Reason,
    action::{NewConnection, SessionEvent, SessionSink, SocketEvent},
};

/// Tells the chat and observers of one connection. Its task and the steps of the chat have it in common: its end is told
/// by whoever comes to it first.
pub(in crate::scenario::action) struct ConnectionEvents {
    /// Which connection of the chat, from one.
    pub(in crate::scenario::action) connection: u32,
    sink: SessionSink,
    membership: Mutex<RoomMembership>,
    ended: Once,
    /// Why what the scenario says to answer cannot be sent.
    fault: OnceLock<EvaluationError>,
}

/// The room of which the chat is a member over a connection.
#[derive(Default)]
struct RoomMembership {
    room: Option<Arc<str>>,
    /// Whether it joins none any more.
    is_over: bool,
}

impl ConnectionEvents {
    pub(in crate::scenario::action) fn new(connection: NewConnection) -> Self {
        Self {
            connection: connection.number,
            sink: connection.sink,
            membership: Mutex::default(),
            ended: Once::new(),
            fault: OnceLock::new(),
        }
    }

    /// Tells something.
    pub(in crate::scenario::action) fn tell(&self, event: SessionEvent) {
        (self.sink)(event);
    }

    /// It is open. Told before anything else.
    pub(in crate::scenario::action) fn open(&self) {
        self.tell(SessionEvent::Socket(SocketEvent::Opened));
    }

    /// The chat is a member of this room from now on, and of no other one over this connection.
    pub(in crate::scenario::action) fn join(&self, room: Arc<str>, at: Instant) {
        // Sent with the lock held, so that a frame that arrives at the same time is handled after the event.
        let mut membership = self.membership();
        if membership.is_over || membership.room.as_ref() == Some(&room) {
            return;
        }
        if membership.room.replace(room.clone()).is_some() {
            self.tell_left(at);
        }
        self.tell(SessionEvent::Joined {
            connection: self.connection,
            room,
            at,
        });
    }

    /// Whether the chat is a member of a room over this connection.
    pub(in crate::scenario::action) fn is_member(&self) -> bool {
        self.membership().room.is_some()
    }

    /// The chat is no member of its room any more, and joins no other one over this connection.
    pub(in crate::scenario::action) fn leave(&self, at: Instant) {
        let mut membership = self.membership();
        membership.is_over = true;
        if membership.room.take().is_some() {
            self.tell_left(at);
        }
    }

    fn tell_left(&self, at: Instant) {
        self.tell(SessionEvent::Left {
            connection: self.connection,
            at,
        });
    }

    fn membership(&self) -> MutexGuard<'_, RoomMembership> {
        // It is whole after every statement.
        self.membership
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing comes over it any more at which a step could look.
    pub(in crate::scenario::action) fn end(&self, at: Instant, reason: Reason, how: String) {
        self.ended.call_once(|| {
            self.tell(SessionEvent::Ended {
                connection: self.connection,
                at,
                reason,
                how,
            });
        });
    }

    /// What the scenario says to answer cannot be sent: steps that need the connection fail.
    pub(in crate::scenario::action) fn note_fault(&self, error: EvaluationError) {
        self.end(Instant::now(), Reason::Template, error.to_string());
        // The first one counts.
        let _ = self.fault.set(error);
    }

    /// Why steps fail that need it, if what the scenario says to answer could not be sent.
    pub(in crate::scenario::action) fn fault(&self) -> Option<&EvaluationError> {
        self.fault.get()
    }
}
