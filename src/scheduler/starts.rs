//! When bursts start by themselves, as a function of what the clock shows.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::Schedule;

/// A start that is later than this is left out, and a clock that was set back by more shows the right time
/// only now. Cron has the same limit.
const LATEST_START: TimeDelta = TimeDelta::hours(3);
/// An interval that the clock repeats because it was set back by no more than this does not start anew.
const REPEATED_INTERVAL: TimeDelta = TimeDelta::minutes(1);
/// A timer that fires later than this was not waiting for its time: the clock was set forward.
const TIMER_TOLERANCE: TimeDelta = TimeDelta::seconds(10);

/// The next start of every burst with a schedule.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// Counts the plans: a timer may fire for a moment after its plan has gone.
    plan: u64,
    bursts: BTreeMap<Arc<str>, Start>,
}

#[derive(Debug)]
struct Start {
    schedule: Schedule,
    /// `None` if never.
    due: Option<DateTime<Utc>>,
    /// The time for which it started last.
    last: Option<DateTime<Utc>>,
    /// The latest time for which it ever started: later than the last one if the clock was set back.
    latest: Option<DateTime<Utc>>,
}

/// A plan of starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Planned {
    /// The number of the plan.
    pub plan: u64,
    /// Bursts with a start that is too late to be made up for.
    pub too_late: Vec<Arc<str>>,
}

/// What the timer of a burst asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TimerAction {
    /// Nothing: its plan has gone.
    Outdated,
    /// A timer at the next start, which is still to come.
    Early(DateTime<Utc>),
    /// The start of the burst, and a timer at the next start.
    Start(Option<DateTime<Utc>>),
    /// A timer at the next start; the burst started for this one before the clock was set back and forward.
    Again(Option<DateTime<Utc>>),
    /// A timer at the next start, which may be due already; the one that was due is too long ago.
    TooLate(Option<DateTime<Utc>>),
}

impl Starts {
    /// Plans these bursts and no others. What was due under the plan before and did not start is due at once,
    /// unless it is too late.
    pub(super) fn follow(
        &mut self,
        schedules: impl IntoIterator<Item = (Arc<str>, Schedule)>,
        now: DateTime<Utc>,
    ) -> Planned {
        self.plan += 1;
        let mut before = std::mem::take(&mut self.bursts);
        let mut too_late = Vec::new();
        for (name, schedule) in schedules {
            let known = before
                .remove(&name)
                .filter(|start| start.schedule == schedule);
            let mut start = known.unwrap_or_else(|| Start::new(schedule));
            if start.plan_anew(now) == Missed::TooLate {
                too_late.push(name.clone());
            }
            self.bursts.insert(name, start);
        }
        Planned {
            plan: self.plan,
            too_late,
        }
    }

    /// What is to be done now that a timer of this burst fires.
    pub(super) fn on_timer(&mut self, plan: u64, burst: &str, now: DateTime<Utc>) -> TimerAction {
        let Some(start) = self.bursts.get_mut(burst) else {
            return TimerAction::Outdated;
        };
        let Some(due) = start.due.filter(|_| plan == self.plan) else {
            return TimerAction::Outdated;
        };
        if now < due {
            return TimerAction::Early(due);
        }
        if now - due > TIMER_TOLERANCE && start.has_started_for(due) {
            start.due = start.next(now);
            return TimerAction::Again(start.due);
        }
        if now - due > LATEST_START {
            start.due = start.next_after_missed(now);
            return TimerAction::TooLate(start.due);
        }
        start.last = Some(due);
        start.latest = start.latest.max(start.last);
        start.due = start.next(now);
        TimerAction::Start(start.due)
    }

    /// The number of the plan.
    pub(super) fn plan(&self) -> u64 {
        self.plan
    }

    /// The next start of a burst, if it has any.
    pub(super) fn due(&self, burst: &str) -> Option<DateTime<Utc>> {
        self.bursts.get(burst)?.due
    }

    /// Nothing is due any more.
    pub(super) fn clear(&mut self) {
        self.plan += 1;
        self.bursts.clear();
    }
}

/// What a new plan finds of the one before.
#[derive(Debug, PartialEq, Eq)]
enum Missed {
    Nothing,
    /// A start that is due at once.
    MadeUp,
    TooLate,
}

impl Start {
    fn new(schedule: Schedule) -> Self {
        Self {
            schedule,
            due: None,
            last: None,
            latest: None,
        }
    }

    fn plan_anew(&mut self, now: DateTime<Utc>) -> Missed {
        let missed = self
            .due
            .filter(|due| *due <= now && !self.has_started_for(*due));
        match missed {
            None => {
                self.due = self.next(now);
                Missed::Nothing
            }
            Some(due) if now - due <= LATEST_START => Missed::MadeUp,
            Some(_) => {
                self.due = self.next_after_missed(now);
                Missed::TooLate
            }
        }
    }

    /// Whether the burst has started for that time, or for a later one.
    fn has_started_for(&self, due: DateTime<Utc>) -> bool {
        self.latest.is_some_and(|latest| due <= latest)
    }

    /// The first start after `now`. A time for which the burst has started is not due again because the clock was
    /// set back by a little.
    fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let repeated = if self.schedule.is_fixed() {
            LATEST_START
        } else {
            REPEATED_INTERVAL
        };
        let started = self.last.filter(|last| *last - now <= repeated);
        let from = started.map_or(now, |last| last.max(now));
        self.schedule.next_due(from)
    }

    /// A start that is late but can still be made up for, or else the first one after `now`.
    fn next_after_missed(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // The most recent ones first: what is nearly too late now may be too late when its timer fires.
        let late = [TimeDelta::minutes(1), TimeDelta::hours(1), LATEST_START];
        let made_up = late.into_iter().find_map(|late| {
            let from = self.latest.max(Some(now - late))?;
            self.schedule.next_due(from).filter(|due| *due <= now)
        });
        made_up.or_else(|| self.next(now))
    }
}

#[cfg(test)]
#[path = "starts_tests.rs"]
mod tests;
