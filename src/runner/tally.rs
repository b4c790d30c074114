use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    ChatCounts, Histogram, Quantiles, ReceivedEvents, RequestFigures, RunRecord, RunReport,
    RunSpec, RunState, SearchReport, ThresholdReport, ThresholdState,
    figures::{Figures, StepFigures},
    pace::Asked,
    pacing::Wanted,
    timeline::{Sample, WholeSeconds},
    verdict::Delays,
    window::Window,
};
use crate::{
    config::HealthBudget,
    event::{EndedBy, RunEvent, RunIdentity, RunObserver, Verdict},
    load::{Measured, Threshold},
    scenario::Parameters,
    vitals::Beat,
};

/// The counters of one run, kept from its events alone.
#[derive(Debug)]
pub struct Tally {
    spec: RunSpec,
    started_at: jiff::Timestamp,
    figures: Mutex<Figures>,
}

impl Tally {
    /// The counters of a run in which nothing has happened yet.
    pub fn new(spec: RunSpec) -> Self {
        let figures = Mutex::new(Figures::new(&spec.scenario));
        let tally = Self {
            spec,
            started_at: jiff::Timestamp::now(),
            figures,
        };
        let begun = Arc::new(tally.without_lists(&tally.figures()));
        tally.figures().last_second = Some(begun);
        tally
    }

    /// The run's name, subject and trigger.
    pub fn identity(&self) -> &Arc<RunIdentity> {
        &self.spec.identity
    }

    pub(super) fn enter(&self, state: RunState) {
        self.figures().state = state;
    }

    pub(super) fn conclude(&self, verdict: Verdict, reasons: Vec<String>) {
        let mut figures = self.figures();
        figures.state = RunState::Ended;
        figures.ended_by.get_or_insert(EndedBy::Load);
        let elapsed = figures.elapsed();
        figures.ended = Some(elapsed);
        let in_progress = figures.chats.in_progress;
        figures.timeline.close(elapsed, in_progress);
        figures.verdict = Some(verdict);
        figures.verdict_reasons = reasons;
    }

    /// Logs one of the chats that may still be open at the target, if there is one.
    pub(super) fn warn_of_open_chats(&self) {
        let (total, first) = {
            let figures = self.figures();
            let mut chats = figures.orphans.iter().filter(|orphan| orphan.chat > 0);
            (figures.orphans_total, chats.next().cloned())
        };
        if let Some(first) = first {
            tracing::warn!(
                run = %self.spec.identity.id,
                total,
                chat = first.chat,
                correlation = ?first.correlation,
                why = first.why,
                "chats, and what the setup made, may still be open at the target; `orphans` in the report of the run lists them"
            );
        }
    }

    /// Something ends the run, unless something did so before.
    pub(super) fn note_end(&self, by: EndedBy) {
        self.figures().ended_by.get_or_insert(by);
    }

    /// Something fails the run and ends it, whatever stopped it before: the verdict names this.
    pub(super) fn note_failed_end(&self, by: EndedBy) {
        self.figures().ended_by = Some(by);
    }

    /// What was noted did not end the run: its load was through, and nothing was cut short.
    pub(super) fn withdraw_end(&self) {
        self.figures().ended_by = None;
    }

    /// The graceful stop has passed with chats in flight.
    pub(super) fn note_graceful_stop(&self) {
        self.figures().graceful_stop_exceeded = true;
    }

    pub(super) fn note_change(&self, change: String) {
        self.figures().load_changed_to = Some(change);
    }

    pub(super) fn note_lag(&self, lag: Duration) {
        let mut figures = self.figures();
        figures.lag.record(lag);
        if let Some(window) = &mut figures.window {
            window.lag.record(lag);
        }
    }

    pub(super) fn note_beats(&self, beats: &[Beat]) {
        let mut figures = self.figures();
        for beat in beats {
            figures.health.note(beat);
            if let Some(load) = &beat.load {
                figures.timeline.note(load);
            }
            if let Some(window) = &mut figures.window {
                window.health.note(beat);
            }
        }
    }

    /// What the load profile wants by now and asks for from now on, and how long chats were to start so far.
    pub(super) fn ask(&self, wanted: Wanted, asked: Asked, scheduled: Duration) {
        let figures = &mut *self.figures();
        figures.timeline.ask(wanted);
        figures.scheduled = scheduled;
        let (elapsed, started) = (figures.elapsed(), figures.chats.started);
        figures.recent.note(asked, elapsed, started);
    }

