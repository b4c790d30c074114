//! What the chats of one member of a mixed run come to, counted with those of the others.

use std::sync::Arc;

use super::{RunSpec, Tally};
use crate::event::{Ending, Failure, RunEvent, RunIdentity, RunObserver};

/// Tells the counters of a run of the events of one of its members, under the steps of the whole run.
pub(super) struct MixedCounters {
    tally: Arc<Tally>,
    spec: Arc<RunSpec>,
    /// Which member.
    position: usize,
}

impl MixedCounters {
    pub(super) fn new(tally: Arc<Tally>, spec: Arc<RunSpec>, position: usize) -> Self {
        Self {
            tally,
            spec,
            position,
        }
    }

    /// The same failure at the step as the run names it.
    fn qualified(&self, failure: &Failure) -> Failure {
        let mix = &self.spec.mix;
        Failure {
            step: mix
                .qualified(&mix.members()[self.position], &failure.step)
                .into(),
            ..failure.clone()
        }
    }
}

impl RunObserver for MixedCounters {
    fn observe(&self, run: &Arc<RunIdentity>, event: &RunEvent) {
        let member = &self.spec.mix.members()[self.position];
        let of_run = match event {
            RunEvent::StepEnded {
                step,
                sent,
                outcome,
            } => RunEvent::StepEnded {
                step: member.step(*step),
                sent: *sent,
                outcome: *outcome,
            },
            RunEvent::RequestResent { step, times } => RunEvent::RequestResent {
                step: member.step(*step),
                times: *times,
            },
            RunEvent::StepPolled { step, requests } => RunEvent::StepPolled {
                step: member.step(*step),
                requests: *requests,
            },
            RunEvent::ChatEnded {
                chat,
                ending,
                duration,
                correlation,
            } => {
                self.tally
                    .chat_of_member_ended(self.position, ending, *duration);
                RunEvent::ChatEnded {
                    chat: *chat,
                    ending: match ending {
                        Ending::Failed(failure) => Ending::Failed(self.qualified(failure)),
                        Ending::Passed => Ending::Passed,
                        Ending::Stopped => Ending::Stopped,
                    },
                    duration: *duration,
                    correlation: correlation.clone(),
                }
            }
            other => return self.tally.observe(run, other),
        };
        self.tally.observe(run, &of_run);
    }
}
