//! What waits to be written, bounded in number and bytes.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// Entries that wait at most; a second of a run is one or two.
const MOST_ENTRIES: usize = 10_000;
/// What they may take in memory, in bytes.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The name and labels of a series, as its format writes them.
#[derive(Debug)]
pub(super) struct SeriesHead {
    /// No other series of the process has it.
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
}

/// The value of a series at the moment of its entry.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) head: Arc<SeriesHead>,
    pub(super) value: f64,
}

/// Samples of one moment of a run.
#[derive(Debug)]
pub(super) struct PushEntry {
    pub(super) points: Vec<Point>,
    /// Milliseconds since 1970.
    pub(super) at_ms: u64,
    /// Since when it waits.
    pub(super) since: Instant,
}

/// What waits to be written. Where it is full, the oldest entries fall out: counts of a run add up, so that its latest
/// samples say the most.
#[derive(Debug)]
pub(super) struct PushQueue {
    state: Mutex<State>,
    changed: Notify,
    most_entries: usize,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<PushEntry>,
    bytes: usize,
    /// Samples that were taken and are not settled, and since when the oldest of them waits.
    taken: Option<(u64, Instant)>,
    closed: bool,
}

impl PushEntry {
    pub(super) fn new(points: Vec<Point>, at_ms: u64) -> Self {
        Self {
            points,
            at_ms,
            since: Instant::now(),
        }
    }

    pub(super) fn samples(&self) -> u64 {
        self.points.len() as u64
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.points.capacity() * size_of::<Point>()
    }
}

impl Default for PushQueue {
    fn default() -> Self {
        Self::bounded(MOST_ENTRIES, MOST_BYTES)
    }
}

impl PushQueue {
    pub(super) fn bounded(most_entries: usize, most_bytes: usize) -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            most_entries,
            most_bytes,
        }
    }

    /// Adds an entry; how many samples fell out for it.
    pub(super) fn put(&self, entry: PushEntry) -> u64 {
        let mut state = self.state();
        let size = entry.size();
        if size > self.most_bytes {
            return entry.samples();
        }
        let mut lost = 0;
        while state.waiting.len() >= self.most_entries || state.bytes + size > self.most_bytes {
            let Some(oldest) = state.waiting.pop_front() else {
                break;
            };
            state.bytes -= oldest.size();
            lost += oldest.samples();
        }
        state.bytes += size;
        state.waiting.push_back(entry);
        drop(state);
        self.changed.notify_one();
        lost
    }

    /// Waits for entries and takes the oldest, up to so many samples, but one entry at least. `None` once it is closed
    /// and nothing is left. They count as waiting until [`Self::settle`].
    pub(super) async fn take(&self, most_samples: u64) -> Option<Vec<PushEntry>> {
        loop {
            {
                let mut state = self.state();
                let entries = state.take(most_samples);
                if !entries.is_empty() {
                    return Some(entries);
                }
                if state.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// What was taken is written or lost.
    pub(super) fn settle(&self) {
        self.state().taken = None;
    }

    /// Nothing is added any more.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// How many samples wait, those that were taken included.
    pub(super) fn samples(&self) -> u64 {
        let state = self.state();
        let waiting = state.waiting.iter().map(PushEntry::samples).sum::<u64>();
        waiting + state.taken.map_or(0, |(samples, _)| samples)
    }

    /// How long the oldest of them has waited; zero if none does.
    pub(super) fn behind(&self) -> Duration {
        let state = self.state();
        let waiting = state.waiting.front().map(|entry| entry.since);
        let since = state.taken.map(|(_, since)| since).or(waiting);
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole after every statement that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, most_samples: u64) -> Vec<PushEntry> {
        let mut taken = Vec::new();
        let mut samples = 0;
        while let Some(next) = self.waiting.front() {
            if !taken.is_empty() && samples + next.samples() > most_samples {
                break;
            }
            samples += next.samples();
            self.bytes -= next.size();
            taken.extend(self.waiting.pop_front());
        }
        let oldest = taken.first().map(|entry: &PushEntry| entry.since);
        self.taken = oldest.map(|since| (samples, since));
        taken
    }
}
