//! The queue to the thread that writes.

use std::{
    sync::{Arc, mpsc::sync_channel},
    time::Duration,
};

use tokio::sync::Semaphore;

use super::kept;
use crate::{
    history::{
        figures::HistoryCounters,
        recorder::{MOST_QUEUED, hand},
        write::Write,
    },
    runner::{RunRecord, RunReport},
};

/// The record of a run that takes about so many bytes.
fn end(bytes: u32) -> Write {
    let buckets = u64::from(bytes) / 16;
    let histogram = (0..buckets).map(|micros| (Duration::from_micros(micros), 1));
    Write::Ended(Box::new(RunRecord {
        chat_duration: histogram.collect(),
        ..kept("1")
    }))
}

#[test]
fn entries_that_wait_for_the_disk_are_bounded_in_bytes_and_none_is_lost() {
    let (queue, entries) = sync_channel(1_024);
    let memory = Arc::new(Semaphore::new(MOST_QUEUED as usize));
    let figures = HistoryCounters::default();
    let offer = |write| hand(&queue, &memory, &figures, write);
    assert!(offer(end(MOST_QUEUED / 4)).is_ok());
    assert!(offer(end(MOST_QUEUED / 2)).is_ok());
    let back = offer(end(MOST_QUEUED / 2));
    assert!(matches!(back, Err(Write::Ended(_))), "it does not fit");
    assert!(offer(Write::Tidy).is_ok(), "that takes nothing");
    // Even what is larger than all that may wait is written, on its own.
    let back = offer(end(2 * MOST_QUEUED)).unwrap_err();
    drop((entries.recv(), entries.recv()));
    assert!(offer(back).is_ok());
    let begun = Write::Begun(Arc::new(kept("2").report));
    assert!(matches!(offer(begun), Err(Write::Begun(_))));
    drop((entries.recv(), entries.recv()));
    assert_eq!(memory.available_permits(), MOST_QUEUED as usize);
    assert_eq!(figures.now().lost, 0);
}

#[test]
fn a_report_counts_with_its_lists() {
    let mut report = kept("1").report;
    let size = |report: &RunReport| Write::Begun(Arc::new(report.clone())).size();
    let before = size(&report);
    report.warnings = vec!["x".repeat(10_000)];
    assert_eq!(size(&report), before + 10_000);
}
