use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{IdSpread, IdUse, Incoming, Owner, content::Content};
use crate::event::Fate;

/// What an inbox and its senders share.
#[derive(Debug)]
pub(super) struct SharedInbox {
    pub(super) owner: Arc<Owner>,
    pub(super) chat: u64,
    content: Mutex<Content>,
    /// Wakes the waits.
    pub(super) arrival: Notify,
}

impl SharedInbox {
    pub(super) fn new(owner: Arc<Owner>, chat: u64) -> Arc<Self> {
        Arc::new(Self {
            owner,
            chat,
            content: Mutex::default(),
            arrival: Notify::new(),
        })
    }

    pub(super) fn content(&self) -> MutexGuard<'_, Content> {
        // A panic elsewhere leaves a list of events, which is whole after every statement.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts events into the inbox of a chat. Clones share it; an event that is sent after the inbox was closed is late.
#[derive(Debug, Clone)]
pub struct EventSender(Arc<SharedInbox>);

/// Whether an event was recorded as received before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receipt {
    Due,
    Recorded,
}

impl EventSender {
    pub(super) fn new(shared: Arc<SharedInbox>) -> Self {
        Self(shared)
    }

    /// The run of the chat.
    pub fn owner(&self) -> &Arc<Owner> {
        &self.0.owner
    }

    /// The number of the chat, from one; unique among the chats that an id may have come for.
    pub fn chat(&self) -> u64 {
        self.0.chat
    }

    /// Records an event as received and sends it.
    pub fn send(&self, incoming: Incoming, spread: IdSpread) -> IdUse {
        self.put(incoming, spread, Receipt::Due)
    }

    /// Sends an event that the run of the chat has as received: it came before anybody knew whose it is.
    pub fn send_early(&self, incoming: Incoming, spread: IdSpread) -> IdUse {
        self.put(incoming, spread, Receipt::Recorded)
    }

    fn put(&self, incoming: Incoming, spread: IdSpread, receipt: Receipt) -> IdUse {
        let owner = self.owner();
        let mut content = self.0.content();
        if content.is_closed() {
            match receipt {
                Receipt::Due => owner.pass(&incoming.through, Fate::Late),
                Receipt::Recorded => owner.settle(Fate::Late),
            }
            return IdUse::Identifies;
        }
        // As long as the inbox is open the run is not over, so it hears of the settlement too. That holds until
        // the lock is released.
        if receipt == Receipt::Due {
            owner.received(&incoming.through);
        }
        let id_use = content.push(incoming, spread, owner);
        if id_use == IdUse::Repeats {
            owner.id_repeats();
        }
        drop(content);
        self.0.arrival.notify_waiters();
        id_use
    }
}
