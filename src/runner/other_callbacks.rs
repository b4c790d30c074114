//! Events of a run that came through the callbacks of other runs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::RunIdentity;

/// Runs that are told by name; events through the callbacks of further ones are counted.
const MOST: usize = 20;

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

/// How many events came through which callbacks.
#[derive(Debug, Default)]
pub(super) struct OtherCallbacks {
    pub(super) total: u64,
    pub(super) runs: Vec<OtherCallback>,
}

impl OtherCallbacks {
    /// An event came through the callback of this run.
    pub(super) fn add(&mut self, through: &RunIdentity) {
        self.total += 1;
        if let Some(known) = self.of(through) {
            known.events += 1;
        } else if self.runs.len() < MOST {
            self.runs.push(OtherCallback {
                run: through.id.clone(),
                name: through.name.to_string(),
                events: 1,
            });
        }
    }

    /// One that was added is an event of another run.
    pub(super) fn take(&mut self, through: &RunIdentity) {
        self.total = self.total.saturating_sub(1);
        if let Some(known) = self.of(through) {
            known.events -= 1;
        }
        self.runs.retain(|known| known.events > 0);
    }

    fn of(&mut self, run: &RunIdentity) -> Option<&mut OtherCallback> {
        self.runs.iter_mut().find(|known| known.run == run.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Mode, Subject, Trigger};

    #[test]
    fn all_events_are_counted_and_the_first_twenty_runs_are_named() {
        let runs: Vec<_> = (0..25)
            .map(|_| {
                let subject = Subject {
                    scenario: "s".into(),
                    target: "t".into(),
                    mode: Mode::Burst,
                };
                RunIdentity::new("rush".into(), subject, Trigger::Api)
            })
            .collect();
        let mut callbacks = OtherCallbacks::default();
        for run in runs.iter().chain(&runs) {
            callbacks.add(run);
        }
        assert_eq!((callbacks.total, callbacks.runs.len()), (50, MOST));
        assert!(callbacks.runs.iter().all(|known| known.events == 2));
        callbacks.take(&runs[0]);
        callbacks.take(&runs[0]);
        assert_eq!((callbacks.total, callbacks.runs.len()), (48, MOST - 1));
        assert_eq!(callbacks.runs[0].run, runs[1].id);
    }
}