    /// The load is another one from now on.
    pub(super) fn forget_pace(&self) {
        self.figures().recent.forget();
    }

    /// Another moment of the run has passed.
    pub(super) fn tick(&self) {
        let figures = &mut *self.figures();
        let elapsed = figures.elapsed();
        let in_progress = figures.chats.in_progress;
        if figures.timeline.tick(elapsed, in_progress) {
            let followed = figures.followed;
            figures.last_second = followed.then(|| Arc::new(self.without_lists(figures)));
        }
    }

    /// What happened second by second, from the sample of this number on, and the number of the next
    /// one. Of a run that is over, the last sample is the rest of a second.
    pub fn samples(&self, from: u64) -> (Vec<Arc<Sample>>, u64) {
        self.figures().timeline.since(from)
    }

    /// The same with the histograms of each second, as long as they are there, and with the report at the end of the
    /// last one. Of a run that nobody followed so, the first report is that of the moment.
    pub fn whole_seconds(&self, from: u64) -> WholeSeconds {
        let mut figures = self.figures();
        figures.followed = true;
        let (seconds, next) = figures.timeline.whole_since(from);
        let report = figures.last_second.clone();
        WholeSeconds {
            seconds,
            next,
            report: report.unwrap_or_else(|| Arc::new(self.without_lists(&figures))),
        }
    }

    /// What says that the machine, and not the target, decided about the figures.
    pub(super) fn beyond(&self, budget: &HealthBudget) -> Vec<String> {
        self.figures().health.beyond(budget)
    }

    pub(super) fn note_search(&self, search: SearchReport) {
        self.figures().search = Some(search);
    }

    /// How far the search is, if there is one.
    pub(super) fn search(&self) -> Option<String> {
        let figures = self.figures();
        figures.search.as_ref().map(|search| search.summary.clone())
    }

    /// Begins to keep figures of their own for what happens from now on.
    pub(super) fn open_window(&self) {
        let window = Window::new(&self.spec.thresholds, &self.spec.scenario);
        self.figures().window = Some(window);
    }

    /// Looks at those figures, if they are being kept.
    pub(super) fn in_window<T>(&self, look: impl FnOnce(&mut Window) -> T) -> Option<T> {
        self.figures().window.as_mut().map(look)
    }

    /// Ends them.
    pub(super) fn close_window(&self) -> Option<Window> {
        self.figures().window.take()
    }

    pub(super) fn state(&self) -> RunState {
        self.figures().state
    }

    pub(super) fn chats(&self) -> ChatCounts {
        self.figures().chats.clone()
    }

    /// Sums that should be equal and are not.
    pub(super) fn differences(&self) -> Vec<String> {
        self.figures().differences()
    }

    /// The 99th percentile of how long requests waited for a connection.
    pub(super) fn connection_wait(&self) -> Duration {
        self.figures().connection_wait.at(0.99)
    }

    /// How late the generator was.
    pub(super) fn delays(&self) -> Delays {
        let figures = self.figures();
        Delays::of(&figures.lateness, &figures.send_lateness, &figures.lag)
    }

    /// What a threshold is about, as measured so far.
    pub(super) fn measure(&self, threshold: &Threshold) -> Measured {
        self.figures().measure(threshold)
    }

    /// The figures as they stand.
    pub fn report(&self) -> RunReport {
        self.report_of(&self.figures())
    }

    fn report_of(&self, figures: &Figures) -> RunReport {
        RunReport {
            failures: figures.failures.iter().cloned().collect(),
            orphans: figures.orphans.clone(),
            ..self.without_lists(figures)
        }
    }

