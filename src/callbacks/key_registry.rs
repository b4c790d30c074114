use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use tokio::time::Instant;

use super::{CallbackLimits, early::EarlyEvents, known_ids::KnownIds};
use crate::{
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
    early: EarlyEvents,
    ids: KnownIds,
}

#[derive(Debug)]
enum Holder {
    Chat(EventSender),
    /// The chat has ended, at this moment.
    Ended(Arc<Owner>, Instant),
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
        state
            .holders
            .insert(key.to_owned(), Holder::Chat(sender.clone()));
        let early = state.take_early(key, sender);
        if early.is_empty() {
            return Ok(());
        }
        // With the inbox locked, an event that comes for this key meanwhile waits until these are in; events for other
        // keys do not wait, because the registry is unlocked.
        let intake = sender.intake();
        drop(state);
        if let Some(spread) = intake.send_all(early) {
            self.note(IdUse::Repeats, spread, sender.owner());
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
    pub(super) fn deliver(&self, key: &str, incoming: Incoming) {
        let mut state = self.state();
        match state.holders.get(key) {
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
                state.early.keep(key, incoming);
                state.early.expire(Instant::now(), &self.limits);
            }
        }
    }

    /// Gives up what has waited too long.
    pub(super) fn sweep(&self, now: Instant) {
        let mut state = self.state();
        state.early.expire(now, &self.limits);
        state.forget(now, &self.limits);
    }

    #[cfg(test)]
    pub(super) fn early_events(&self) -> usize {
        self.state().early.len()
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
            Some(successor) => state.early.reassign(owner, &successor),
            None => state.early.give_up(owner),
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

    /// Takes out the events that are there for a key of a chat, in the order of their arrival; those of other runs are
    /// of the chat's run from now on.
    fn take_early(&mut self, key: &str, sender: &EventSender) -> Vec<(Incoming, IdSpread)> {
        let owner = sender.owner();
        let early = self.early.take(key).into_iter();
        let early = early.map(|early| {
            let incoming = early.incoming;
            // Before the lock is released, with which the other run may end.
            if !Arc::ptr_eq(&early.owner, owner) {
                early.owner.reroute(owner, &incoming.through);
            }
            let spread = self.spread(&incoming, sender);
            (incoming, spread)
        });
        early.collect()
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
