use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::launcher::Launcher;
use crate::{
    config::Probe,
    event::{Mode, ServiceEvent, SkipReason, Subject, Trigger},
    runner::RunHandle,
    units::duration,
};

/// Requests for a run that wait for the task.
const REQUESTS: usize = 16;

/// Why a probe was not run when somebody asked for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunRefused {
    /// The configuration has no such probe.
    #[error("there is no probe named `{0}`")]
    Unknown(String),
    /// It never overlaps itself.
    #[error(
        "the probe `{probe}` is running already, and nothing else was started: the run `{run}` goes on; ask again when it has ended"
    )]
    Running {
        /// The probe.
        probe: String,
        /// The run that goes on.
        run: String,
    },
    /// A reload took the probe away while it was asked.
    #[error("the probe `{0}` was just changed by a reload, and nothing was started; ask again")]
    Replaced(String),
    /// The service is ending.
    #[error("the service is shutting down and starts nothing any more")]
    ShuttingDown,
}

/// Somebody who asks for a run.
pub(super) type RunRequest = oneshot::Sender<Result<(), RunRefused>>;

/// A probe with the task that starts its runs.
#[derive(Debug)]
pub(super) struct ProbeTask {
    pub(super) probe: Arc<Probe>,
    pub(super) cancel: CancellationToken,
    paused: AtomicBool,
    requests: mpsc::Sender<RunRequest>,
    latest: Mutex<Option<RunHandle>>,
}

/// A probe as it stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProbeStatus {
    /// The probe.
    pub name: String,
    /// What it runs.
    pub scenario: String,
    /// Against whom.
    pub target: String,
    /// From one start to the next.
    #[serde(serialize_with = "duration::serialize")]
    #[schema(value_type = String)]
    pub every: Duration,
    /// Whether it starts no runs for now.
    pub paused: bool,
    /// Its latest run.
    pub latest_run: Option<String>,
    /// Whether that run is still in progress.
    pub running: bool,
}

impl ProbeTask {
    /// `before`: the task of the same name that this one takes over from. The requests are for
    /// [`Self::keep_probing`].
    pub(super) fn new(
        probe: Arc<Probe>,
        cancel: CancellationToken,
        before: Option<&Self>,
    ) -> (Self, mpsc::Receiver<RunRequest>) {
        let paused = before.is_some_and(|before| before.paused.load(Ordering::Relaxed));
        let (requests, asked) = mpsc::channel(REQUESTS);
        let task = Self {
            probe,
            cancel,
            paused: AtomicBool::new(paused),
            requests,
            latest: Mutex::new(before.and_then(Self::latest)),
        };
        (task, asked)
    }

    pub(super) fn set_paused(&self, paused: bool, launcher: &Launcher) {
        self.paused.store(paused, Ordering::Relaxed);
        self.emit_paused(launcher);
    }

    fn emit_paused(&self, launcher: &Launcher) {
        launcher.observers().emit(&ServiceEvent::ProbePaused {
            subject: self.subject(),
            paused: self.paused.load(Ordering::Relaxed),
        });
    }

    /// Runs the probe besides its interval; the next slot stays where it is. The run has begun when this returns.
    pub(super) async fn run_now(&self) -> Result<(), RunRefused> {
        let (answer, answered) = oneshot::channel();
        let replaced = || RunRefused::Replaced(self.probe.name.to_string());
        self.requests.send(answer).await.map_err(|_| replaced())?;
        answered.await.map_err(|_| replaced())?
    }

    pub(super) fn latest(&self) -> Option<RunHandle> {
        // Held for a clone only.
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.clone()
    }

    pub(super) fn status(&self) -> ProbeStatus {
        let latest = self.latest();
        ProbeStatus {
            name: self.probe.name.to_string(),
            scenario: self.probe.scenario.name.to_string(),
            target: self.probe.target.name.to_string(),
            every: self.probe.every,
            paused: self.paused.load(Ordering::Relaxed),
            running: latest.as_ref().is_some_and(|run| !run.has_ended()),
            latest_run: latest.map(|run| run.id().to_owned()),
        }
    }