    /// The report without the lists of failures and of chats that may be open.
    fn without_lists(&self, figures: &Figures) -> RunReport {
        let identity = &self.spec.identity;
        let ended = figures.ended.is_some();
        let settled: u64 = figures.by_fate.values().sum();
        RunReport {
            id: identity.id.clone(),
            name: identity.name.to_string(),
            scenario: identity.subject.scenario.to_string(),
            target: identity.subject.target.to_string(),
            mode: identity.subject.mode,
            trigger: identity.trigger,
            asked_by: self.spec.asked_by.clone(),
            configuration: (self.spec.configuration).map(|hash| format!("{hash:016x}")),
            state: figures.state,
            verdict: figures.verdict,
            verdict_reasons: figures.verdict_reasons.clone(),
            ended_by: figures.ended_by,
            load: self.spec.load.to_string(),
            load_changed_to: figures.load_changed_to.clone(),
            search: figures.search.clone(),
            warnings: (self.spec.warnings.iter().cloned())
                .chain(figures.health.warnings())
                .collect(),
            inputs: Parameters::behind(&self.spec.inputs)
                .map(Parameters::to_json)
                .unwrap_or_default(),
            seed: self.spec.seed,
            started_at: self.started_at.to_string(),
            elapsed_seconds: figures.elapsed().as_secs_f64(),
            scheduled_seconds: Some(figures.scheduled.as_secs_f64()),
            pace: (!ended).then(|| figures.pace()),
            first_chat_began_at: figures.first_chat.and_then(|after| self.moment(after)),
            last_chat_ended_at: figures.last_chat.and_then(|after| self.moment(after)),
            chats: figures.chats.clone(),
            graceful_stop: (self.spec.graceful_stop)
                .map(|stop| stop.report(figures.graceful_stop_exceeded, figures.chats.stopped)),
            requests: RequestFigures::over(figures.send_lateness.count(), figures.elapsed()),
            chat_duration: Quantiles::of(&figures.chat_duration),
            steps: figures.steps.iter().map(StepFigures::report).collect(),
            thresholds: self.judged(figures),
            events: ReceivedEvents {
                received: figures.received,
                by_fate: figures.by_fate.clone(),
                waiting: figures.received.saturating_sub(settled),
                through_other_callbacks: figures.other_callbacks.total,
                other_callbacks: figures.other_callbacks.runs.clone(),
                differences: if ended {
                    figures.differences()
                } else {
                    Vec::new()
                },
            },
            start_lateness: Quantiles::of(&figures.lateness),
            send_lateness: Quantiles::of(&figures.send_lateness),
            connection_wait: Quantiles::of(&figures.connection_wait),
            scheduler_lag: Quantiles::of(&figures.lag),
            precision: (figures.health).precision(&figures.lag, &figures.send_lateness),
            machine: figures.health.report(),
            failures: Vec::new(),
            orphans: Vec::new(),
            orphans_total: figures.orphans_total,
            teardown_failed: figures.teardown_failed.clone(),
        }
    }

    /// Everything that is worth keeping.
    pub fn record(&self) -> RunRecord {
        let figures = self.figures();
        let steps = figures.steps.iter();
        RunRecord {
            report: self.report_of(&figures),
            samples: figures.timeline.since(0).0,
            chat_duration: Histogram::from(&figures.chat_duration),
            steps: steps
                .map(|step| {
                    (
                        step.step.to_string(),
                        Histogram::from(&step.outcomes.latency),
                    )
                })
                .collect(),
            batches: figures.timeline.batches(),
        }
    }

    /// So long after the run began.
    fn moment(&self, after: Duration) -> Option<String> {
        let moment = self.started_at.checked_add(after).ok()?;
        Some(moment.to_string())
    }

    /// The thresholds as they stand, for whoever does not need the whole report.
    pub(super) fn thresholds(&self) -> Vec<ThresholdReport> {
        self.judged(&self.figures())
    }

    fn judged(&self, figures: &Figures) -> Vec<ThresholdReport> {
        let unmeasured = match figures.verdict {
            None => ThresholdState::Pending,
            Some(Verdict::Stopped) => ThresholdState::NotJudged,
            Some(_) => ThresholdState::Broken,
        };
        let is_search = self.spec.load.search().is_some();
        let thresholds = self.spec.thresholds.iter().map(|threshold| {
            let mut judged = ThresholdReport::of(threshold, figures.measure(threshold), unmeasured);
            if is_search {
                judged.state = ThresholdState::NotJudged;
            }
            judged
        });
        thresholds.collect()
    }

    fn figures(&self) -> MutexGuard<'_, Figures> {
        // Counters are whole after every statement, so a panic elsewhere does not spoil them.
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunObserver for Tally {
    fn observe(&self, run: &Arc<RunIdentity>, event: &RunEvent) {
        self.figures().observe(run, event);
    }
}
