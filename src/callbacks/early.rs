use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use tokio::time::Instant;

use super::CallbackLimits;
use crate::{
    event::Fate,
    inbox::{Incoming, KeptBytes, Owner},
};

/// An event that came before its key was claimed.
#[derive(Debug)]
pub(super) struct Early {
    /// The run for which it counts: that of its path, or its successor.
    pub(super) owner: Arc<Owner>,
    pub(super) incoming: Incoming,
    key: Arc<str>,
}

/// The events whose keys nobody has claimed, bounded in number, bytes and time. Each costs the same however many there
/// are.
#[derive(Debug, Default)]
pub(super) struct EarlyEvents {
    /// By their numbers, which rise in the order of arrival.
    events: BTreeMap<u64, Early>,
    /// The numbers of the events with each key. No list is empty.
    by_key: HashMap<Arc<str>, VecDeque<u64>>,
    bytes: KeptBytes,
    /// Of all keys.
    key_bytes: usize,
    next_number: u64,
}

impl Early {
    /// What is kept of it besides the event and its key, in bytes.
    fn besides(&self) -> usize {
        let identity = self.incoming.identity.as_ref();
        identity.map_or(0, |identity| identity.id.len())
    }
}

impl EarlyEvents {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Keeps an event, which was received for the run of its path.
    pub(super) fn keep(&mut self, key: &str, incoming: Incoming) {
        let number = self.next_number;
        self.next_number += 1;
        let known = self.by_key.get_key_value(key);
        let key = known.map_or_else(|| Arc::from(key), |(known, _)| known.clone());
        let numbers = self.by_key.entry(key.clone()).or_default();
        if numbers.is_empty() {
            self.key_bytes += key.len();
        }
        numbers.push_back(number);
        let owner = incoming.through.clone();
        let early = Early {
            owner,
            incoming,
            key,
        };
        self.bytes.add(&early.incoming.inbound, early.besides());
        self.events.insert(number, early);
    }

    /// Takes the events with a key out, in the order of their arrival.
    pub(super) fn take(&mut self, key: &str) -> Vec<Early> {
        let numbers = self.by_key.remove(key);
        let Some(numbers) = numbers else {
            return Vec::new();
        };
        self.key_bytes -= key.len();
        let mut taken = Vec::with_capacity(numbers.len());
        for early in numbers.iter().filter_map(|at| self.events.remove(at)) {
            self.bytes.remove(&early.incoming.inbound, early.besides());
            taken.push(early);
        }
        taken
    }

    /// Gives up what has waited too long, and the oldest events as long as there are too many.
    pub(super) fn expire(&mut self, now: Instant, limits: &CallbackLimits) {
        while let Some(oldest) = self.events.values().next() {
            let too_much = self.events.len() > limits.early_events
                || self.bytes.total() + self.key_bytes > limits.early_bytes;
            let arrived = oldest.incoming.inbound.arrived;
            if !too_much && now.saturating_duration_since(arrived) < limits.early_for {
                return;
            }
            self.give_up_oldest();
        }
    }

    fn give_up_oldest(&mut self) {
        let Some((_, early)) = self.events.pop_first() else {
            return;
        };
        self.bytes.remove(&early.incoming.inbound, early.besides());
        // Numbers rise along each list, so that of this event is the first of its key.
        if let Some(numbers) = self.by_key.get_mut(&early.key) {
            numbers.pop_front();
            if numbers.is_empty() {
                self.by_key.remove(&early.key);
                self.key_bytes -= early.key.len();
            }
        }
        early.owner.settle(Fate::EarlyExpired);
    }

    /// Gives the events of a run to another one.
    pub(super) fn reassign(&mut self, owner: &Arc<Owner>, successor: &Arc<Owner>) {
        for early in self.events.values_mut() {
            if Arc::ptr_eq(&early.owner, owner) {
                owner.reroute(successor, &early.incoming.through);
                early.owner = successor.clone();
            }
        }
    }

    /// Gives up the events of a run.
    pub(super) fn give_up(&mut self, owner: &Arc<Owner>) {
        let Self {
            events,
            by_key,
            bytes,
            key_bytes,
            ..
        } = self;
        events.retain(|_, early| {
            let stays = !Arc::ptr_eq(&early.owner, owner);
            if !stays {
                bytes.remove(&early.incoming.inbound, early.besides());
                owner.settle(Fate::EarlyExpired);
            }
            stays
        });
        by_key.retain(|key, numbers| {
            numbers.retain(|number| events.contains_key(number));
            if numbers.is_empty() {
                *key_bytes -= key.len();
            }
            !numbers.is_empty()
        });
    }
}
