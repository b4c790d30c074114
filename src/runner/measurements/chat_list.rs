//! Lists of limited length of what happened to chats.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

/// What happened to chats, in the order of time, and of the numbers of chats at the same time. As entries are kept by
/// that order alone, lists of parts of a run merge into that of all of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ChatList<T>(VecDeque<Entry<T>>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry<T> {
    /// Since the run began.
    at: Duration,
    chat: u64,
    what: T,
}

impl<T> Default for ChatList<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Entry<T> {
    fn key(&self) -> (Duration, u64) {
        (self.at, self.chat)
    }
}

impl<T: Clone> ChatList<T> {
    /// Adds an entry, if it is one of the first `most`.
    pub(super) fn add_first(
        &mut self,
        most: usize,
        at: Duration,
        chat: u64,
        what: impl FnOnce() -> T,
    ) {
        if self.is_behind(most, (at, chat)) {
            return;
        }
        let what = what();
        self.insert(Entry { at, chat, what });
        self.0.truncate(most);
    }

    /// Adds an entry and keeps the last `most`.
    pub(super) fn add_latest(&mut self, most: usize, at: Duration, chat: u64, what: T) {
        self.insert(Entry { at, chat, what });
        if self.0.len() > most {
            self.0.pop_front();
        }
    }

    /// Adds those of another list, and keeps the first `most`.
    pub(super) fn merge_first(&mut self, most: usize, others: &Self) {
        for entry in &others.0 {
            if self.is_behind(most, entry.key()) {
                return;
            }
            self.insert(entry.clone());
            self.0.truncate(most);
        }
    }

    /// Adds those of another list, and keeps the last `most`.
    pub(super) fn merge_latest(&mut self, most: usize, others: &Self) {
        for entry in &others.0 {
            self.add_latest(most, entry.at, entry.chat, entry.what.clone());
        }
    }

    /// All of them in their order.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|entry| &entry.what)
    }

    /// Whether so many come before that moment.
    fn is_behind(&self, most: usize, key: (Duration, u64)) -> bool {
        let last = self.0.back().filter(|_| self.0.len() >= most);
        last.is_some_and(|last| last.key() <= key)
    }

    fn insert(&mut self, entry: Entry<T>) {
        let place = self.0.partition_point(|known| known.key() <= entry.key());
        self.0.insert(place, entry);
    }
}
