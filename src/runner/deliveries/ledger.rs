use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    member::{Member, MemberPlace, Receipt},
    message::PublishedMessage,
    messages::OpenMessages,
    room::{Room, Settled, SettledMessage},
};
use crate::{
    event::{DeliveryEvent, RunEvent, RunObservers},
    runner::forever::FOREVER,
};

/// The bytes that all open messages of a run may have; further ones are not tracked.
const MOST_BYTES: usize = 64 << 20;
/// Longer ids are not tracked, in bytes.
const LONGEST_ID: usize = 256;
/// How much later than its time a message is settled: a receipt that arrived in time may be read by the process that late.
const READ_LATE: Duration = Duration::from_secs(1);

/// Who is in which room, and the messages of a run that not everybody has received yet.
pub(in crate::runner) struct Ledger {
    /// How long after a message was published its receipt is in time.
    within: Duration,
    observers: RunObservers,
    /// Rooms with members or open messages, by name.
    rooms: Mutex<HashMap<Arc<str>, Arc<Room>>>,
    messages: OpenMessages,
}

/// A member that is in a room. Dropped, it leaves at that moment.
#[derive(Debug)]
pub(in crate::runner) struct Membership {
    ledger: Arc<Ledger>,
    room: Arc<Room>,
    member: Member,
    place: MemberPlace,
    has_left: bool,
}

impl Ledger {
    /// The ledger of a run that begins. A receipt is in time up to and including `within` after the message was published.
    pub(in crate::runner) fn new(within: Duration, observers: RunObservers) -> Arc<Self> {
        Self::with_bytes(within, observers, MOST_BYTES)
    }

