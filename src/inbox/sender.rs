use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{IdSpread, IdUse, Inbound, Incoming, Owner, content::Content};
use crate::event::Fate;

/// What an inbox and its senders share.
#[derive(Debug)]
pub(super) struct SharedInbox {
    pub(super) owner: Arc<Owner>,
    pub(super) chat: u64,
    content: Mutex<Content>,
}

impl SharedInbox {
    pub(super) fn new(owner: Arc<Owner>, chat: u64) -> Arc<Self> {
        Arc::new(Self {
            owner,
            chat,
            content: Mutex::default(),
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
        let mut content = self.0.content();
        let id_use = self.put(&mut content, incoming, spread, Receipt::Due);
        wake_waits(content);
        id_use
    }

    /// Sends a frame or the end of a connection. What comes after the inbox was closed is for nobody.
    pub fn send_of_connection(&self, inbound: Inbound) {
        let mut content = self.0.content();
        content.push_of_connection(inbound, self.owner());
        wake_waits(content);
    }

    /// Makes whatever is sent from now on come behind the events that go through the intake.
    pub fn intake(&self) -> Intake<'_> {
        Intake {
            sender: self,
            content: self.0.content(),
        }
    }

    fn put(
        &self,
        content: &mut Content,
        incoming: Incoming,
        spread: IdSpread,
        receipt: Receipt,
    ) -> IdUse {
        let owner = self.owner();
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
        id_use
    }
}

/// The way of early events into an inbox, which others wait for.
#[derive(Debug)]
pub struct Intake<'a> {
    sender: &'a EventSender,
    content: MutexGuard<'a, Content>,
}

impl Intake<'_> {
    /// Sends events that the run of the chat has as received: they came before anybody knew whose they are. The
    /// spread of the first of them whose id does not identify it.
    pub fn send_all(
        mut self,
        early: impl IntoIterator<Item = (Incoming, IdSpread)>,
    ) -> Option<IdSpread> {
        let mut repeated = None;
        for (incoming, spread) in early {
            let receipt = Receipt::Recorded;
            let id_use = self
                .sender
                .put(&mut self.content, incoming, spread, receipt);
            if id_use == IdUse::Repeats {
                repeated.get_or_insert(spread);
            }
        }
        wake_waits(self.content);
        repeated
    }
}

/// Lets the waits look at what has come.
fn wake_waits(mut content: MutexGuard<'_, Content>) {
    let waiters = mem::take(content.waiters());
    drop(content);
    waiters.wake();
}
