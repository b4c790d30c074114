//! Events of a run that came through the webhooks of other runs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::RunIdentity;

/// Runs that are told by name; events through the webhooks of further ones are counted.
const MOST: usize = 20;

/// A run through whose webhook events of another run came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OtherWebhook {
    /// The run.
    pub run: String,
    /// The name of its probe or burst.
    pub name: String,
    /// How many events.
    pub events: u64,
}

/// How many events came through which webhooks.
#[derive(Debug, Default)]
pub(super) struct OtherWebhooks {
    pub(super) total: u64,
    pub(super) runs: Vec<OtherWebhook>,
}

impl OtherWebhooks {
    /// An event came through the webhook of this run.
    pub(super) fn add(&mut self, through: &RunIdentity) {
        self.total += 1;
        if let Some(known) = self.of(through) {
            known.events += 1;
        } else if self.runs.len() < MOST {
            self.runs.push(OtherWebhook {
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

    fn of(&mut self, run: &RunIdentity) -> Option<&mut OtherWebhook> {
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
        let mut webhooks = OtherWebhooks::default();
        for run in runs.iter().chain(&runs) {
            webhooks.add(run);
        }
        assert_eq!((webhooks.total, webhooks.runs.len()), (50, MOST));
        assert!(webhooks.runs.iter().all(|known| known.events == 2));
        webhooks.take(&runs[0]);
        webhooks.take(&runs[0]);
        assert_eq!((webhooks.total, webhooks.runs.len()), (48, MOST - 1));
        assert_eq!(webhooks.runs[0].run, runs[1].id);
    }
}
