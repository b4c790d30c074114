use std::time::Duration;

use super::{
    BrokenBy, HealthBudget, Mix, Quantiles, RunSpec, SearchOutcome, SearchReport, SearchStep,
    StepReport, Tally, ThresholdReport, ThresholdState, measurements::Measurements,
    verdict::Delays, window::Window,
};
use crate::{
    load::{Bracket, Level, Search, Shape, Threshold},
    units::counted,
};

/// A search in progress: what it asks for now, and what became of what it asked for before.
///
/// Time is that of the pacing's clock, which begins anew with every change of the load.
#[derive(Debug)]
pub(super) struct Searching {
    search: Search,
    thresholds: Vec<Threshold>,
    mix: Mix,
    budget: HealthBudget,
    bracket: Bracket,
    phase: Phase,
    /// Chats in progress when the last step that held was over.
    usual: u64,
    steps: Vec<SearchStep>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// The first part of a step.
    WarmUp(Level),
    /// The rest of it.
    Judging {
        level: Level,
        since: Duration,
        /// A threshold that says so need not be broken any longer.
        hopeless: bool,
    },
    /// Chats end that a broken step left behind.
    Draining { next: Level },
    /// Without an outcome, if the run ended first.
    Over(Option<SearchOutcome>),
}

/// What a search changes about the load.
#[derive(Debug)]
pub(super) enum LoadChange {
    /// Chats start like this from now on.
    Start(Shape),
    /// No chat starts from now on.
    StopStarts,
}

impl Searching {
    /// The search of this run, if it is one.
    pub(super) fn of(spec: &RunSpec, budget: HealthBudget) -> Option<Self> {
        let search = *spec.load.search()?;
        Some(Self {
            search,
            thresholds: spec.thresholds.clone(),
            mix: spec.mix.clone(),
            budget,
            bracket: Bracket::default(),
            phase: Phase::WarmUp(search.first()),
            usual: 0,
            steps: Vec::new(),
        })
    }

