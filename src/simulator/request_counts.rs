//! How the requests to a simulator ended, counted by their kinds.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RequestOutcome {
    Status(u16),
    /// The connection was reset on purpose.
    Reset,
    /// The client went away before the answer.
    Abandoned,
}

impl std::fmt::Display for RequestOutcome {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(to, "{status}"),
            Self::Reset => to.write_str("reset"),
            Self::Abandoned => to.write_str("abandoned"),
        }
    }
}

/// Requests of the kinds `K` by how they ended, since the start or the last reset.
#[derive(Debug)]
pub(super) struct RequestCounts<K> {
    counts: Mutex<BTreeMap<(K, RequestOutcome), u64>>,
}

impl<K> Default for RequestCounts<K> {
    fn default() -> Self {
        Self {
            counts: Mutex::new(BTreeMap::new()),
        }
    }
}

impl<K: Copy + Ord> RequestCounts<K> {
    /// Every change leaves the counts whole, so a panic elsewhere has not torn them.
    fn counts(&self) -> MutexGuard<'_, BTreeMap<(K, RequestOutcome), u64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the entry of a request; dropped unanswered, it counts as abandoned.
    pub fn open(&self, kind: K) -> RequestEntry<'_, K> {
        RequestEntry {
            counts: self,
            kind,
            outcome: RequestOutcome::Abandoned,
        }
    }

    /// By kind, then by status, `reset` or `abandoned`.
    pub fn by_kind(&self) -> BTreeMap<K, BTreeMap<String, u64>> {
        let mut by_kind: BTreeMap<K, BTreeMap<String, u64>> = BTreeMap::new();
        for ((kind, outcome), count) in self.counts().iter() {
            let of_kind = by_kind.entry(*kind).or_default();
            of_kind.insert(outcome.to_string(), *count);
        }
        by_kind
    }

    /// Starts to count anew.
    pub fn reset(&self) {
        self.counts().clear();
    }
}

/// The entry of one request; see [`RequestCounts::open`].
pub(super) struct RequestEntry<'a, K: Copy + Ord> {
    counts: &'a RequestCounts<K>,
    kind: K,
    outcome: RequestOutcome,
}

impl<K: Copy + Ord> RequestEntry<'_, K> {
    pub fn close(mut self, outcome: RequestOutcome) {
        self.outcome = outcome;
    }
}

impl<K: Copy + Ord> Drop for RequestEntry<'_, K> {
    fn drop(&mut self) {
        let key = (self.kind, self.outcome);
        *self.counts.counts().entry(key).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_an_answer_was_abandoned() {
        let counts = RequestCounts::default();
        drop(counts.open(1));
        counts.open(1).close(RequestOutcome::Status(200));
        counts.open(2).close(RequestOutcome::Reset);
        let expected = BTreeMap::from([("200".to_owned(), 1), ("abandoned".to_owned(), 1)]);
        assert_eq!(counts.by_kind()[&1], expected);
        counts.reset();
        assert!(counts.by_kind().is_empty());
    }
}
