use crate::{
    event::{RunEvent, RunObservers},
    inbox::{EventSender, Inbound},
    scenario::{InboundSource, SessionEvent},
};

/// Where what happens in the sessions of one chat goes: to the observers of its run and into its inbox. It holds nothing
/// that keeps the run from its end.
pub(super) struct SessionEvents {
    observers: RunObservers,
    /// `None` outside chats, where nothing waits for a frame.
    inbox: Option<EventSender>,
}

impl SessionEvents {
    pub(super) fn new(observers: &RunObservers, inbox: Option<EventSender>) -> Self {
        Self {
            observers: observers.clone(),
            inbox,
        }
    }

    /// Called by tasks of sessions.
    pub(super) fn take(&self, event: SessionEvent) {
        match event {
            SessionEvent::Socket(event) => self.observers.emit(&RunEvent::Socket(event)),
            SessionEvent::Arrived(arrived) => self.send(Inbound {
                arrived: arrived.at,
                source: InboundSource::Connection(arrived.connection),
                event: arrived.frame,
                delivery: None,
                bytes: arrived.bytes,
            }),
            SessionEvent::Ended {
                connection,
                at,
                how,
            } => self.send(Inbound {
                arrived: at,
                source: InboundSource::EndOf(connection),
                bytes: how.len(),
                event: how.into(),
                delivery: None,
            }),
            SessionEvent::Joined { .. }
            | SessionEvent::Left { .. }
            | SessionEvent::Published { .. }
            | SessionEvent::Delivered { .. } => {}
        }
    }

    fn send(&self, inbound: Inbound) {
        if let Some(inbox) = &self.inbox {
            inbox.send_of_connection(inbound);
        }
    }
}
