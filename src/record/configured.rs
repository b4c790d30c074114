//! What of the configuration concerns metrics: which series there are, and which are over.

use super::metrics::{Boundaries, Metrics};
use crate::event::{Declarations, LimitSubject};

impl Boundaries {
    /// The limits of objectives and of thresholds.
    pub fn of(declarations: &Declarations) -> Self {
        let mut boundaries = Self::default();
        for probe in &declarations.probes {
            let objectives = &probe.objectives;
            boundaries.agent_join.push(objectives.agent_join.within);
            boundaries.step.push(objectives.steps.within);
        }
        for burst in &declarations.bursts {
            for limit in &burst.limits {
                let bounds = match limit.subject {
                    LimitSubject::Chats => &mut boundaries.chat,
                    LimitSubject::Step(_) => &mut boundaries.step,
                    LimitSubject::Deliveries => &mut boundaries.delivery,
                };
                bounds.push(limit.within);
                if burst.scenario.is_about_join(limit) {
                    boundaries.agent_join.push(limit.within);
                }
            }
        }
        boundaries
    }
}

impl Metrics {
    /// Declares everything in a configuration, then lets go of what is not in it any more.
    pub(super) fn follow(&self, declarations: &Declarations) {
        for probe in &declarations.probes {
            self.declare_subject(&probe.subject, &probe.scenario);
            self.declare_probe(probe);
        }
        for burst in &declarations.bursts {
            self.declare_subject(&burst.subject, &burst.scenario);
            self.declare_burst(&burst.name, &burst.subject);
        }
        self.retain_targets(declarations.targets.clone());
        self.retain(
            |subject| declarations.may_measure(subject),
            |name, subject| {
                let mut bursts = declarations.bursts.iter();
                bursts.any(|burst| *burst.name == *name && burst.subject == *subject)
            },
        );
    }
}