    /// Starts a run at once and then one every interval, until it is cancelled. A slot that finds
    /// the last run still going is left out and counted: probes never overlap themselves.
    pub(super) async fn keep_probing(
        self: Arc<Self>,
        launcher: Arc<Launcher>,
        mut requests: mpsc::Receiver<RunRequest>,
    ) {
        // Runs of the probe as it was before a reload, or under another name, come to their end
        // first.
        for run in launcher
            .probes_in_progress(&self.subject())
            .into_iter()
            .chain(self.latest())
        {
            loop {
                tokio::select! {
                    () = self.cancel.cancelled() => return,
                    () = run.ended() => break,
                    // The receiver of the answer may be dropped.
                    Some(request) = requests.recv() => { let _ = request.send(Err(self.running(&run))); }
                }
            }
        }
        self.emit_paused(&launcher);
        let mut slot = Instant::now();
        let mut due = slot;
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return,
                Some(request) = requests.recv() => {
                    // The receiver of the answer may be dropped.
                    let _ = request.send(self.start_asked(&launcher));
                    continue;
                }
                () = sleep_until(due) => {}
            }
            self.take_slot(&launcher);
            slot = next_slot(slot, self.probe.every, Instant::now());
            due = slot + self.probe.jitter.mul_f64(fastrand::f64());
        }
    }

    fn take_slot(&self, launcher: &Launcher) {
        let skipped = if self.in_progress().is_some() {
            Some(SkipReason::Overlap)
        } else if self.paused.load(Ordering::Relaxed) {
            Some(SkipReason::Paused)
        } else {
            None
        };
        if let Some(reason) = skipped {
            launcher.observers().emit(&ServiceEvent::ProbeSkipped {
                subject: self.subject(),
                reason,
            });
            return;
        }
        // A service that is ending starts none, and cancels this task.
        let _ = self.start(launcher, Trigger::Interval);
    }

    fn start_asked(&self, launcher: &Launcher) -> Result<(), RunRefused> {
        match self.in_progress() {
            Some(run) => Err(self.running(&run)),
            None => self.start(launcher, Trigger::Api),
        }
    }

    fn start(&self, launcher: &Launcher, trigger: Trigger) -> Result<(), RunRefused> {
        let run = launcher.start_probe(&self.probe, trigger);
        let started = run.is_some();
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = run;
        started.then_some(()).ok_or(RunRefused::ShuttingDown)
    }

    fn in_progress(&self) -> Option<RunHandle> {
        self.latest().filter(|run| !run.has_ended())
    }

    fn running(&self, run: &RunHandle) -> RunRefused {
        RunRefused::Running {
            probe: self.probe.name.to_string(),
            run: run.id().to_owned(),
        }
    }

    pub(super) fn subject(&self) -> Subject {
        Subject {
            scenario: self.probe.scenario.name.clone(),
            target: self.probe.target.name.clone(),
            mode: Mode::Probe,
        }
    }
}

/// The slot behind this one that is not over yet: after the process was stalled, slots are not
/// made up for, and those that come stay on the grid.
fn next_slot(slot: Instant, every: Duration, now: Instant) -> Instant {
    let next = slot + every;
    if next > now {
        return next;
    }
    let behind = now.saturating_duration_since(next).as_nanos() / every.as_nanos().max(1);
    let slots = u32::try_from(behind + 1).unwrap_or(u32::MAX);
    next + every.saturating_mul(slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slots_stay_on_the_grid_after_a_stall() {
        let start = Instant::now();
        let every = Duration::from_secs(10);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(next_slot(start, every, at(1)), at(10));
        assert_eq!(next_slot(start, every, at(9)), at(10));
        assert_eq!(next_slot(start, every, at(10)), at(20));
        assert_eq!(next_slot(start, every, at(47)), at(50));
    }
}
