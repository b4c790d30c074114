//! A run second by second.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Batch, BatchFigures, Histogram, RunReport, batches::Batches, latencies::Latencies,
    pacing::Wanted, window::Outcomes,
};
use crate::{
    event::{Ending, Fate, RunEvent},
    scenario::Reason,
    vitals::Load,
};

/// Samples that are kept: four hours. Older ones are gone from memory.
const KEPT: usize = 4 * 3600;
/// Seconds whose histograms are kept, for whoever asks a few times a second.
const KEPT_WHOLE: usize = 30;
/// What a sample takes at least, except the last one of a run: a rate over less spikes with every chat.
const LEAST: Duration = Duration::from_millis(500);

/// What happened in one second of a run; in more than one, if the generator could not look in time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sample {
    /// When it ended, in seconds since the run began.
    pub at: f64,
    /// How long it was, in seconds: counts divided by it are rates.
    pub seconds: f64,
    /// Chats that the load profile wanted to begin in it; null for one that says how many there
    /// are at a time.
    pub due: Option<u64>,
    /// Customers that the load profile wanted at its end; null for one that says when chats begin.
    pub customers: Option<u64>,
    /// Chats that began in it.
    pub started: u64,
    /// Chats that passed in it.
    pub passed: u64,
    /// Chats that failed in it.
    pub failed: u64,
    /// The failed ones by reason; left out if none failed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, u64>)]
    pub failed_by_reason: BTreeMap<Reason, u64>,
    /// Chats that were stopped in it.
    pub stopped: u64,
    /// Chats that were due in it and found no room.
    pub dropped: u64,
    /// Chats in progress at its end.
    pub in_progress: u64,
    /// Events received in it.
    pub received: u64,
    /// Events of which was decided in it what became of them, whenever they were received; left out if
    /// there were none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, u64>)]
    pub by_fate: BTreeMap<Fate, u64>,
    /// How late chats started, 99th percentile, in seconds.
    pub start_late: Option<f64>,
    /// How late requests were sent, 99th percentile, in seconds.
    pub sent_late: Option<f64>,
    /// The steps, in the order in which the report has them.
    pub steps: Vec<StepSample>,
    /// The machine, if it was looked at.
    pub machine: Option<MachineSample>,
}

/// One step in one second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepSample {
    /// How often it passed.
    pub passed: u64,
    /// How often it failed.
    pub failed: u64,
    /// The failures by reason; left out if there were none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, u64>)]
    pub failed_by_reason: BTreeMap<Reason, u64>,
    /// How often it was cut short because the run was stopped.
    #[serde(default)]
    pub stopped: u64,
    /// The median of those that passed, in seconds.
    pub p50: Option<f64>,
    /// 95 of 100 that passed were as quick, in seconds.
    pub p95: Option<f64>,
    /// The slowest that passed, in seconds.
    pub max: Option<f64>,
}

/// The process and its host in one second; null where the kernel does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MachineSample {
    /// CPUs that the process kept busy in its own code.
    pub cpu_user: f64,
    /// CPUs that the kernel kept busy for it.
    pub cpu_system: f64,
    /// CPUs that it wanted besides and waited for.
    pub cpus_missing: Option<f64>,
    /// The share of the host's CPUs that was busy, 0 to 1.
    pub host_busy: Option<f64>,
    /// Memory of the process in RAM.
    pub memory_bytes: Option<u64>,
    /// Files that it had open, sockets among them.
    pub files: Option<u64>,
}

/// One second of a run with its histograms.
#[derive(Debug, Clone)]
pub struct WholeSecond {
    /// Its figures.
    pub sample: Arc<Sample>,
    /// What ended in it; `None` if it was not asked for within half a minute.
    pub batch: Option<Arc<Batch>>,
}

/// Seconds of a run that are over, and how the run stood behind the last of all its seconds so far.
#[derive(Debug, Clone)]
pub struct WholeSeconds {
    /// The seconds from the one that was asked for on.
    pub seconds: Vec<WholeSecond>,
    /// The number of the next one.
    pub next: u64,
    /// The report as it was when the second before `next` ended, to which all seconds add up; without the lists of
    /// failures and of chats that may be open.
    pub report: Arc<RunReport>,
}

/// The samples of a run in progress, and what has happened since the last.
#[derive(Debug)]
pub(super) struct Timeline {
    begun: Duration,
    second: Second,
    /// The number of the first sample that is kept.
    first: u64,
    samples: VecDeque<Arc<Sample>>,
    /// What ended in the last of these seconds.
    whole: VecDeque<Arc<Batch>>,
    batches: Batches,
    /// Chats that were due before the second began.
    due: u64,
}

#[derive(Debug)]
struct Second {
    counts: Sample,
    chats: Outcomes,
    start_late: Latencies,
    sent_late: Latencies,
    steps: Vec<Outcomes>,
}

impl Second {
    fn new(steps: usize) -> Self {
        Self {
            counts: Sample::default(),
            chats: Outcomes::new(),
            start_late: Latencies::new(),
            sent_late: Latencies::new(),
            steps: (0..steps).map(|_| Outcomes::new()).collect(),
        }
    }

    fn batch(&self, length: Duration) -> Batch {
        let figures = |outcomes: &Outcomes| BatchFigures {
            latency: Histogram::from(&outcomes.latency),
            failed: outcomes.failed(),
        };
        Batch {
            seconds: length.as_secs_f64(),
            chats: figures(&self.chats),
            steps: self.steps.iter().map(figures).collect(),
        }
    }
}