    /// The same with another limit for all open messages.
    pub(super) fn with_bytes(
        within: Duration,
        observers: RunObservers,
        most_bytes: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            within: within.min(FOREVER),
            observers,
            rooms: Mutex::default(),
            messages: OpenMessages::new(most_bytes),
        })
    }

    /// From now on the member is expected to receive what others publish to the room.
    pub(in crate::runner) fn join(self: &Arc<Self>, room: &str, member: Member) -> Membership {
        let mut rooms = self.rooms();
        let known = rooms.get(room).cloned();
        let room = known.unwrap_or_else(|| {
            let name = Arc::<str>::from(room);
            let new = Arc::new(Room::new(name.clone()));
            rooms.insert(name, new.clone());
            new
        });
        let place = room.members().join(member);
        drop(rooms);
        Membership::new(self.clone(), room, member, place)
    }

    /// Registers a message that a member is about to send to a room. It has to be called before the message is written,
    /// or receipts can be missed. Who is a member of the room at this moment is expected to receive it, without the
    /// sender itself. Of a message that could not be sent after all, every delivery is lost.
    ///
    /// While a message is open, its id belongs to it: a second one with the same id in the same room is not tracked,
    /// and as nobody can tell receipts of the two from repeated ones of the first, those are not counted as
    /// duplicates. An id of more than 256 bytes is not tracked either.
    pub(in crate::runner) fn publish(&self, room: &str, id: &str, sender: Member, at: Instant) {
        let room = self.rooms().get(room).cloned();
        let event = room.map_or(Some(DeliveryEvent::Published { expected: 0 }), |room| {
            self.register(&room, id, sender, at)
        });
        if let Some(event) = event {
            self.emit(event);
        }
    }

    fn register(
        &self,
        room: &Arc<Room>,
        id: &str,
        sender: Member,
        at: Instant,
    ) -> Option<DeliveryEvent> {
        let mut members = room.members();
        let expected = members.others_than(sender);
        if expected == 0 {
            return Some(DeliveryEvent::Published { expected });
        }
        if id.len() > LONGEST_ID || self.messages.repeats(room, id) {
            return Some(DeliveryEvent::Untracked(expected));
        }
        let size = PublishedMessage::size(members.slots(), id);
        if !self.messages.reserve(size) {
            return Some(DeliveryEvent::Untracked(expected));
        }
        let sequence = members.publish();
        let slots = members.slots();
        let message = PublishedMessage::new(id, room.clone(), sender, sequence, at, slots);
        // With the lock of the room, so that messages of a room are queued in the order of their sequence.
        self.messages
            .open(Arc::new(message))
            .then_some(DeliveryEvent::Published { expected })
    }

    /// A frame with this id arrived at a member.
    fn delivered(&self, membership: &Membership, id: &str, at: Instant) -> Receipt {
        let receipt = self.messages.look_up(&membership.room, id, |message| {
            message.receive(membership.member, membership.place, at, self.within)
        });
        let receipt = receipt.unwrap_or(Receipt::Unknown);
        match receipt {
            Receipt::Delivered(latency) => self.emit(DeliveryEvent::Delivered { latency }),
            Receipt::Duplicate => self.emit(DeliveryEvent::Duplicate),
            Receipt::Late | Receipt::Own | Receipt::Unknown => {}
        }
        receipt
    }

    /// A member left.
    fn leave(&self, room: &Arc<Room>, slot: usize, at: Instant) {
        let is_empty = {
            let mut members = room.members();
            members.leave(slot, at);
            members.is_empty()
        };
        if is_empty {
            self.remove_if_empty(room);
        }
    }

    /// Settles messages whose time is over. To be called several times a second.
    pub(in crate::runner) fn sweep(&self, now: Instant) {
        let Some(published) = now.checked_sub(self.within.saturating_add(READ_LATE)) else {
            return;
        };
        let settled = std::iter::from_fn(|| self.messages.take_until(published));
        self.settle(settled, now);
    }

    /// Settles everything: the run is over. Nothing is registered any more.
    pub(in crate::runner) fn finish(&self, now: Instant) {
        let open = self.messages.close();
        let settled = open
            .into_iter()
            .inspect(|message| self.messages.remove(message));
        self.settle(settled, now);
    }

    fn settle(&self, messages: impl Iterator<Item = Arc<PublishedMessage>>, now: Instant) {
        let mut sum = Settled::default();
        for message in messages {
            let deadline = message.published_at() + self.within;
            let is_empty = {
                let mut members = message.room().members();
                let over = SettledMessage {
                    sequence: message.sequence(),
                    sender: message.sender(),
                    deadline,
                };
                sum.add(members.settle(over, message.without_receipt(), now));
                members.is_empty()
            };
            if is_empty {
                self.remove_if_empty(message.room());
            }
        }
        if sum.lost > 0 {
            self.emit(DeliveryEvent::Lost(sum.lost));
        }
        if sum.excused > 0 {
            self.emit(DeliveryEvent::Excused(sum.excused));
        }
    }

    fn remove_if_empty(&self, room: &Arc<Room>) {
        let mut rooms = self.rooms();
        // Another room may have the name meanwhile.
        let is_same = |known: &Arc<Room>| Arc::ptr_eq(known, room);
        if rooms.get(room.name()).is_some_and(is_same) && room.members().is_empty() {
            rooms.remove(room.name());
        }
    }

    fn emit(&self, event: DeliveryEvent) {
        self.observers.emit(&RunEvent::Deliveries(event));
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Room>>> {
        // Whole after every statement, so a panic elsewhere does not spoil it.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn number_of_rooms(&self) -> usize {
        self.rooms().len()
    }

    #[cfg(test)]
    pub(super) fn open_bytes(&self) -> usize {
        self.messages.bytes()
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ledger({} rooms)", self.rooms().len())
    }
}

impl Membership {
    fn new(ledger: Arc<Ledger>, room: Arc<Room>, member: Member, place: MemberPlace) -> Self {
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

    /// Who it is.
    pub(in crate::runner) fn member(&self) -> Member {
        self.member
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.leave_at(Instant::now());
    }
}
