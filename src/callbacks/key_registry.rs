use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use tokio::time::Instant;

use super::known_ids::KnownIds;
use crate::{
    config::CallbackLimits,
    event::Fate,
    inbox::{EventSender, IdSpread, IdUse, Incoming, Owner},
};

/// Why a key could not be claimed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("another chat holds the key `{0}`: the target gave the same one to two chats at a time")]
pub struct ClaimError(String);

/// The keys of one scenario against one target: who holds them, who held them, and the events that
/// came before anybody did.
#[derive(Debug)]
pub(super) struct KeyRegistry {
    limits: CallbackLimits,
    state: Mutex<State>,
    /// Chats so far.
    chats: AtomicU64,
    /// Runs so far.
    runs: AtomicU32,
    /// Whether an id came that does not identify its event.
    ids_repeat: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// The runs that are not over, in the order in which they began.
    open: Vec<Arc<Owner>>,
    holders: HashMap<String, Holder>,
    /// Keys in the order in which their chats ended.
    ended: VecDeque<(Instant, String)>,
    /// By key, in the order of arrival. No list is empty.
    early: HashMap<String, VecDeque<Early>>,
    /// Keys of early events in the order of arrival; an entry whose event is gone is skipped.
    early_order: VecDeque<(Instant, u64, String)>,
    early_events: usize,
    early_bytes: usize,
    next_early: u64,
    ids: KnownIds,
}

#[derive(Debug)]
enum Holder {
    Chat(EventSender),
    /// The chat has ended, at this moment.
    Ended(Arc<Owner>, Instant),
}

#[derive(Debug)]
struct Early {
    number: u64,
    /// The run for which it counts: that of its path, or its successor.
    owner: Arc<Owner>,
    incoming: Incoming,
}

impl Early {
    fn bytes(&self) -> usize {
        self.incoming.inbound.bytes
    }
}

