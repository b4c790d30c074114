//! What a plan declares to observers.

use super::{Burst, Plan};
use crate::{
    event::{
        BurstDeclaration, Declarations, LatencyLimit, LimitSubject, MemberDeclaration, Mode,
        ProbeDeclaration, ScenarioDeclaration, Subject,
    },
    load::{Measure, Threshold, ThresholdSubject},
    scenario::Scenario,
};

impl Plan {
    /// What of it concerns observers.
    pub fn declarations(&self) -> Declarations {
        let probes = self.probes.iter().map(|probe| ProbeDeclaration {
            subject: Subject {
                scenario: probe.scenario.name.clone(),
                target: probe.target.name.clone(),
                mode: Mode::Probe,
            },
            scenario: ScenarioDeclaration::of(&probe.scenario),
            every: probe.every,
            objectives: probe.objectives,
        });
        let bursts = self.bursts.iter().map(|burst| BurstDeclaration {
            name: burst.name.clone(),
            subject: burst.subject(),
            members: members(burst),
        });
        Declarations {
            probes: probes.collect(),
            bursts: bursts.collect(),
            scenarios: self.catalogue.scenarios.keys().cloned().collect(),
            targets: self.catalogue.targets.keys().cloned().collect(),
        }
    }
}

fn members(burst: &Burst) -> Vec<MemberDeclaration> {
    let members = burst.mix.members().iter();
    let declared = members.map(|member| MemberDeclaration {
        subject: member.subject(Mode::Burst),
        scenario: ScenarioDeclaration::of(&member.chats.scenario),
        limits: limits(burst, &member.chats.scenario),
    });
    declared.collect()
}

/// The limits that are about chats of this scenario.
fn limits(burst: &Burst, scenario: &Scenario) -> Vec<LatencyLimit> {
    let limit = |threshold: &Threshold| {
        let Measure::Latency { limit, .. } = threshold.measure() else {
            return None;
        };
        if threshold.scenario().is_some_and(|of| *of != *scenario.name) {
            return None;
        }
        Some(LatencyLimit {
            subject: match threshold.subject() {
                ThresholdSubject::Chats => LimitSubject::Chats,
                ThresholdSubject::Step(name) => LimitSubject::Step(scenario.step_named(name)?),
                ThresholdSubject::Deliveries => LimitSubject::Deliveries,
            },
            within: limit,
        })
    };
    burst.thresholds.iter().filter_map(limit).collect()
}
