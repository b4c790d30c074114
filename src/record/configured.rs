//! What of the configuration concerns observers: which series there are, and which are over.

use std::sync::Arc;

use super::metrics::{Boundaries, Declaration, Metrics};
use crate::{
    config::{Burst, Plan},
    event::{Mode, Subject},
    load::Measure,
    scenario::{Observation, Scenario},
};

/// Whether something may still be measured of a subject. Bursts may be asked for with any scenario
/// against any target.
pub(super) fn is_configured(plan: &Plan, subject: &Subject) -> bool {
    match subject.mode {
        Mode::Probe => plan.probes.iter().any(|probe| {
            probe.scenario.name == subject.scenario && probe.target.name == subject.target
        }),
        Mode::Burst => {
            plan.catalogue.scenarios.contains_key(&subject.scenario)
                && plan.catalogue.targets.contains_key(&subject.target)
        }
    }
}

impl Boundaries {
    /// The limits of the plan's thresholds.
    pub fn of(plan: &Plan) -> Self {
        let mut boundaries = Self::default();
        for probe in &plan.probes {
            boundaries
                .agent_join
                .push(probe.objectives.agent_join.within);
            boundaries.step.push(probe.objectives.steps.within);
        }
        for burst in &plan.bursts {
            for threshold in &burst.thresholds {
                let Measure::Latency { limit, .. } = threshold.measure() else {
                    continue;
                };
                match threshold.step() {
                    None => boundaries.chat.push(limit),
                    Some(step) => {
                        boundaries.step.push(limit);
                        if observes_join(&burst.scenario, step) {
                            boundaries.agent_join.push(limit);
                        }
                    }
                }
            }
        }
        boundaries
    }
}

fn observes_join(scenario: &Scenario, name: &str) -> bool {
    let join = Some(Observation::AgentJoin);
    let steps = scenario.all_steps();
    steps
        .iter()
        .any(|step| *step.name == *name && step.observe == join)
}

impl Metrics {
    /// Declares everything in the plan, then lets go of what is not in it any more.
    pub(super) fn follow(&self, plan: &Plan) {
        for probe in &plan.probes {
            let subject = subject(&probe.scenario, &probe.target.name, Mode::Probe);
            let declaration = Declaration::of(&probe.scenario);
            self.declare_subject(&subject, &declaration);
            self.declare_probe(&subject, probe.every, &probe.objectives, &declaration);
        }
        for burst in &plan.bursts {
            let subject = burst_subject(burst);
            self.declare_subject(&subject, &Declaration::of(&burst.scenario));
            self.declare_burst(&burst.name, &subject);
        }
        self.retain_targets(plan.catalogue.targets.keys().cloned().collect());
        self.retain(
            |subject| is_configured(plan, subject),
            |name, subject| {
                plan.bursts
                    .iter()
                    .any(|burst| *burst.name == *name && burst_subject(burst) == *subject)
            },
        );
    }
}

fn burst_subject(burst: &Burst) -> Subject {
    subject(&burst.scenario, &burst.target.name, Mode::Burst)
}

fn subject(scenario: &Scenario, target: &Arc<str>, mode: Mode) -> Subject {
    Subject {
        scenario: scenario.name.clone(),
        target: target.clone(),
        mode,
    }
}
