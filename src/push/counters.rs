use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use crate::event::{PushFigures, PushLoss};

/// [`PushFigures`] while they change.
#[derive(Debug, Default)]
pub(super) struct PushCounters {
    written: AtomicU64,
    lost: [AtomicU64; PushLoss::ALL.len()],
    retries: AtomicU64,
    /// Why the latest batch was not taken at once, in words.
    trouble: Mutex<Option<String>>,
}

impl PushCounters {
    pub(super) fn write(&self, samples: u64) {
        self.written.fetch_add(samples, Ordering::Relaxed);
    }

    pub(super) fn lose(&self, reason: PushLoss, samples: u64) {
        let counters = PushLoss::ALL.iter().zip(&self.lost);
        for (_, counter) in counters.filter(|(known, _)| **known == reason) {
            counter.fetch_add(samples, Ordering::Relaxed);
        }
    }

    pub(super) fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_trouble(&self, why: &str) {
        // Held for an assignment only.
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
    }

    pub(super) fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Without how long samples have waited.
    pub(super) fn now(&self) -> PushFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PushFigures {
            written: read(&self.written),
            lost: self.lost.each_ref().map(read),
            retries: read(&self.retries),
            ..PushFigures::default()
        }
    }
}
