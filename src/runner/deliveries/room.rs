use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use super::member::{Member, MemberPlace};

/// A room of a run: who is in it and who was.
pub(super) struct Room {
    name: Arc<str>,
    members: Mutex<RoomMembers>,
}

/// The members of a room. What happens in it has an order, which decides who is expected to receive a message.
#[derive(Default)]
pub(super) struct RoomMembers {
    slots: Vec<Slot>,
    /// Slots whose members have left, in the order in which they did. One is used again once no open message is expected
    /// by the member who left.
    left: VecDeque<usize>,
    /// How often each of them is in the room.
    times: HashMap<Member, u64>,
    present: u64,
    /// Of what happens next.
    sequence: u64,
    /// The sequence of every open message, ascending.
    open: VecDeque<u64>,
}

/// The member in a slot, or the last one.
struct Slot {
    member: Member,
    joined: u64,
    left: Option<Left>,
}

#[derive(Clone, Copy)]
struct Left {
    sequence: u64,
    at: Instant,
}

/// A message that is settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct SettledMessage {
    /// When in the order of the room it was published.
    pub(super) sequence: u64,
    pub(super) sender: Member,
    /// Until when a receipt was in time.
    pub(super) deadline: Instant,
}

/// Expected deliveries of a message whose time is over that were not delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) lost: u64,
    pub(super) excused: u64,
}

impl Room {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            members: Mutex::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn members(&self) -> MutexGuard<'_, RoomMembers> {
        // Nothing that changes members can panic, so a panic elsewhere does not spoil them.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RoomMembers {
    pub(super) fn join(&mut self, member: Member) -> MemberPlace {
        let joined = self.next();
        let new = Slot {
            member,
            joined,
            left: None,
        };
        let slot = if let Some(slot) = self.unused_slot() {
            self.slots[slot] = new;
            slot
        } else {
            self.slots.push(new);
            self.slots.len() - 1
        };
        *self.times.entry(member).or_default() += 1;
        self.present += 1;
        MemberPlace { slot, joined }
    }

    fn unused_slot(&mut self) -> Option<usize> {
        let oldest = self.open.front().copied().unwrap_or(u64::MAX);
        let slots = &self.slots;
        let is_unused = |slot: &mut usize| {
            let left = slots[*slot].left;
            left.is_some_and(|left| left.sequence < oldest)
        };
        self.left.pop_front_if(is_unused)
    }

    pub(super) fn leave(&mut self, slot: usize, at: Instant) {
        let sequence = self.next();
        let place = &mut self.slots[slot];
        place.left = Some(Left { sequence, at });
        if let Entry::Occupied(mut times) = self.times.entry(place.member) {
            *times.get_mut() -= 1;
            if *times.get() == 0 {
                times.remove();
            }
        }
        self.left.push_back(slot);
        self.present -= 1;
    }

    /// How many members there are without this one.
    pub(super) fn others_than(&self, member: Member) -> u64 {
        self.present - self.times.get(&member).copied().unwrap_or_default()
    }

    /// How many slots there are, which is how many bits a message needs.
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The sequence of a message that is published now.
    pub(super) fn publish(&mut self) -> u64 {
        let sequence = self.next();
        self.open.push_back(sequence);
        sequence
    }

    /// Closes a message that is out of its shard, the oldest one of the room, and tells what became of those in `missing`,
    /// the slots that have not received it. Who left after its deadline had stayed long enough; before the deadline nothing
    /// is lost yet.
    pub(super) fn settle(
        &mut self,
        message: SettledMessage,
        missing: impl Iterator<Item = usize>,
        now: Instant,
    ) -> Settled {
        let SettledMessage {
            sequence: published,
            sender,
            deadline,
        } = message;
        let mut settled = Settled::default();
        for slot in missing {
            let Some(place) = self.slots.get(slot) else {
                break;
            };
            let stayed = place.left.is_none_or(|left| left.sequence > published);
            let is_expected = place.joined < published && place.member != sender;
            if !(stayed && is_expected) {
                continue;
            }
            let until = place.left.map_or(now, |left| left.at);
            if until > deadline {
                settled.lost += 1;
            } else {
                settled.excused += 1;
            }
        }
        // Messages are queued, and so settled, in the order of their sequence.
        self.open.pop_front();
        settled
    }

    /// Whether nobody is in the room and no message is open.
    pub(super) fn is_empty(&self) -> bool {
        self.present == 0 && self.open.is_empty()
    }

    fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

impl Settled {
    pub(super) fn add(&mut self, more: Self) {
        self.lost += more.lost;
        self.excused += more.excused;
    }
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Room({})", self.name)
    }
}
