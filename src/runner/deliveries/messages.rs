//! The messages that are open, found by their ids and settled in their order.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use smallvec::SmallVec;
use tokio::time::Instant;

use super::{message::PublishedMessage, room::Room};

/// Parts of the map, each with its own lock.
const SHARDS: usize = 16;

/// Messages with this id: one, unless several rooms have the same.
type WithId = SmallVec<[Arc<PublishedMessage>; 1]>;
type Shard = HashMap<Arc<str>, WithId>;

/// All open messages of a run.
pub(super) struct OpenMessages {
    hasher: RandomState,
    shards: [RwLock<Shard>; SHARDS],
    /// In the order of publication; `None` once the run is over.
    queue: Mutex<Option<VecDeque<Arc<PublishedMessage>>>>,
    bytes: AtomicUsize,
    most_bytes: usize,
}

impl OpenMessages {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| RwLock::default()),
            queue: Mutex::new(Some(VecDeque::new())),
            bytes: AtomicUsize::new(0),
            most_bytes,
        }
    }

    /// Takes so many bytes for a message that is to be opened, if they are left.
    pub(super) fn reserve(&self, size: usize) -> bool {
        let add = |bytes: usize| {
            let sum = bytes.saturating_add(size);
            (sum <= self.most_bytes).then_some(sum)
        };
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        self.bytes.fetch_update(set, fetch, add).is_ok()
    }

    /// Adds a message for which bytes were reserved. Whether that was done: it is not once the run is over.
    pub(super) fn open(&self, message: Arc<PublishedMessage>) -> bool {
        let id = message.id();
        let mut shard = self.shard_to_write(id);
        let mut queue = self.queue();
        let Some(queue) = queue.as_mut() else {
            self.release(&message);
            return false;
        };
        shard.entry(id.clone()).or_default().push(message.clone());
        queue.push_back(message);
        true
    }

    /// Whether a message of this room has the id already. If so, it knows from now on that receipts may be of another.
    pub(super) fn repeats(&self, room: &Arc<Room>, id: &str) -> bool {
        self.look_up(room, id, PublishedMessage::repeat).is_some()
    }

    /// Looks at the open message of a room with this id, if there is one. It is not settled meanwhile.
    pub(super) fn look_up<T>(
        &self,
        room: &Arc<Room>,
        id: &str,
        look: impl FnOnce(&PublishedMessage) -> T,
    ) -> Option<T> {
        let shard = self.shard(id).read();
        let shard = shard.unwrap_or_else(PoisonError::into_inner);
        let mut messages = shard.get(id)?.iter();
        let message = messages.find(|message| Arc::ptr_eq(message.room(), room))?;
        Some(look(message))
    }

    /// Takes the next message out that was published no later than this; nobody receives it any more.
    pub(super) fn take_until(&self, published: Instant) -> Option<Arc<PublishedMessage>> {
        let message = {
            let mut queue = self.queue();
            let queue = queue.as_mut()?;
            queue.pop_front_if(|next| next.published_at() <= published)?
        };
        self.remove(&message);
        Some(message)
    }

    /// Takes the queue of all messages, which are to be removed. Nothing is opened any more.
    pub(super) fn close(&self) -> VecDeque<Arc<PublishedMessage>> {
        self.queue().take().unwrap_or_default()
    }

    /// Takes a message out of its shard: nobody receives it any more.
    pub(super) fn remove(&self, message: &Arc<PublishedMessage>) {
        let mut shard = self.shard_to_write(message.id());
        if let Some(with_id) = shard.get_mut(message.id()) {
            with_id.retain(|known| !Arc::ptr_eq(known, message));
            if with_id.is_empty() {
                shard.remove(message.id());
            }
        }
        self.release(message);
    }

    fn release(&self, message: &PublishedMessage) {
        self.bytes.fetch_sub(message.own_size(), Ordering::Relaxed);
    }

    fn shard(&self, id: &str) -> &RwLock<Shard> {
        let hash = self.hasher.hash_one(id);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "any part of a hash will do"
        )]
        let index = hash as usize % SHARDS;
        &self.shards[index]
    }

    fn shard_to_write(&self, id: &str) -> RwLockWriteGuard<'_, Shard> {
        let shard = self.shard(id).write();
        // Whole after every statement, so a panic elsewhere does not spoil it.
        shard.unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, Option<VecDeque<Arc<PublishedMessage>>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}
