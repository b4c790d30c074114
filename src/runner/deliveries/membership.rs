use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    ledger::Ledger,
    room::{Place, Room},
};

/// Who can be in a room: a connection of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::runner) struct Member {
    /// The chat's number in its run.
    pub(in crate::runner) chat: u64,
    /// Which connection of the chat, from one.
    pub(in crate::runner) connection: u32,
}

/// A member that is in a room. Dropped, it leaves at that moment.
#[derive(Debug)]
pub(in crate::runner) struct Membership {
    ledger: Arc<Ledger>,
    room: Arc<Room>,
    member: Member,
    place: Place,
    has_left: bool,
}

/// What a frame with the id of a message was to the member that received it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runner) enum Receipt {
    /// A message that it was expected to receive, for the first time, so long after it was published.
    Delivered(Duration),
    /// The same once more.
    Duplicate,
    /// A message whose time was over; it counts as lost.
    Late,
    /// A message that it published itself.
    Own,
    /// No open message of this run, or one that was published before it joined.
    Unknown,
}

impl Membership {
    pub(super) fn new(ledger: Arc<Ledger>, room: Arc<Room>, member: Member, place: Place) -> Self {
        Self {
            ledger,
            room,
            member,
            place,
            has_left: false,
        }
    }

    /// A frame with this id arrived: `at` is the moment of the kernel, where it is known.
    pub(in crate::runner) fn delivered(&self, id: &str, at: Instant) -> Receipt {
        self.ledger.delivered(self, id, at)
    }

    /// It is expected to receive nothing from this moment on.
    pub(in crate::runner) fn leave(mut self, at: Instant) {
        self.leave_at(at);
    }

    fn leave_at(&mut self, at: Instant) {
        if !std::mem::replace(&mut self.has_left, true) {
            self.ledger.leave(&self.room, self.place.slot, at);
        }
    }

    pub(super) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    pub(in crate::runner) fn member(&self) -> Member {
        self.member
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.leave_at(Instant::now());
    }
}
