use std::{
    fmt::Display,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use super::write_time::{SLOW, WriteTime};
use crate::{event::HistoryFigures, line_budget::LineBudget};

/// [`HistoryFigures`] while they change.
#[derive(Debug, Default)]
pub(super) struct HistoryCounters {
    pub(super) written: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) set_aside: AtomicU64,
    pub(super) tidy_failed: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) broken: AtomicBool,
    pub(super) reads_given_up: AtomicU64,
    /// Files that were opened since the process began: another one does not have what the last one had.
    pub(super) opened: AtomicU64,
    pub(super) write_time: WriteTime,
    unreadable: AtomicU64,
    /// Lines of the log about rows that cannot be read.
    lines: Mutex<LineBudget>,
}

impl HistoryCounters {
    pub(super) fn lose(&self, rows: u64) {
        self.lost.fetch_add(rows, Ordering::Relaxed);
    }

    /// A row is left out because it cannot be read.
    pub(super) fn leave_out(&self, table: &str, row: &str, error: &dyn Display) {
        self.unreadable.fetch_add(1, Ordering::Relaxed);
        // A budget that is whole after every statement.
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(untold) = lines.admit() {
            tracing::warn!(
                table,
                row,
                untold,
                "a row of the history cannot be read and is left out: {error}"
            );
        }
    }

    /// Tells of a write that takes too long, while it does.
    pub(super) fn watch_write(&self, directory: &Path) {
        if let Some(taken) = self.write_time.look() {
            tracing::error!(
                "a write to the history in `{}` has taken {} s and has not ended: the disk hangs or is too slow. Runs go on, and what is to be written waits in memory; see chatprobe_history_write_seconds",
                directory.display(),
                taken.as_secs()
            );
        }
    }

    pub(super) fn now(&self) -> HistoryFigures {
        let write = self.write_time.in_progress();
        HistoryFigures {
            written: self.written.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            set_aside: self.set_aside.load(Ordering::Relaxed),
            tidy_failed: self.tidy_failed.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            broken: self.broken.load(Ordering::Relaxed) || write >= SLOW,
            slow_writes: self.write_time.slow_writes(),
            write,
            unreadable: self.unreadable.load(Ordering::Relaxed),
            reads_given_up: self.reads_given_up.load(Ordering::Relaxed),
        }
    }
}
