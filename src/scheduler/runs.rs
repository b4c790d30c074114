use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::records::Records;
use crate::{
    event::{Mode, Verdict},
    runner::{RunHandle, RunRecord, RunReport},
};

/// Reports kept of ended bursts, of ended probe runs, and of probe runs that did not pass: each
/// in a ring of its own, so that what happens often does not push out what happens rarely.
pub const KEPT_REPORTS: usize = 100;

/// What the whole records of ended bursts may take; a burst of an hour takes two million bytes or so.
const BURST_BYTES: usize = 64_000_000;
/// The same for probes.
const PROBE_BYTES: usize = 16_000_000;

/// A run that is known.
#[derive(Debug, Clone)]
pub enum RunEntry {
    /// In progress.
    Active(RunHandle),
    /// Over.
    Ended(Arc<RunReport>),
}

impl RunEntry {
    /// The id of the run.
    pub fn id(&self) -> &str {
        match self {
            Self::Active(handle) => handle.id(),
            Self::Ended(report) => &report.id,
        }
    }

    /// The figures as they stand.
    pub fn report(&self) -> Arc<RunReport> {
        match self {
            Self::Active(handle) => Arc::new(handle.report()),
            Self::Ended(report) => report.clone(),
        }
    }
}

/// The runs in progress and the reports of the last ones.
#[derive(Debug, Default)]
pub(super) struct Runs {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// By id, with the most chats at once that each was admitted with.
    active: BTreeMap<String, (RunHandle, u64)>,
    bursts: VecDeque<Arc<RunReport>>,
    probes: VecDeque<Arc<RunReport>>,
    failed_probes: VecDeque<Arc<RunReport>>,
    burst_records: Records,
    probe_records: Records,
}

impl Default for State {
    fn default() -> Self {
        Self {
            active: BTreeMap::new(),
            bursts: VecDeque::new(),
            probes: VecDeque::new(),
            failed_probes: VecDeque::new(),
            burst_records: Records::new(BURST_BYTES),
            probe_records: Records::new(PROBE_BYTES),
        }
    }
}

impl Runs {
    /// Adds a run with the most chats it can have at once, unless the sum over all bursts would
    /// exceed `cap`; then the sum so far is returned. `start` is called only if there is room.
    pub(super) fn admit(
        &self,
        peak: u64,
        cap: u64,
        start: impl FnOnce() -> RunHandle,
    ) -> Result<RunHandle, u64> {
        let mut state = self.state();
        let promised: u64 = state.active.values().map(|(_, peak)| peak).sum();
        if promised.saturating_add(peak) > cap {
            return Err(promised);
        }
        let handle = start();
        state
            .active
            .insert(handle.id().to_owned(), (handle.clone(), peak));
        Ok(handle)
    }

    /// What the bursts in progress may have at once, all together.
    pub(super) fn promised(&self) -> u64 {
        self.state().active.values().map(|(_, peak)| peak).sum()
    }

    /// Lets a run have up to `peak` chats at once, unless the sum over all bursts would exceed
    /// `cap`; then the sum of the others is returned. What it could have is never lowered: chats
    /// above it may still be in progress. Returns what it could have before.
    pub(super) fn raise(&self, id: &str, peak: u64, cap: u64) -> Result<u64, u64> {
        let mut state = self.state();
        let others = state.active.iter().filter(|(other, _)| *other != id);
        let promised: u64 = others.map(|(_, (_, peak))| peak).sum();
        let Some((_, own)) = state.active.get_mut(id) else {
            // It has ended, which the order will find.
            return Ok(0);
        };
        if peak > *own && promised.saturating_add(peak) > cap {
            return Err(promised);
        }
        let raised = peak.max(*own);
        Ok(std::mem::replace(own, raised))
    }

    /// Undoes [`raise`](Self::raise).
    pub(super) fn put_back(&self, id: &str, peak: u64) {
        if let Some((_, own)) = self.state().active.get_mut(id) {
            *own = peak;
        }
    }

    /// Moves a run that has ended to the reports.
    pub(super) fn retire(&self, id: &str) {
        let Some(RunEntry::Active(handle)) = self.find(id) else {
            return;
        };
        // Made without a lock that others wait for.
        let record = Arc::new(handle.record());
        let report = Arc::new(record.report.clone());
        let mut state = self.state();
        state.active.remove(id);
        match report.mode {
            Mode::Burst => state.burst_records.keep(record),
            Mode::Probe => state.probe_records.keep(record),
        }
        let passed = report.verdict == Some(Verdict::Passed);
        match report.mode {
            Mode::Burst => keep(&mut state.bursts, report),
            Mode::Probe if passed => keep(&mut state.probes, report),
            Mode::Probe => keep(&mut state.failed_probes, report),
        }
    }

    /// Everything that is known, the latest first.
    pub(super) fn all(&self) -> Vec<RunEntry> {
        let state = self.state();
        let ended = [&state.bursts, &state.probes, &state.failed_probes]
            .into_iter()
            .flatten()
            .map(|report| (report.id.clone(), RunEntry::Ended(report.clone())));
        let active = state
            .active
            .iter()
            .map(|(id, (handle, _))| (id.clone(), RunEntry::Active(handle.clone())));
        let by_id: BTreeMap<_, _> = ended.chain(active).collect();
        by_id.into_values().rev().collect()
    }

    pub(super) fn find(&self, id: &str) -> Option<RunEntry> {
        let state = self.state();
        if let Some((handle, _)) = state.active.get(id) {
            return Some(RunEntry::Active(handle.clone()));
        }
        [&state.bursts, &state.probes, &state.failed_probes]
            .into_iter()
            .flatten()
            .find(|report| report.id == id)
            .map(|report| RunEntry::Ended(report.clone()))
    }

    pub(super) fn record(&self, id: &str) -> Option<Arc<RunRecord>> {
        if let RunEntry::Active(handle) = self.find(id)? {
            // Made without a lock that others wait for.
            return Some(Arc::new(handle.record()));
        }
        let state = self.state();
        let mut kept = [&state.burst_records, &state.probe_records].into_iter();
        kept.find_map(|records| records.find(id))
    }

    pub(super) fn active(&self) -> Vec<RunHandle> {
        let state = self.state();
        state
            .active
            .values()
            .map(|(handle, _)| handle.clone())
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Lists of reports stay usable whatever happened to a thread that held them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep(ring: &mut VecDeque<Arc<RunReport>>, report: Arc<RunReport>) {
    if ring.len() == KEPT_REPORTS {
        ring.pop_front();
    }
    ring.push_back(report);
}
