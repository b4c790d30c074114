use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    ChatCounts, Example, Orphan, Quantiles, RunReport, RunState, SearchReport, StepReport,
    TeardownFailure,
    health::Health,
    latencies::Latencies,
    other_callbacks::OtherCallbacks,
    pace::{Pace, RecentStarts},
    timeline::Timeline,
    window::{Outcomes, Window, measured},
};
use crate::{
    event::{EndedBy, Ending, Fate, RunEvent, RunIdentity, StepOutcome, Verdict},
    load::{Measured, Threshold},
    scenario::{Observation, Scenario, StepId},
};

/// Failed chats that a report shows.
const EXAMPLES: usize = 20;
/// Chats that may be open at the target and that a report lists.
const MOST_ORPHANS: usize = 1_000;

/// What a run has come to so far.
#[derive(Debug)]
pub(super) struct Figures {
    started: Instant,
    pub(super) state: RunState,
    pub(super) ended: Option<Duration>,
    /// How long chats were to start so far.
    pub(super) scheduled: Duration,
    pub(super) recent: RecentStarts,
    pub(super) verdict: Option<Verdict>,
    pub(super) verdict_reasons: Vec<String>,
    /// What told it to end, or ended it.
    pub(super) ended_by: Option<EndedBy>,
    /// The graceful stop has passed with chats in flight.
    pub(super) graceful_stop_exceeded: bool,
    /// Whether somebody takes its seconds with their reports.
    pub(super) followed: bool,
    /// The report at the end of the last second, or at the beginning; `None` if nobody followed the run then.
    pub(super) last_second: Option<Arc<RunReport>>,
    pub(super) chats: ChatCounts,
    /// When the first chat began and when the last one so far ended, since the run began.
    pub(super) first_chat: Option<Duration>,
    pub(super) last_chat: Option<Duration>,
    pub(super) chat_duration: Latencies,
    pub(super) steps: Vec<StepFigures>,
    pub(super) received: u64,
    pub(super) by_fate: BTreeMap<Fate, u64>,
    pub(super) lateness: Latencies,
    pub(super) send_lateness: Latencies,
    pub(super) connection_wait: Latencies,
    pub(super) lag: Latencies,
    pub(super) health: Health,
    pub(super) failures: VecDeque<Example>,
    /// The first of those that may be open at the target, and how many there are.
    pub(super) orphans: Vec<Orphan>,
    pub(super) orphans_total: u64,
    pub(super) teardown_failed: Option<TeardownFailure>,
    pub(super) other_callbacks: OtherCallbacks,
    pub(super) load_changed_to: Option<String>,
    pub(super) search: Option<SearchReport>,
    /// Besides everything else, the step of a search in progress.
    pub(super) window: Option<Window>,
    pub(super) timeline: Timeline,
}

/// What a step has come to so far.
#[derive(Debug)]
pub(super) struct StepFigures {
    pub(super) step: Arc<str>,
    pub(super) observes: Option<Observation>,
    pub(super) outcomes: Outcomes,
    /// Requests that were sent once more.
    pub(super) resent: u64,
}

impl Figures {
    /// Those of a run that begins now.
    pub(super) fn new(scenario: &Scenario) -> Self {
        let steps = scenario.all_steps();
        let timeline = Timeline::new(steps.len());
        let steps = steps.iter().map(|step| StepFigures {
            step: step.name.clone(),
            observes: step.observe,
            outcomes: Outcomes::new(),
            resent: 0,
        });
        Self {
            started: Instant::now(),
            state: RunState::SettingUp,
            ended: None,
            scheduled: Duration::ZERO,
            recent: RecentStarts::default(),
            verdict: None,
            verdict_reasons: Vec::new(),
            ended_by: None,
            graceful_stop_exceeded: false,
            followed: false,
            last_second: None,
            chats: ChatCounts::default(),
            first_chat: None,
            last_chat: None,
            chat_duration: Latencies::new(),
            steps: steps.collect(),
            received: 0,
            by_fate: BTreeMap::new(),
            lateness: Latencies::new(),
            send_lateness: Latencies::new(),
            connection_wait: Latencies::new(),
            lag: Latencies::new(),
            health: Health::new(),
            failures: VecDeque::new(),
            orphans: Vec::new(),
            orphans_total: 0,
            teardown_failed: None,
            other_callbacks: OtherCallbacks::default(),
            load_changed_to: None,
            search: None,
            window: None,
            timeline,
        }
    }

    /// How long the run took, or has taken so far.
    pub(super) fn elapsed(&self) -> Duration {
        self.ended.unwrap_or_else(|| self.started.elapsed())
    }

    /// What is asked for and achieved at this moment.
    pub(super) fn pace(&self) -> Pace {
        self.recent.pace(self.elapsed(), self.chats.started)
    }

    /// Sums that should be equal and are not. At the end of a run no event waits in an inbox.
    pub(super) fn differences(&self) -> Vec<String> {
        let chats = &self.chats;
        let mut differences = Vec::new();
        let accounted = chats.passed + chats.failed + chats.stopped;
        if chats.started != accounted {
            differences.push(format!(
                "{} chats started, {accounted} ended: {} passed, {} failed, {} stopped",
                chats.started, chats.passed, chats.failed, chats.stopped
            ));
        }
        let settled: u64 = self.by_fate.values().sum();
        if self.received != settled {
            differences.push(format!(
                "{} events received, {settled} settled: {:?}",
                self.received, self.by_fate
            ));
        }
        differences
    }

