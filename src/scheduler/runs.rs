use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::records::Records;
use crate::{
    event::{Mode, Verdict},
    runner::{RunHandle, RunRecord, RunReport, RunState},
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
    /// A run that has ended is over, even before it stands with the ended ones.
    pub fn of(handle: &RunHandle) -> Self {
        if handle.has_ended() {
            Self::Ended(Arc::new(handle.report()))
        } else {
            Self::Active(handle.clone())
        }
    }

    /// The id of the run.
    pub fn id(&self) -> &str {
        match self {
            Self::Active(handle) => handle.id(),
            Self::Ended(report) => &report.id,
        }
    }

    /// How far the run is.
    pub fn state(&self) -> RunState {
        match self {
            Self::Active(handle) => handle.state(),
            Self::Ended(report) => report.state,
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
    /// By id.
    active: BTreeMap<String, Admitted>,
    bursts: VecDeque<Arc<RunReport>>,
    probes: VecDeque<Arc<RunReport>>,
    failed_probes: VecDeque<Arc<RunReport>>,
    burst_records: Records,
    probe_records: Records,
}

/// A run in progress.
#[derive(Debug)]
struct Admitted {
    handle: RunHandle,
    /// The most chats at once that it may have, as far as that is settled.
    settled: u64,
    /// What orders ask for that it has not answered yet.
    asked: Vec<u64>,
}

impl Admitted {
    /// What no other run may take, whatever it answers: nothing once it has ended, even before its report is made.
    fn reserved(&self) -> u64 {
        if self.handle.has_ended() {
            return 0;
        }
        self.asked.iter().copied().fold(self.settled, u64::max)
    }
}

impl State {
    /// What the bursts in progress may have at once, all together.
    fn reserved(&self) -> u64 {
        self.active.values().map(Admitted::reserved).sum()
    }

    /// The same without one of them.
    fn reserved_besides(&self, id: &str) -> u64 {
        let others = self.active.iter().filter(|(other, _)| *other != id);
        others.map(|(_, run)| run.reserved()).sum()
    }
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
    /// exceed `cap`; then the sum so far is returned. `start` is called only if there is capacity.
    pub(super) fn admit(
        &self,
        peak: u64,
        cap: u64,
        start: impl FnOnce() -> RunHandle,
    ) -> Result<RunHandle, u64> {
        let mut state = self.state();
        let reserved = state.reserved();
        if reserved.saturating_add(peak) > cap {
            return Err(reserved);
        }
        let handle = start();
        let run = Admitted {
            handle: handle.clone(),
            settled: peak,
            asked: Vec::new(),
        };
        state.active.insert(handle.id().to_owned(), run);
        Ok(handle)
    }

    /// What the bursts in progress may have at once, all together.
    pub(super) fn reserved(&self) -> u64 {
        self.state().reserved()
    }

    /// Reserves capacity for up to `wanted` chats at once of a run that is asked to have so many, unless the sum over
    /// all bursts would exceed `cap`; then the sum of the others is returned. What the run answers has to
    /// be [settled](Self::settle).
    pub(super) fn raise(&self, id: &str, wanted: u64, cap: u64) -> Result<(), u64> {
        let mut state = self.state();
        let others = state.reserved_besides(id);
        let Some(run) = state.active.get_mut(id) else {
            // It has ended, which the order will find.
            return Ok(());
        };
        let own = run.reserved();
        if wanted > own && others.saturating_add(wanted) > cap {
            return Err(others);
        }
        run.asked.push(wanted);
        Ok(())
    }

    /// Notes whether a run has followed. What it may have is never lowered: chats above it may still be in
    /// progress.
    pub(super) fn settle(&self, id: &str, wanted: u64, followed: bool) {
        let mut state = self.state();
        let Some(run) = state.active.get_mut(id) else {
            return;
        };
        if let Some(at) = run.asked.iter().position(|asked| *asked == wanted) {
            run.asked.swap_remove(at);
        }
        if followed {
            run.settled = run.settled.max(wanted);
        }
    }

    /// Moves a run that has ended to the reports.
    pub(super) fn retire(&self, id: &str) {
        let Some(handle) = self.handle(id) else {
            return;
        };
        // Made without a lock that others wait for.
        let mut record = handle.record();
        if record.report.verdict.is_none() {
            record.report.interrupt("its task");
        }
        let record = Arc::new(record);
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
        let (mut by_id, active): (BTreeMap<_, _>, Vec<_>) = {
            let state = self.state();
            let ended = [&state.bursts, &state.probes, &state.failed_probes]
                .into_iter()
                .flatten()
                .map(|report| (report.id.clone(), RunEntry::Ended(report.clone())));
            let active = state.active.values().map(|run| run.handle.clone());
            (ended.collect(), active.collect())
        };
        // Reports are made without a lock that others wait for.
        by_id.extend(
            active
                .iter()
                .map(|run: &RunHandle| (run.id().to_owned(), RunEntry::of(run))),
        );
        by_id.into_values().rev().collect()
    }

    pub(super) fn find(&self, id: &str) -> Option<RunEntry> {
        if let Some(handle) = self.handle(id) {
            return Some(RunEntry::of(&handle));
        }
        let state = self.state();
        [&state.bursts, &state.probes, &state.failed_probes]
            .into_iter()
            .flatten()
            .find(|report| report.id == id)
            .map(|report| RunEntry::Ended(report.clone()))
    }

    /// Of a run that does not stand with the ended ones yet.
    fn handle(&self, id: &str) -> Option<RunHandle> {
        let state = self.state();
        state.active.get(id).map(|run| run.handle.clone())
    }

    pub(super) fn record(&self, id: &str) -> Option<Arc<RunRecord>> {
        if let Some(handle) = self.handle(id) {
            // Made without a lock that others wait for.
            return Some(Arc::new(handle.record()));
        }
        let state = self.state();
        let mut kept = [&state.burst_records, &state.probe_records].into_iter();
        kept.find_map(|records| records.find(id))
    }

    /// Those that have not ended.
    pub(super) fn active(&self) -> Vec<RunHandle> {
        let state = self.state();
        let runs = state.active.values().map(|run| &run.handle);
        runs.filter(|run| !run.has_ended()).cloned().collect()
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

#[cfg(test)]
#[path = "runs_tests.rs"]
mod tests;
