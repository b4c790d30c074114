use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{health::Health, latencies::Latencies};
use crate::{
    event::{Ending, RunEvent, StepOutcome},
    load::{Measure, Measured, Statistic, Threshold},
    scenario::{Reason, Scenario, StepId},
};

/// How something ended, how often, and how long it took where it passed.
#[derive(Debug)]
pub(super) struct Outcomes {
    pub(super) passed: u64,
    pub(super) failed_by_reason: BTreeMap<Reason, u64>,
    /// Cut short by the stop of the run; in no share of what failed.
    pub(super) stopped: u64,
    pub(super) latency: Latencies,
}

impl Outcomes {
    pub(super) fn new() -> Self {
        Self {
            passed: 0,
            failed_by_reason: BTreeMap::new(),
            stopped: 0,
            latency: Latencies::new(),
        }
    }

    pub(super) fn record(&mut self, outcome: StepOutcome) {
        match outcome {
            StepOutcome::Passed(latency) => self.pass(latency),
            StepOutcome::Failed(reason) => self.fail(reason),
            StepOutcome::Stopped => self.stopped += 1,
        }
    }

    pub(super) fn pass(&mut self, latency: Duration) {
        self.passed += 1;
        self.latency.record(latency);
    }

    pub(super) fn fail(&mut self, reason: Reason) {
        *self.failed_by_reason.entry(reason).or_default() += 1;
    }

    pub(super) fn failed(&self) -> u64 {
        self.failed_by_reason.values().sum()
    }

    pub(super) fn measured(&self, measure: Measure) -> Measured {
        let failed = self.failed();
        measured(measure, &self.latency, failed, self.passed + failed)
    }
}

/// What a measure makes of these figures.
pub(super) fn measured(measure: Measure, latency: &Latencies, failed: u64, of: u64) -> Measured {
    match measure {
        Measure::Failed(_) if of > 0 => Measured::Share { failed, of },
        Measure::Latency { statistic, .. } if latency.count() > 0 => Measured::Latency {
            value: match statistic {
                Statistic::P50 => latency.at(0.5),
                Statistic::P90 => latency.at(0.9),
                Statistic::P95 => latency.at(0.95),
                Statistic::P99 => latency.at(0.99),
                Statistic::Max => latency.longest(),
                Statistic::Mean => latency.mean(),
            },
            of: latency.count(),
        },
        Measure::Failed(_) | Measure::Latency { .. } => Measured::Nothing,
    }
}

/// The figures of one step of a search: what a run measured since the step began, and nothing of
/// what was before.
#[derive(Debug)]
pub(super) struct Window {
    /// Of the judged part: what ended in it, whenever it began.
    chats: Outcomes,
    /// Of the judged part: the steps that thresholds are about.
    steps: Vec<WindowStep>,
    /// Chats started in the judged part.
    pub(super) started: u64,
    /// Chats that ended in the judged part.
    pub(super) ended: u64,
    /// Of the whole step, as what follows: a generator that was late at first has not asked for
    /// what it should have.
    pub(super) lateness: Latencies,
    pub(super) send_lateness: Latencies,
    pub(super) lag: Latencies,
    pub(super) health: Health,
    pub(super) dropped: u64,
    /// Chats that failed because of this machine.
    pub(super) internal: u64,
}

/// A step that a threshold is about.
#[derive(Debug)]
struct WindowStep {
    id: StepId,
    name: Arc<str>,
    outcomes: Outcomes,
}

impl Window {
    pub(super) fn new(thresholds: &[Threshold], scenario: &Scenario) -> Self {
        let names: BTreeSet<_> = thresholds.iter().filter_map(Threshold::step).collect();
        let steps = names.into_iter().filter_map(|name| {
            Some(WindowStep {
                id: scenario.step_named(name)?,
                name: name.into(),
                outcomes: Outcomes::new(),
            })
        });
        Self {
            chats: Outcomes::new(),
            steps: steps.collect(),
            started: 0,
            ended: 0,
            lateness: Latencies::new(),
            send_lateness: Latencies::new(),
            lag: Latencies::new(),
            health: Health::new(),
            dropped: 0,
            internal: 0,
        }
    }

    /// What was felt so far is not judged.
    pub(super) fn forget_outcomes(&mut self) {
        self.chats = Outcomes::new();
        for step in &mut self.steps {
            step.outcomes = Outcomes::new();
        }
        self.started = 0;
        self.ended = 0;
    }

    pub(super) fn observe(&mut self, event: &RunEvent) {
        match event {
            RunEvent::ChatStarted { lateness, .. } => {
                self.started += 1;
                self.lateness.record(*lateness);
            }
            RunEvent::ArrivalDropped => self.dropped += 1,
            RunEvent::StepEnded {
                step,
                sent,
                outcome,
                ..
            } => {
                if let Some(sent) = sent {
                    self.send_lateness.record(sent.late);
                }
                let about = self.steps.iter_mut().filter(|known| known.id == *step);
                about.for_each(|known| known.outcomes.record(*outcome));
            }
            RunEvent::ChatEnded {
                ending, duration, ..
            } => {
                self.ended += 1;
                match ending {
                    Ending::Passed => self.chats.pass(*duration),
                    Ending::Failed(failure) => {
                        self.internal += u64::from(failure.reason == Reason::Internal);
                        self.chats.fail(failure.reason);
                    }
                    Ending::Stopped => {}
                }
            }
            _ => {}
        }
    }

    pub(super) fn measure(&self, threshold: &Threshold) -> Measured {
        let outcomes = match threshold.step() {
            None => Some(&self.chats),
            Some(step) => self
                .steps
                .iter()
                .find(|known| *known.name == *step)
                .map(|known| &known.outcomes),
        };
        outcomes.map_or(Measured::Nothing, |outcomes| {
            outcomes.measured(threshold.measure())
        })
    }
}