impl Timeline {
    /// Of a run with so many steps.
    pub(super) fn new(steps: usize) -> Self {
        Self {
            second: Second::new(steps),
            begun: Duration::ZERO,
            first: 0,
            samples: VecDeque::new(),
            whole: VecDeque::new(),
            batches: Batches::default(),
            due: 0,
        }
    }

    pub(super) fn observe(&mut self, event: &RunEvent) {
        let counts = &mut self.second.counts;
        match event {
            RunEvent::ChatStarted { lateness, .. } => {
                counts.started += 1;
                self.second.start_late.record(*lateness);
            }
            RunEvent::ChatEnded {
                ending, duration, ..
            } => match ending {
                Ending::Passed => {
                    counts.passed += 1;
                    self.second.chats.pass(*duration);
                }
                Ending::Failed(failure) => {
                    counts.failed += 1;
                    self.second.chats.fail(failure.reason);
                }
                Ending::Stopped => counts.stopped += 1,
            },
            RunEvent::ArrivalDropped => counts.dropped += 1,
            RunEvent::CallbackReceived { .. } => counts.received += 1,
            RunEvent::CallbackSettled(fate) => *counts.by_fate.entry(*fate).or_default() += 1,
            RunEvent::StepEnded {
                step,
                sent,
                outcome,
                ..
            } => {
                if let Some(sent) = sent {
                    self.second.sent_late.record(sent.late);
                }
                if let Some(outcomes) = self.second.steps.get_mut(step.index()) {
                    outcomes.record(*outcome);
                }
            }
            _ => {}
        }
    }

    pub(super) fn note(&mut self, load: &Load) {
        self.second.counts.machine = Some(MachineSample {
            cpu_user: load.user,
            cpu_system: load.system,
            cpus_missing: load.missing,
            host_busy: load.host_busy,
            memory_bytes: load.memory,
            files: load.files,
        });
    }

    /// What the load profile wants by now.
    pub(super) fn ask(&mut self, wanted: Wanted) {
        let counts = &mut self.second.counts;
        match wanted {
            // During a pause it wants none at all, and what was due before stays due.
            Wanted::Started(due) => {
                counts.due = counts.due.max(Some(due.saturating_sub(self.due)));
            }
            Wanted::Active(customers) => counts.customers = Some(customers),
        }
    }

    /// Makes a sample of what has happened, if another whole second of the run is over; whether that was so.
    pub(super) fn tick(&mut self, elapsed: Duration, in_progress: u64) -> bool {
        let is_long = elapsed.saturating_sub(self.begun) >= LEAST;
        let over = is_long && elapsed.as_secs() > self.begun.as_secs();
        if over {
            self.close(elapsed, in_progress);
        }
        over
    }

    /// Makes a sample of what has happened since the last one.
    pub(super) fn close(&mut self, elapsed: Duration, in_progress: u64) {
        let next = Second::new(self.second.steps.len());
        let second = std::mem::replace(&mut self.second, next);
        let length = elapsed.saturating_sub(self.begun);
        self.begun = elapsed;
        self.due += second.counts.due.unwrap_or_default();
        let batch = Arc::new(second.batch(length));
        self.batches.add(&batch);
        self.whole.push_back(batch);
        if self.whole.len() > KEPT_WHOLE {
            self.whole.pop_front();
        }
        let p99 = |latencies: &Latencies| quantile(latencies, 0.99);
        self.samples.push_back(Arc::new(Sample {
            at: elapsed.as_secs_f64(),
            seconds: length.as_secs_f64(),
            in_progress,
            failed_by_reason: second.chats.failed_by_reason,
            start_late: p99(&second.start_late),
            sent_late: p99(&second.sent_late),
            steps: second.steps.iter().map(StepSample::of).collect(),
            ..second.counts
        }));
        if self.samples.len() > KEPT {
            self.samples.pop_front();
            self.first += 1;
        }
    }

    /// The same in a few pieces, without what happened since the last sample.
    pub(super) fn batches(&self) -> Vec<Batch> {
        self.batches.all()
    }

    /// The samples from this number on, and the number of the next one.
    pub(super) fn since(&self, number: u64) -> (Vec<Arc<Sample>>, u64) {
        let samples = self.samples.iter().skip(self.place_of(number)).cloned();
        (samples.collect(), self.next())
    }

    /// The same with their histograms.
    pub(super) fn whole_since(&self, number: u64) -> (Vec<WholeSecond>, u64) {
        let gone = self.samples.len() - self.whole.len();
        let seconds = self.samples.iter().enumerate();
        let seconds = seconds.skip(self.place_of(number));
        let seconds = seconds.map(|(place, sample)| WholeSecond {
            sample: sample.clone(),
            batch: (place.checked_sub(gone)).and_then(|place| self.whole.get(place).cloned()),
        });
        (seconds.collect(), self.next())
    }

    fn place_of(&self, number: u64) -> usize {
        usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX)
    }

    fn next(&self) -> u64 {
        self.first + self.samples.len() as u64
    }
}

impl StepSample {
    fn of(outcomes: &Outcomes) -> Self {
        let latency = &outcomes.latency;
        Self {
            passed: outcomes.passed,
            failed: outcomes.failed(),
            failed_by_reason: outcomes.failed_by_reason.clone(),
            stopped: outcomes.stopped,
            p50: quantile(latency, 0.5),
            p95: quantile(latency, 0.95),
            max: quantile(latency, 1.0),
        }
    }
}

fn quantile(latencies: &Latencies, share: f64) -> Option<f64> {
    (latencies.count() > 0).then(|| latencies.at(share).as_secs_f64())
}
