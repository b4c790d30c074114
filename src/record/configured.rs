//! What of the configuration concerns metrics: which series there are, and which are over.

use super::metrics::{Boundaries, Metrics};
use crate::event::{BurstDeclaration, Declarations, LimitSubject};

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
            for member in &burst.members {
                for limit in &member.limits {
                    let bounds = match limit.subject {
                        LimitSubject::Chats => &mut boundaries.chat,
                        LimitSubject::Step(_) => &mut boundaries.step,
                        LimitSubject::Deliveries => &mut boundaries.delivery,
                    };
                    bounds.push(limit.within);
                    if member.scenario.is_about_join(limit) {
                        boundaries.agent_join.push(limit.within);
                    }
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
            for member in &burst.members {
                self.declare_subject(&member.subject, &member.scenario);
            }
            self.declare_burst(burst);
        }
        self.retain_targets(declarations.targets.clone());
        self.retain(
            |subject| declarations.may_measure(subject),
            |name, subject| {
                let mut bursts = declarations.bursts.iter();
                let is_of = |burst: &BurstDeclaration| {
                    let mut members = burst.members.iter();
                    burst.subject == *subject || members.any(|member| member.subject == *subject)
                };
                bursts.any(|burst| *burst.name == *name && is_of(burst))
            },
        );
    }
}
