//! What a run asks for at the moment, and how many chats it has started of late.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::units::Rate;

/// Over how long the rate of starts is taken.
const OF_LATE: Duration = Duration::from_secs(5);
/// Over less than this a rate says more about when somebody looked than about the run.
const LEAST: Duration = Duration::from_secs(1);
/// Counts are this far apart at least, which bounds how many are kept.
const APART: Duration = Duration::from_millis(50);

/// What a load profile asks for at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Asked {
    /// So many starts a second.
    Rate(Rate),
    /// So many customers.
    Customers(u64),
}

/// What a run in progress asks for and achieves at the moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Pace {
    /// Starts per second that the load profile asks for, zero while it starts none; null for one that says how
    /// many customers there are.
    pub rate: Option<f64>,
    /// Customers that the load profile asks for; null for one that says when chats start.
    pub customers: Option<u64>,
    /// Chats started per second, over the last 5 seconds, or from the last change, pause, resumption or stop on if
    /// that was later. Null within a second of it.
    pub started_per_second: Option<f64>,
}

/// Counts of starts at the moments of the last seconds.
#[derive(Debug, Default)]
pub(super) struct RecentStarts {
    asked: Option<Asked>,
    /// The oldest first.
    seen: VecDeque<Seen>,
}

/// So many chats had started so long after the run began.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Duration,
    started: u64,
}

impl RecentStarts {
    /// Notes what is asked for from now on, and how many chats have started by now.
    pub(super) fn note(&mut self, asked: Asked, at: Duration, started: u64) {
        self.asked = Some(asked);
        let last = self.seen.back();
        if last.is_none_or(|last| at.saturating_sub(last.at) >= APART) {
            self.seen.push_back(Seen { at, started });
        }
        let enough = |seen: &Seen| at.saturating_sub(seen.at) >= OF_LATE;
        while self.seen.get(1).is_some_and(enough) {
            self.seen.pop_front();
        }
    }

    /// The load is another one from now on: what was before says nothing about it.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
    }

    pub(super) fn pace(&self, at: Duration, started: u64) -> Pace {
        let (rate, customers) = match self.asked {
            Some(Asked::Rate(rate)) => (Some(rate.as_per_second()), None),
            Some(Asked::Customers(customers)) => (None, Some(customers)),
            None => (None, None),
        };
        Pace {
            rate,
            customers,
            started_per_second: self.started_per_second(at, started),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    fn started_per_second(&self, at: Duration, started: u64) -> Option<f64> {
        let since = self.seen.front()?;
        let over = at.saturating_sub(since.at);
        (over >= LEAST).then(|| (started - since.started) as f64 / over.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ASKED: Asked = Asked::Rate(Rate::ZERO);

    proptest! {
        #[test]
        fn a_rate_of_late_is_that_of_the_last_seconds_whenever_somebody_looks(
            steps in prop::collection::vec((50_u64..700, 0_u64..40), 1..100),
            late in 0_u64..700,
        ) {
            let mut recent = RecentStarts::default();
            let (mut at, mut started) = (Duration::ZERO, 0);
            let mut all = vec![(at, started)];
            recent.note(ASKED, at, started);
            for (millis, more) in steps {
                at += Duration::from_millis(millis);
                started += more;
                all.push((at, started));
                recent.note(ASKED, at, started);
            }
            let now = at + Duration::from_millis(late);
            let found = recent.pace(now, started).started_per_second;
            prop_assert_eq!(found.is_some(), now >= LEAST);
            // As many as that in some whole number of looks that cover the last seconds.
            let base = all.iter().rfind(|(seen, _)| *seen + OF_LATE <= at).unwrap_or(&all[0]);
            if let Some(found) = found {
                #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
                let counted = (started - base.1) as f64;
                let over = now.saturating_sub(base.0).as_secs_f64();
                prop_assert!((found * over - counted).abs() < 1e-6);
            }
            prop_assert!(recent.seen.len() <= 102);
        }
    }
}
