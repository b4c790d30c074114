use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{
    member::{Member, MemberPlace, Receipt},
    room::Room,
};

const BITS: usize = u64::BITS as usize;
/// What a message takes besides its id and its bits, in bytes: itself and its entries in the map and the queue, rounded up.
const FIXED_SIZE: usize = 256;

/// A message that members of its room are expected to receive.
pub(super) struct PublishedMessage {
    id: Arc<str>,
    room: Arc<Room>,
    sender: Member,
    /// When in the order of the room it was published.
    sequence: u64,
    published_at: Instant,
    /// One bit a slot of the room: who received it.
    received: Box<[AtomicU64]>,
    /// Whether another message with the same id was published while this one was open.
    is_repeated: AtomicBool,
}

impl PublishedMessage {
    /// A message to the members in the first `slots` of a room.
    pub(super) fn new(
        id: &str,
        room: Arc<Room>,
        sender: Member,
        sequence: u64,
        published_at: Instant,
        slots: usize,
    ) -> Self {
        let words = slots.div_ceil(BITS);
        Self {
            id: id.into(),
            room,
            sender,
            sequence,
            published_at,
            received: std::iter::repeat_with(AtomicU64::default)
                .take(words)
                .collect(),
            is_repeated: AtomicBool::new(false),
        }
    }

    /// About what a message to the members in so many slots takes, in bytes.
    pub(super) fn size(slots: usize, id: &str) -> usize {
        FIXED_SIZE + id.len() + slots.div_ceil(BITS) * size_of::<AtomicU64>()
    }

    /// About what it takes, in bytes.
    pub(super) fn own_size(&self) -> usize {
        Self::size(self.received.len() * BITS, &self.id)
    }

    pub(super) fn id(&self) -> &Arc<str> {
        &self.id
    }

    pub(super) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    pub(super) fn sender(&self) -> Member {
        self.sender
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn published_at(&self) -> Instant {
        self.published_at
    }

    /// Notes that another message with its id was published.
    pub(super) fn repeat(&self) {
        self.is_repeated.store(true, Ordering::Relaxed);
    }

    /// A member received it. The caller holds the read lock of its shard.
    pub(super) fn receive(
        &self,
        member: Member,
        place: MemberPlace,
        at: Instant,
        within: Duration,
    ) -> Receipt {
        if member == self.sender {
            return Receipt::Own;
        }
        if place.joined > self.sequence {
            return Receipt::Unknown;
        }
        let latency = at.saturating_duration_since(self.published_at);
        let Some(word) = self.received.get(place.slot / BITS) else {
            return Receipt::Unknown;
        };
        let bit = 1 << (place.slot % BITS);
        if latency > within {
            let is_first = word.load(Ordering::Relaxed) & bit == 0;
            return if is_first {
                Receipt::Late
            } else {
                self.again()
            };
        }
        // The lock of the shard orders this before the message is settled.
        let before = word.fetch_or(bit, Ordering::Relaxed);
        if before & bit == 0 {
            Receipt::Delivered(latency)
        } else {
            self.again()
        }
    }

    fn again(&self) -> Receipt {
        if self.is_repeated.load(Ordering::Relaxed) {
            Receipt::Unknown
        } else {
            Receipt::Duplicate
        }
    }

    /// The slots of those who have not received it, expected or not. To be called once it is out of its shard.
    pub(super) fn without_receipt(&self) -> impl Iterator<Item = usize> {
        let words = self.received.iter().enumerate();
        words.flat_map(|(index, word)| {
            let mut missing = !word.load(Ordering::Relaxed);
            std::iter::from_fn(move || {
                let bit = missing.trailing_zeros();
                // Clears the lowest bit that is set.
                missing = missing & missing.checked_sub(1)?;
                Some(index * BITS + bit as usize)
            })
        })
    }
}
