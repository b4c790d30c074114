//! When bursts start by themselves, as a function of what the clock shows.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::Schedule;

/// A start that is later than this is left out, and a clock that was set back by more shows the right time
/// only now. Cron has the same limit.
const LATEST_START: TimeDelta = TimeDelta::hours(3);

/// The next start of every burst with a schedule.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// Counts the plans: an alarm may ring for a moment after its plan has gone.
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
}

/// What the alarm of a burst asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rung {
    /// Nothing: its plan has gone.
    Outdated,
    /// An alarm at the next start, which is still to come.
    Early(DateTime<Utc>),
    /// The start of the burst, and an alarm at the next start.
    Start(Option<DateTime<Utc>>),
    /// An alarm at the next start; the one that was due is too long ago.
    TooLate(Option<DateTime<Utc>>),
}

impl Starts {
    /// Plans these bursts and no others; the number of the plan. What was due under the plan before and
    /// did not start is due at once.
    pub(super) fn follow(
        &mut self,
        schedules: impl IntoIterator<Item = (Arc<str>, Schedule)>,
        now: DateTime<Utc>,
    ) -> u64 {
        self.plan += 1;
        let mut before = std::mem::take(&mut self.bursts);
        for (name, schedule) in schedules {
            let known = before
                .remove(&name)
                .filter(|start| start.schedule == schedule);
            let last = known.as_ref().and_then(|start| start.last);
            let overtaken = known
                .and_then(|start| start.due)
                .filter(|due| *due <= now && now - *due <= LATEST_START);
            let due = overtaken.or_else(|| next(&schedule, now, last));
            let start = Start {
                schedule,
                due,
                last,
            };
            self.bursts.insert(name, start);
        }
        self.plan
    }

    /// What is to be done now that an alarm of this burst rings.
    pub(super) fn ring(&mut self, plan: u64, burst: &str, now: DateTime<Utc>) -> Rung {
        let Some(start) = self.bursts.get_mut(burst) else {
            return Rung::Outdated;
        };
        let Some(due) = start.due.filter(|_| plan == self.plan) else {
            return Rung::Outdated;
        };
        if now < due {
            return Rung::Early(due);
        }
        start.last = Some(due);
        start.due = next(&start.schedule, now, start.last);
        if now - due > LATEST_START {
            Rung::TooLate(start.due)
        } else {
            Rung::Start(start.due)
        }
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

/// The first start after `now`. A fixed time for which the burst has started is not due again because the
/// clock was set back by a little.
fn next(
    schedule: &Schedule,
    now: DateTime<Utc>,
    last: Option<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    let started = last.filter(|last| schedule.is_fixed() && *last - now <= LATEST_START);
    schedule.next_due(started.map_or(now, |last| last.max(now)))
}

#[cfg(test)]
#[path = "starts_tests.rs"]
mod tests;