    /// Begins the step anew: its first chat is due now, or a pause has let the target recover.
    pub(super) fn begin(&mut self, tally: &Tally) -> Option<LoadChange> {
        let (Phase::WarmUp(level) | Phase::Judging { level, .. }) = self.phase else {
            return None;
        };
        Some(self.begin_step(level, tally))
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(_))
    }

    /// When the search has something to do, unless a chat ends before.
    pub(super) fn next_look(&self) -> Option<Duration> {
        match self.phase {
            Phase::WarmUp(_) => Some(self.search.warm_up()),
            Phase::Judging { since, .. } => Some(since + self.search.judged()),
            Phase::Draining { .. } => Some(self.search.hold()),
            Phase::Over(_) => None,
        }
    }

    /// Does what is due, with so many chats in progress.
    pub(super) fn advance(
        &mut self,
        elapsed: Duration,
        active: u64,
        tally: &Tally,
    ) -> Option<LoadChange> {
        let due = self.next_look().is_some_and(|at| elapsed >= at);
        match self.phase {
            Phase::WarmUp(level) if due => {
                tally.in_window(Window::begin_judged);
                self.phase = Phase::Judging {
                    level,
                    since: elapsed,
                    hopeless: false,
                };
                self.note(tally);
                None
            }
            Phase::Judging {
                level,
                since,
                hopeless,
            } if due || hopeless => {
                let window = tally.close_window()?;
                let step = self.judge(level, &window, elapsed.saturating_sub(since), active);
                Some(self.conclude(level, step, tally))
            }
            Phase::Draining { next } if due || active <= self.usual => {
                if active > self.usual
                    && let Some(broken) = self.steps.last_mut()
                {
                    broken.reasons.push(format!(
                        "left {} behind that did not end in time, with which the next step began",
                        counted(active, "chat")
                    ));
                }
                Some(self.begin_step(next, tally))
            }
            _ => None,
        }
    }

    /// Breaks the step early if a threshold with `abort` is broken.
    pub(super) fn give_way(&mut self, tally: &Tally) {
        let Phase::Judging { hopeless, .. } = &mut self.phase else {
            return;
        };
        *hopeless = self.thresholds.iter().any(|threshold| {
            let measured = |window: &mut Window| window.judged().measure(threshold, &self.mix);
            threshold.abort()
                && tally
                    .in_window(measured)
                    .is_some_and(|measured| threshold.may_abort(measured, None))
        });
    }

    /// The run ends before the search is through.
    pub(super) fn give_up(&mut self, tally: &Tally) {
        if !self.is_over() {
            tally.close_window();
            self.phase = Phase::Over(None);
            self.note(tally);
        }
    }

    /// What came of it, and in words.
    pub(super) fn found(&self) -> (Option<SearchOutcome>, String) {
        let outcome = match self.phase {
            Phase::Over(outcome) => outcome,
            _ => None,
        };
        (outcome, self.summary())
    }

    fn begin_step(&mut self, level: Level, tally: &Tally) -> LoadChange {
        self.phase = Phase::WarmUp(level);
        tally.open_window();
        self.note(tally);
        LoadChange::Start(self.search.shape_at(level))
    }

    fn judge(&self, level: Level, window: &Window, over: Duration, active: u64) -> SearchStep {
        let judged = window.judged();
        let thresholds = self.thresholds.iter().map(|threshold| {
            let measured = judged.measure(threshold, &self.mix);
            ThresholdReport::of(threshold, measured, ThresholdState::Broken)
        });
        let thresholds: Vec<_> = thresholds.collect();
        let mut reasons = self.own_faults(&window.whole());
        let own = !reasons.is_empty();
        let broken = thresholds
            .iter()
            .filter(|judged| judged.state != ThresholdState::Held);
        reasons.extend(broken.map(|broken| {
            let ThresholdReport {
                threshold,
                measured,
                ..
            } = broken;
            format!("broken: {threshold} (measured: {measured})")
        }));
        let broken_by = match (own, reasons.is_empty()) {
            (true, _) => Some(BrokenBy::Generator),
            (false, false) => Some(BrokenBy::Target),
            (false, true) => None,
        };
        SearchStep {
            load: level.into(),
            held: broken_by.is_none(),
            broken_by,
            reasons,
            started_per_second: per_second(judged.started, over),
            ended_per_second: per_second(judged.chats.ended(), over),
            in_progress: active,
            thresholds,
            failed: judged.chats.failed(),
            chat_duration: Quantiles::of(&judged.chats.latency),
            steps: StepReport::all(&self.mix, judged),
        }
    }

    /// Why what was measured in this step says nothing about the target.
    fn own_faults(&self, measured: &Measurements) -> Vec<String> {
        let mut faults = Delays::of(measured).beyond(&self.budget);
        faults.extend(measured.health.beyond(&self.budget));
        if measured.dropped > 0 {
            faults.push(format!(
                "{} due beyond `max_active` did not start: allow for more with it and `limits.max_active_chats`",
                counted(measured.dropped, "chat")
            ));
        }
        if measured.internal() > 0 {
            faults.push(format!(
                "{} failed because chatprobe could not go on (reason `internal`)",
                counted(measured.internal(), "chat")
            ));
        }
        faults
    }

    /// Keeps the step and turns to what comes next.
    fn conclude(&mut self, level: Level, step: SearchStep, tally: &Tally) -> LoadChange {
        let (broken_by, active) = (step.broken_by, step.in_progress);
        self.steps.push(step);
        match broken_by {
            None => {
                self.bracket.held = Some(level);
                self.usual = active;
            }
            Some(BrokenBy::Target) => self.bracket.broke = Some(level),
            // Narrowing would find a limit too, but not that of the target.
            Some(BrokenBy::Generator) => return self.end(SearchOutcome::Generator, tally),
        }
        match self.search.next(self.bracket) {
            Some(next) if active <= self.usual => self.begin_step(next, tally),
            Some(next) => {
                self.phase = Phase::Draining { next };
                self.note(tally);
                LoadChange::StopStarts
            }
            None => {
                let outcome = match (self.bracket.held, self.bracket.broke) {
                    (None, _) => SearchOutcome::NotEvenTheFirst,
                    (Some(_), None) => SearchOutcome::HeldToTheEnd,
                    (Some(_), Some(_)) => SearchOutcome::Limit,
                };
                self.end(outcome, tally)
            }
        }
    }

    fn end(&mut self, outcome: SearchOutcome, tally: &Tally) -> LoadChange {
        self.phase = Phase::Over(Some(outcome));
        self.note(tally);
        LoadChange::StopStarts
    }

    fn note(&self, tally: &Tally) {
        tally.note_search(SearchReport {
            outcome: self.found().0,
            summary: self.summary(),
            held: self.bracket.held.map(Into::into),
            broke: self.bracket.broke.map(Into::into),
            now: match self.phase {
                Phase::WarmUp(level) | Phase::Judging { level, .. } => Some(level.into()),
                Phase::Draining { .. } | Phase::Over(_) => None,
            },
            steps: self.steps.clone(),
        });
    }

    fn summary(&self) -> String {
        let so_far = match (self.bracket.held, self.bracket.broke) {
            (Some(held), Some(broke)) => format!("{held} held, {broke} broke"),
            (Some(held), None) => format!("{held} held"),
            (None, Some(broke)) => format!("{broke} broke"),
            (None, None) => "nothing has held so far".to_owned(),
        };
        match self.phase {
            Phase::WarmUp(level) => format!("{level}, warming up; {so_far}"),
            Phase::Judging { level, .. } => format!("{level}, measuring; {so_far}"),
            Phase::Draining { next } => {
                format!("waiting for chats to end before {next}; {so_far}")
            }
            Phase::Over(None) => format!("ended before it was through; {so_far}"),
            Phase::Over(Some(SearchOutcome::HeldToTheEnd)) => format!("{so_far}, up to the end"),
            Phase::Over(Some(SearchOutcome::Limit)) => {
                format!("{so_far}: {}", self.reasons(BrokenBy::Target))
            }
            Phase::Over(Some(SearchOutcome::NotEvenTheFirst)) => format!(
                "not even the first step held; {so_far}: {}",
                self.reasons(BrokenBy::Target)
            ),
            Phase::Over(Some(SearchOutcome::Generator)) => {
                let last = self.steps.last().map_or("", |step| &step.load.text);
                format!(
                    "the load generator was saturated at {last}, which says nothing about the target; \
                     {so_far}: {}",
                    self.reasons(BrokenBy::Generator)
                )
            }
        }
    }

    /// Why the lowest step broke that this one broke: it is the latest.
    fn reasons(&self, by: BrokenBy) -> String {
        let mut latest = self.steps.iter().rev();
        let broken = latest.find(|step| step.broken_by == Some(by));
        broken.map_or_else(String::new, |step| step.reasons.join("; "))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn per_second(count: u64, over: Duration) -> f64 {
    let seconds = over.as_secs_f64();
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}
