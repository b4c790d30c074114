use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::event::HistoryFigures;

/// [`HistoryFigures`] while they change.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) written: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) set_aside: AtomicU64,
    pub(super) tidy_failed: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) broken: AtomicBool,
    /// There has been a file since the process began.
    pub(super) made: AtomicBool,
}

impl Figures {
    pub(super) fn lose(&self, rows: u64) {
        self.lost.fetch_add(rows, Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> HistoryFigures {
        HistoryFigures {
            written: self.written.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            set_aside: self.set_aside.load(Ordering::Relaxed),
            tidy_failed: self.tidy_failed.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            broken: self.broken.load(Ordering::Relaxed),
        }
    }
}