impl KeyRegistry {
    pub(super) fn new(limits: CallbackLimits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
            chats: AtomicU64::new(0),
            runs: AtomicU32::new(0),
            ids_repeat: AtomicBool::new(false),
        }
    }

    /// The number of a chat that begins.
    pub(super) fn next_chat(&self) -> u64 {
        self.chats.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The number of a run that begins.
    pub(super) fn next_run(&self) -> u32 {
        self.runs.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether events came whose ids do not identify them.
    pub(super) fn ids_repeat(&self) -> bool {
        self.ids_repeat.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while it is held would be a bug; the maps are still usable after one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run begins.
    pub(super) fn open(&self, owner: &Arc<Owner>) {
        self.state().open.push(owner.clone());
    }

    /// Gives the key to a chat, with the events that are there for it.
    pub(super) fn claim(&self, key: &str, sender: &EventSender) -> Result<(), ClaimError> {
        let mut state = self.state();
        if matches!(state.holders.get(key), Some(Holder::Chat(_))) {
            return Err(ClaimError(key.to_owned()));
        }
        let owner = sender.owner();
        state
            .holders
            .insert(key.to_owned(), Holder::Chat(sender.clone()));
        // Under the lock, so that later events of the key come behind them.
        for early in state.early.remove(key).unwrap_or_default() {
            state.early_events -= 1;
            state.early_bytes -= early.bytes();
            let incoming = early.incoming;
            if !Arc::ptr_eq(&early.owner, owner) {
                early.owner.reroute(owner, &incoming.through);
            }
            let spread = state.spread(&incoming, sender);
            let id_use = sender.send_early(incoming, spread);
            self.note(id_use, spread, owner);
        }
        Ok(())
    }

    /// Notes what an event showed about the ids of the scenario and the target.
    fn note(&self, id_use: IdUse, spread: IdSpread, owner: &Owner) {
        if id_use == IdUse::Repeats && !self.ids_repeat.swap(true, Ordering::Relaxed) {
            owner.warn_of_ids(spread);
        }
    }

    /// The chat has ended: what comes now for its keys is late.
    pub(super) fn release(&self, keys: &[String], owner: &Arc<Owner>) {
        let now = Instant::now();
        let mut state = self.state();
        for key in keys {
            state
                .holders
                .insert(key.clone(), Holder::Ended(owner.clone(), now));
            state.ended.push_back((now, key.clone()));
        }
        state.forget(now, &self.limits);
    }

    /// Sends an event to the chat that it is for, or keeps it for the one that will claim its key.
    pub(super) fn deliver(&self, key: String, incoming: Incoming) {
        let mut state = self.state();
        match state.holders.get(&key) {
            Some(Holder::Chat(sender)) => {
                let sender = sender.clone();
                let spread = state.spread(&incoming, &sender);
                drop(state);
                let id_use = sender.send(incoming, spread);
                self.note(id_use, spread, sender.owner());
            }
            Some(Holder::Ended(owner, _)) => {
                owner.pass(&incoming.through, Fate::Late);
            }
            None => {
                incoming.through.received(&incoming.through);
                state.keep(key, incoming);
                state.expire(Instant::now(), &self.limits);
            }
        }
    }

    /// Gives up what has waited too long.
    pub(super) fn sweep(&self, now: Instant) {
        let mut state = self.state();
        state.expire(now, &self.limits);
        state.forget(now, &self.limits);
    }

    #[cfg(test)]
    pub(super) fn order_length(&self) -> usize {
        self.state().early_order.len()
    }

    /// Whether it knows of no key at all.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.state();
        // What was found out about its ids is not to be found out, and told, again.
        state.holders.is_empty() && state.early.is_empty() && !self.ids_repeat()
    }

    /// The run is over: no chat of it will claim what waits here. A chat of another run may, where
    /// the server knows one callback address only; so the events go to the run that began last.
    pub(super) fn close(&self, owner: &Arc<Owner>) {
        let mut state = self.state();
        state.open.retain(|open| !Arc::ptr_eq(open, owner));
        match state.open.last().cloned() {
            Some(successor) => state.reassign(owner, &successor),
            None => state.give_up(owner),
        }
        owner.close();
    }
}

impl State {
    /// For how many chats the id of an event came, this one included.
    fn spread(&mut self, incoming: &Incoming, sender: &EventSender) -> IdSpread {
        let identity = incoming.identity.as_ref();
        identity.map_or(IdSpread::OneChat, |identity| {
            self.ids.note(identity, sender.chat())
        })
    }

    fn keep(&mut self, key: String, incoming: Incoming) {
        let number = self.next_early;
        self.next_early += 1;
        self.early_events += 1;
        self.early_bytes += incoming.inbound.bytes;
        self.early_order
            .push_back((incoming.inbound.arrived, number, key.clone()));
        self.early.entry(key).or_default().push_back(Early {
            number,
            owner: incoming.through.clone(),
            incoming,
        });
        self.forget_claimed();
    }

    /// Keeps the order of arrival about as long as what it orders.
    fn forget_claimed(&mut self) {
        if self.early_order.len() <= 2 * self.early_events + 64 {
            return;
        }
        let early = &self.early;
        self.early_order.retain(|(_, number, key)| {
            let list = early.get(key);
            list.is_some_and(|list| {
                list.binary_search_by_key(number, |early| early.number)
                    .is_ok()
            })
        });
    }

    fn reassign(&mut self, owner: &Arc<Owner>, successor: &Arc<Owner>) {
        for early in self.early.values_mut().flatten() {
            if Arc::ptr_eq(&early.owner, owner) {
                owner.reroute(successor, &early.incoming.through);
                early.owner = successor.clone();
            }
        }
    }

    fn give_up(&mut self, owner: &Arc<Owner>) {
        let (events, bytes) = (&mut self.early_events, &mut self.early_bytes);
        self.early.retain(|_, list| {
            list.retain(|early| {
                let stays = !Arc::ptr_eq(&early.owner, owner);
                if !stays {
                    *events -= 1;
                    *bytes -= early.bytes();
                    owner.settle(Fate::EarlyExpired);
                }
                stays
            });
            !list.is_empty()
        });
    }

    fn expire(&mut self, now: Instant, limits: &CallbackLimits) {
        while let Some((arrived, number, key)) = self.early_order.front() {
            // Numbers rise along both, so the event of this entry is the first of its key or gone.
            let list = self.early.get_mut(key);
            let list =
                list.filter(|list| list.front().is_some_and(|first| first.number == *number));
            let Some(list) = list else {
                self.early_order.pop_front();
                continue;
            };
            let too_much =
                self.early_events > limits.early_events || self.early_bytes > limits.early_bytes;
            if !too_much && now.saturating_duration_since(*arrived) < limits.early_for {
                return;
            }
            let expired = list.pop_front();
            if list.is_empty() {
                self.early.remove(key);
            }
            self.early_order.pop_front();
            if let Some(early) = expired {
                self.early_events -= 1;
                self.early_bytes -= early.bytes();
                early.owner.settle(Fate::EarlyExpired);
            }
        }
    }

    fn forget(&mut self, now: Instant, limits: &CallbackLimits) {
        while let Some((ended, key)) = self.ended.front() {
            let too_many = self.ended.len() > limits.remember_keys;
            if !too_many && now.saturating_duration_since(*ended) < limits.remember_for {
                return;
            }
            // A chat that claimed the key since then, or ended with it later, stays.
            if matches!(self.holders.get(key), Some(Holder::Ended(_, at)) if at == ended) {
                self.holders.remove(key);
            }
            self.ended.pop_front();
        }
    }
}
