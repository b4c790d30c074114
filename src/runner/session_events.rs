use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::{context::RunContext, frame_log::FrameLog};
use crate::{
    event::{Passage, RunEvent, RunObservers, TracedFrames},
    inbox::{EventSender, Inbound},
    scenario::{InboundSource, SessionEvent},
};

/// Where what happens in the sessions of one chat goes: to the observers of its run, into its inbox, and into what it is
/// explained with should it fail. It holds nothing that keeps the run from its end.
pub(super) struct SessionEvents {
    observers: RunObservers,
    /// `None` outside chats, where nothing waits for a frame.
    inbox: Option<EventSender>,
    frames: Mutex<FrameLog>,
}

impl SessionEvents {
    pub(super) fn new(context: &RunContext, inbox: Option<EventSender>) -> Self {
        Self {
            observers: context.observers.clone(),
            inbox,
            frames: Mutex::new(FrameLog::new(context.trace_budget())),
        }
    }

    /// Called by tasks of sessions, for one connection in the order of what happens on it.
    pub(super) fn take(&self, event: SessionEvent) {
        match event {
            SessionEvent::Socket(event) => self.observers.emit(&RunEvent::Socket(event)),
            SessionEvent::Passed(frame) => {
                let passage = if frame.is_received {
                    Passage::Received(frame.kind)
                } else {
                    Passage::Sent(frame.kind)
                };
                let mut frames = self.frames();
                frames.note(frame.connection, frame.at, passage, &frame.content);
            }
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
                reason,
                how,
            } => {
                let mut frames = self.frames();
                frames.note(connection, at, Passage::Ended, how.as_bytes());
                drop(frames);
                self.send(Inbound {
                    arrived: at,
                    source: InboundSource::EndOf { connection, reason },
                    bytes: how.len(),
                    event: how.into(),
                    delivery: None,
                });
            }
            SessionEvent::Joined { .. }
            | SessionEvent::Left { .. }
            | SessionEvent::Published { .. }
            | SessionEvent::Delivered { .. } => {}
        }
    }

    /// What passed over the connections of the chat, with moments after `since`. Nothing is kept from now on.
    pub(super) fn take_frames(&self, since: Option<Instant>) -> TracedFrames {
        self.frames().take(since)
    }

    fn send(&self, inbound: Inbound) {
        if let Some(inbox) = &self.inbox {
            inbox.send_of_connection(inbound);
        }
    }

    fn frames(&self) -> MutexGuard<'_, FrameLog> {
        // A list that is whole after every statement.
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
