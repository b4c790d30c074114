use prometheus::{Counter, Gauge};

use super::{MetricsError, family::Maker, own::float};
use crate::event::HistoryFigures;

/// How the history of runs stands.
pub(super) struct HistorySeries {
    written: Counter,
    lost: Counter,
    set_aside: Counter,
    tidy_failed: Counter,
    size: Gauge,
    broken: Gauge,
    slow_writes: Counter,
    write: Gauge,
    unreadable: Counter,
    reads_given_up: Counter,
}

impl HistorySeries {
    #[rustfmt::skip]
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, MetricsError> {
        Ok(Self {
            written: make.fraction_counter("chatprobe_history_rows_written_total", "Rows of the history that were written.")?,
            lost: make.fraction_counter("chatprobe_history_rows_lost_total", "Rows of the history that could not be written.")?,
            set_aside: make.fraction_counter("chatprobe_history_files_set_aside_total", "Damaged files of the history that were set aside.")?,
            tidy_failed: make.fraction_counter("chatprobe_history_tidy_failures_total", "How often expired rows of the history could not be deleted.")?,
            size: make.gauge("chatprobe_history_size_bytes", "Size of the history's file and its log.")?,
            broken: make.gauge("chatprobe_history_broken", "1 if the latest rows of the history could not be written, or wait for a disk that hangs.")?,
            slow_writes: make.fraction_counter("chatprobe_history_slow_writes_total", "Writes to the history that took longer than 3 s, the one in progress among them.")?,
            write: make.gauge("chatprobe_history_write_seconds", "How long the write to the history that is in progress has taken; 0 if there is none.")?,
            unreadable: make.fraction_counter("chatprobe_history_rows_unreadable_total", "How often a row of the history could not be read and was left out.")?,
            reads_given_up: make.fraction_counter("chatprobe_history_reads_given_up_total", "Readings of the history that were given up because the disk did not answer in time.")?,
        })
    }

    pub(super) fn set(&self, now: &HistoryFigures) {
        for (counter, reading) in [
            (&self.written, now.written),
            (&self.lost, now.lost),
            (&self.set_aside, now.set_aside),
            (&self.tidy_failed, now.tidy_failed),
            (&self.slow_writes, now.slow_writes),
            (&self.unreadable, now.unreadable),
            (&self.reads_given_up, now.reads_given_up),
        ] {
            counter.inc_by((float(reading) - counter.get()).max(0.0));
        }
        self.size.set(float(now.bytes));
        self.write.set(now.write.as_secs_f64());
        self.broken.set(f64::from(u8::from(now.broken)));
    }
}