    /// What a threshold is about, as measured so far.
    pub(super) fn measure(&self, threshold: &Threshold) -> Measured {
        let Some(step) = threshold.step() else {
            let chats = &self.chats;
            let of = chats.passed + chats.failed;
            return measured(threshold.measure(), &self.chat_duration, chats.failed, of);
        };
        let Some(step) = self.steps.iter().find(|figures| *figures.step == *step) else {
            return Measured::Nothing;
        };
        step.outcomes.measured(threshold.measure())
    }

    /// Takes note of what happened to a run.
    pub(super) fn observe(&mut self, run: &RunIdentity, event: &RunEvent) {
        self.timeline.observe(event);
        if let Some(window) = &mut self.window {
            window.observe(event);
        }
        match event {
            RunEvent::ChatStarted { lateness, .. } => {
                let chats = &mut self.chats;
                chats.started += 1;
                chats.in_progress += 1;
                chats.most_in_progress = chats.most_in_progress.max(chats.in_progress);
                self.lateness.record(*lateness);
                self.first_chat
                    .get_or_insert_with(|| self.started.elapsed());
            }
            RunEvent::StepEnded {
                step,
                sent,
                outcome,
                ..
            } => {
                if let Some(sent) = sent {
                    self.send_lateness.record(sent.late);
                    self.connection_wait.record(sent.waited);
                }
                self.step_ended(*step, *outcome);
            }
            RunEvent::ChatEnded {
                chat,
                ending,
                duration,
                correlation,
            } => {
                self.last_chat = Some(self.started.elapsed());
                self.chat_ended(run, *chat, ending, *duration, correlation);
            }
            RunEvent::RequestResent { step, times, .. } => {
                if let Some(figures) = self.steps.get_mut(step.index()) {
                    figures.resent += u64::from(*times);
                }
            }
            RunEvent::LeftOpen {
                chat,
                correlation,
                why,
                ..
            } => {
                self.orphans_total += 1;
                if self.orphans.len() < MOST_ORPHANS {
                    self.orphans.push(Orphan {
                        chat: *chat,
                        correlation: texts(correlation),
                        why: Some(why.clone()),
                    });
                }
            }
            RunEvent::ArrivalDropped => self.chats.dropped += 1,
            RunEvent::CallbackReceived { through } | RunEvent::CallbackTakenOver { through } => {
                self.received += 1;
                if let Some(through) = through {
                    self.other_callbacks.add(through);
                }
            }
            RunEvent::CallbackHandedOver { through } => {
                self.received -= 1;
                if let Some(through) = through {
                    self.other_callbacks.take(through);
                }
            }
            RunEvent::TeardownFailed { failure, .. } => {
                self.teardown_failed = Some(failure.as_ref().into());
            }
            RunEvent::CallbackSettled(fate) => *self.by_fate.entry(*fate).or_default() += 1,
            RunEvent::Started
            | RunEvent::WaitStarted { .. }
            | RunEvent::WaitEnded { .. }
            | RunEvent::ChatNamed { .. }
            | RunEvent::ChatFailed(_)
            | RunEvent::CallbackVerified
            | RunEvent::CallbackIdRepeated
            | RunEvent::Ended { .. } => {}
        }
    }

    fn step_ended(&mut self, step: StepId, outcome: StepOutcome) {
        let Some(figures) = self.steps.get_mut(step.index()) else {
            return;
        };
        figures.outcomes.record(outcome);
    }

    fn chat_ended(
        &mut self,
        run: &RunIdentity,
        chat: u64,
        ending: &Ending,
        duration: Duration,
        correlation: &[(Arc<str>, String)],
    ) {
        self.chats.in_progress -= 1;
        match ending {
            Ending::Passed => {
                self.chats.passed += 1;
                self.chat_duration.record(duration);
            }
            Ending::Stopped => self.chats.stopped += 1,
            Ending::Failed(failure) => {
                self.chats.failed += 1;
                *self
                    .chats
                    .failed_by_reason
                    .entry(failure.reason)
                    .or_default() += 1;
                if self.failures.len() == EXAMPLES {
                    self.failures.pop_front();
                }
                let correlation = texts(correlation);
                self.failures.push_back(Example {
                    id: run.chat_id(chat),
                    chat,
                    step: failure.step.to_string(),
                    reason: failure.reason,
                    detail: failure.detail.clone(),
                    correlation,
                });
            }
        }
    }
}

fn texts(correlation: &[(Arc<str>, String)]) -> BTreeMap<String, String> {
    let pairs = correlation.iter();
    pairs
        .map(|(name, value)| (name.to_string(), value.clone()))
        .collect()
}

impl StepFigures {
    pub(super) fn report(&self) -> StepReport {
        StepReport {
            step: self.step.to_string(),
            observes: self.observes,
            passed: self.outcomes.passed,
            failed: self.outcomes.failed(),
            failed_by_reason: self.outcomes.failed_by_reason.clone(),
            stopped: self.outcomes.stopped,
            resent: self.resent,
            latency: Quantiles::of(&self.outcomes.latency),
        }
    }
}
