//! The service's own count of what happened, to hold against what its clients counted.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::Serialize;
use tokio::time::Instant;

use super::faults::BehaviourRequest;
use crate::simulator::request_counts::RequestCounts;

/// What became of behaviours, and how queries were answered. `acknowledged = stored - duplicated + lost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct BehaviourCounts {
    /// Behaviours that were answered 201.
    pub acknowledged: u64,
    /// Records that were written.
    pub stored: u64,
    /// Behaviours that were answered 201 and not written, on purpose.
    pub lost: u64,
    /// Behaviours that were written twice, on purpose.
    pub duplicated: u64,
    /// Records that were deleted because they were too old or too many.
    pub deleted: u64,
    /// Queries that were answered from an earlier state, on purpose.
    pub stale: u64,
    /// Transactions that stored something.
    pub transactions: u64,
}

/// What `GET /stats` of the behaviour service answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BehaviourStats {
    /// Seconds since the start or the last reset.
    pub since_seconds: f64,
    /// By kind, then by status, `reset` or `abandoned`.
    pub requests: BTreeMap<BehaviourRequest, BTreeMap<String, u64>>,
    /// What was counted since then.
    #[serde(flatten)]
    pub counts: BehaviourCounts,
    /// How things stand at this moment.
    pub now: BehaviourCensus,
}

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BehaviourCensus {
    /// Records in the database.
    pub records: u64,
    /// Behaviours that wait to be stored, or are being stored.
    pub waiting_writes: usize,
    /// Queries that wait to be answered, or are being answered.
    pub waiting_queries: usize,
}

#[derive(Debug)]
pub(super) struct BehaviourStatistics {
    pub requests: RequestCounts<BehaviourRequest>,
    sums: Mutex<BehaviourSums>,
    records: AtomicU64,
}

#[derive(Debug)]
struct BehaviourSums {
    since: Instant,
    counts: BehaviourCounts,
}

impl BehaviourStatistics {
    pub fn new() -> Self {
        Self {
            requests: RequestCounts::default(),
            sums: Mutex::new(BehaviourSums {
                since: Instant::now(),
                counts: BehaviourCounts::default(),
            }),
            records: AtomicU64::new(0),
        }
    }

    fn sums(&self) -> MutexGuard<'_, BehaviourSums> {
        // Numbers that are whole after every statement.
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes some counts.
    pub fn count(&self, change: impl FnOnce(&mut BehaviourCounts)) {
        change(&mut self.sums().counts);
    }

    /// Records in the database.
    pub fn set_records(&self, records: u64) {
        self.records.store(records, Ordering::Relaxed);
    }

    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Starts to count anew.
    pub fn reset(&self) {
        self.requests.reset();
        let mut sums = self.sums();
        sums.since = Instant::now();
        sums.counts = BehaviourCounts::default();
    }

    pub fn read(&self, now: BehaviourCensus) -> BehaviourStats {
        let sums = self.sums();
        BehaviourStats {
            since_seconds: sums.since.elapsed().as_secs_f64(),
            requests: self.requests.by_kind(),
            counts: sums.counts,
            now,
        }
    }
}
