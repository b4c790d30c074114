use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use tokio::time::Instant;

use super::{
    context::RunContext,
    deliveries::{Ledger, Member, Membership},
    frame_log::{FrameLog, LoggedConnection},
};
use crate::{
    event::{Passage, RunEvent, RunObservers, TracedFrames},
    inbox::{EventSender, Inbound},
    scenario::{InboundSource, NewConnection, SessionEvent},
};

/// Where what happens in the sessions of one chat goes: to the observers of its run, into its inbox, to the ledger of
/// deliveries, and into what it is explained with should it fail. It holds nothing that keeps the run from its end.
pub(super) struct SessionEvents {
    /// The number of the chat; zero outside chats.
    chat: u64,
    observers: RunObservers,
    /// `None` outside chats, where nothing waits for a frame.
    inbox: Option<EventSender>,
    /// How many connections were begun.
    connections: AtomicU32,
    frames: Mutex<FrameLog>,
    /// `None` in a run without deliveries.
    rooms: Option<Rooms>,
}

/// The rooms that the connections of a chat are in.
struct Rooms {
    ledger: Arc<Ledger>,
    memberships: Mutex<Vec<Membership>>,
}

impl SessionEvents {
    pub(super) fn new(context: &RunContext, chat: u64, inbox: Option<EventSender>) -> Self {
        Self {
            chat,
            observers: context.observers.clone(),
            inbox,
            connections: AtomicU32::new(0),
            frames: Mutex::new(FrameLog::new(context.trace_budget())),
            rooms: context.ledger.clone().map(|ledger| Rooms {
                ledger,
                memberships: Mutex::default(),
            }),
        }
    }

    /// Takes up a connection that is about to be opened under this name of a socket.
    pub(super) fn new_connection(self: &Arc<Self>, socket: Arc<str>) -> NewConnection {
        let number = 1 + self.connections.fetch_add(1, Ordering::Relaxed);
        let connection = LoggedConnection { number, socket };
        let events = self.clone();
        NewConnection {
            number,
            sink: Arc::new(move |event| events.take(&connection, event)),
        }
    }

    /// Called by tasks of sessions, for one connection in the order of what happens on it.
    fn take(&self, own: &LoggedConnection, event: SessionEvent) {
        match event {
            SessionEvent::Socket(event) => self.observers.emit(&RunEvent::Socket(event)),
            SessionEvent::Passed(frame) => {
                let passage = if frame.is_received {
                    Passage::Received(frame.kind)
                } else {
                    Passage::Sent(frame.kind)
                };
                let mut frames = self.frames();
                frames.note(own, frame.at, passage, &frame.content);
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
                frames.note(own, at, Passage::Ended, how.as_bytes());
                drop(frames);
                self.send(Inbound {
                    arrived: at,
                    source: InboundSource::EndOf { connection, reason },
                    bytes: how.len(),
                    event: how.into(),
                    delivery: None,
                });
            }
            SessionEvent::Joined {
                connection, room, ..
            } => self.in_rooms(connection, |rooms, member| rooms.join(&room, member)),
            SessionEvent::Left { connection, at } => {
                self.in_rooms(connection, |rooms, member| rooms.leave(member, at));
            }
            SessionEvent::Published {
                connection,
                id,
                room,
                at,
            } => self.in_rooms(connection, |rooms, member| {
                rooms.ledger.publish(&room, &id, member, at);
            }),
            SessionEvent::Delivered { connection, id, at } => {
                self.in_rooms(connection, |rooms, member| rooms.deliver(member, &id, at));
            }
        }
    }

    /// What passed over the connections of the chat, with moments after `since`. Nothing is kept from now on.
    pub(super) fn take_frames(&self, since: Option<Instant>) -> TracedFrames {
        self.frames().take(since)
    }

    fn in_rooms(&self, connection: u32, note: impl FnOnce(&Rooms, Member)) {
        let member = Member {
            chat: self.chat,
            connection,
        };
        if let Some(rooms) = &self.rooms {
            note(rooms, member);
        }
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

impl Rooms {
    fn join(&self, room: &str, member: Member) {
        let membership = self.ledger.join(room, member);
        self.memberships().push(membership);
    }

    fn leave(&self, member: Member, at: Instant) {
        let left = {
            let mut memberships = self.memberships();
            let place = memberships
                .iter()
                .position(|joined| joined.member() == member);
            place.map(|place| memberships.swap_remove(place))
        };
        if let Some(membership) = left {
            membership.leave(at);
        }
    }

    fn deliver(&self, member: Member, id: &str, at: Instant) {
        let memberships = self.memberships();
        let mut joined = memberships
            .iter()
            .filter(|joined| joined.member() == member);
        if let Some(membership) = joined.next() {
            membership.delivered(id, at);
        }
    }

    fn memberships(&self) -> MutexGuard<'_, Vec<Membership>> {
        // A list that is whole after every statement.
        self.memberships
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
