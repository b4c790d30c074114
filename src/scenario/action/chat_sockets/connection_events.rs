//! What a connection tells of itself.

use std::sync::{Arc, Once, OnceLock};

use tokio::time::Instant;

use crate::scenario::{
    EvaluationError, Reason,
    action::{SessionEvent, SessionSink, SocketEvent},
};

/// Tells the chat and observers of one connection. Its task and the steps of the chat have it in common: its end is told
/// by whoever comes to it first.
pub(in crate::scenario::action) struct ConnectionEvents {
    /// Which connection of the chat, from one.
    pub(in crate::scenario::action) connection: u32,
    /// The room of which the chat is a member while it is open.
    pub(in crate::scenario::action) room: Option<Arc<str>>,
    sink: SessionSink,
    left: Once,
    ended: Once,
    /// Why what the scenario says to answer cannot be sent.
    fault: OnceLock<EvaluationError>,
}

impl ConnectionEvents {
    pub(in crate::scenario::action) fn new(
        connection: u32,
        room: Option<Arc<str>>,
        sink: SessionSink,
    ) -> Self {
        Self {
            connection,
            room,
            sink,
            left: Once::new(),
            ended: Once::new(),
            fault: OnceLock::new(),
        }
    }

    /// Tells something.
    pub(in crate::scenario::action) fn tell(&self, event: SessionEvent) {
        (self.sink)(event);
    }

    /// It is open. Told before anything else.
    pub(in crate::scenario::action) fn open(&self, at: Instant) {
        self.tell(SessionEvent::Socket(SocketEvent::Opened));
        if let Some(room) = &self.room {
            self.tell(SessionEvent::Joined {
                connection: self.connection,
                room: room.clone(),
                at,
            });
        }
    }

    /// The chat is no member of its room any more.
    pub(in crate::scenario::action) fn leave(&self, at: Instant) {
        if self.room.is_none() {
            return;
        }
        self.left.call_once(|| {
            self.tell(SessionEvent::Left {
                connection: self.connection,
                at,
            });
        });
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
