//! Events of a run that came through the callbacks of other runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::RunIdentity;

/// Runs that a report lists by name; events through the callbacks of further ones are counted.
const MOST: usize = 20;
/// Runs that are kept. More than are listed, because a run whose events were all handed over is not listed.
const MOST_KEPT: usize = 64;

/// A run through whose callback events of another run came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OtherCallback {
    /// The run.
    pub run: String,
    /// The name of its probe or burst.
    pub name: String,
    /// How many events.
    pub events: u64,
}

/// How many events came through which callbacks. Of a part of a run more may have left than came.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct OtherCallbacks {
    total: i64,
    /// By the ids of runs, which are in the order of their beginnings: the first [`MOST_KEPT`].
    runs: BTreeMap<String, Through>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Through {
    /// The name of the probe or burst.
    name: String,
    events: i64,
}

impl OtherCallbacks {
    /// So many more events came through the callback of this run; less than none if they are of others.
    pub(super) fn add(&mut self, through: &RunIdentity, events: i64) {
        self.total += events;
        self.add_run(&through.id, &through.name, events);
    }

    /// Adds the events of others.
    pub(super) fn merge(&mut self, others: &Self) {
        self.total += others.total;
        for (run, through) in &others.runs {
            self.add_run(run, &through.name, through.events);
        }
    }

    fn add_run(&mut self, run: &str, name: &str, events: i64) {
        if let Some(known) = self.runs.get_mut(run) {
            known.events += events;
            return;
        }
        let name = name.to_owned();
        self.runs.insert(run.to_owned(), Through { name, events });
        if self.runs.len() > MOST_KEPT {
            self.runs.pop_last();
        }
    }

    /// How many events there are in all.
    pub(super) fn total(&self) -> u64 {
        u64::try_from(self.total).unwrap_or_default()
    }

    /// The first runs that have events, in the order of their beginnings.
    pub(super) fn report(&self) -> Vec<OtherCallback> {
        let known = self.runs.iter().filter_map(|(run, through)| {
            let events = u64::try_from(through.events).ok()?;
            Some(OtherCallback {
                run: run.clone(),
                name: through.name.clone(),
                events,
            })
        });
        let with_events = known.filter(|known| known.events > 0);
        with_events.take(MOST).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Mode, Subject, Trigger};

    fn runs(count: usize) -> Vec<RunIdentity> {
        let run = |_| {
            let subject = Subject {
                scenario: "s".into(),
                target: "t".into(),
                mode: Mode::Burst,
            };
            RunIdentity::new("rush".into(), subject, Trigger::Api)
        };
        (0..count).map(run).collect()
    }

    #[test]
    fn all_events_are_counted_and_the_first_twenty_runs_are_named() {
        let runs = runs(25);
        let mut callbacks = OtherCallbacks::default();
        for run in runs.iter().chain(&runs) {
            callbacks.add(run, 1);
        }
        let named = callbacks.report();
        assert_eq!((callbacks.total(), named.len()), (50, MOST));
        assert!(named.iter().all(|known| known.events == 2));
        callbacks.add(&runs[0], -2);
        let named = callbacks.report();
        assert_eq!((callbacks.total(), named.len()), (48, MOST));
        assert_eq!(named[0].run, runs[1].id);
        assert_eq!(named[MOST - 1].run, runs[MOST].id);
    }

    #[test]
    fn the_same_runs_are_kept_in_whatever_order_parts_are_merged() {
        let runs = runs(MOST_KEPT + 16);
        let parts = runs.chunks(30).map(|runs| {
            let mut part = OtherCallbacks::default();
            // The latest first.
            runs.iter().rev().for_each(|run| part.add(run, 1));
            part
        });
        let merged = |parts: &mut dyn Iterator<Item = &OtherCallbacks>| {
            let mut sum = OtherCallbacks::default();
            parts.for_each(|part| sum.merge(part));
            sum
        };
        let parts: Vec<_> = parts.collect();
        for sum in [merged(&mut parts.iter()), merged(&mut parts.iter().rev())] {
            let kept = runs.iter().take(MOST_KEPT).map(|run| &*run.id);
            assert!(sum.runs.keys().eq(kept));
            assert_eq!(sum.total(), runs.len() as u64);
        }
    }
}
