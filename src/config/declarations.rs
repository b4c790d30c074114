//! What a plan declares to observers.

use super::{Burst, Plan};
use crate::{
    event::{
        BurstDeclaration, Declarations, LatencyLimit, LimitSubject, Mode, ProbeDeclaration,
        ScenarioDeclaration, Subject,
    },
    load::{Measure, Threshold, ThresholdSubject},
    scenario::Scenario,
    target::Target,
};

impl Plan {
    /// What of it concerns observers.
    pub fn declarations(&self) -> Declarations {
        let probes = self.probes.iter().map(|probe| ProbeDeclaration {
            subject: subject(&probe.scenario, &probe.target, Mode::Probe),
            scenario: ScenarioDeclaration::of(&probe.scenario),
            every: probe.every,
            objectives: probe.objectives,
        });
        let bursts = self.bursts.iter().map(|burst| BurstDeclaration {
            name: burst.name.clone(),
            subject: subject(&burst.scenario, &burst.target, Mode::Burst),
            scenario: ScenarioDeclaration::of(&burst.scenario),
            limits: limits(burst),
        });
        Declarations {
            probes: probes.collect(),
            bursts: bursts.collect(),
            scenarios: self.catalogue.scenarios.keys().cloned().collect(),
            targets: self.catalogue.targets.keys().cloned().collect(),
        }
    }
}

fn subject(scenario: &Scenario, target: &Target, mode: Mode) -> Subject {
    Subject {
        scenario: scenario.name.clone(),
        target: target.name.clone(),
        mode,
    }
}

fn limits(burst: &Burst) -> Vec<LatencyLimit> {
    let limit = |threshold: &Threshold| {
        let Measure::Latency { limit, .. } = threshold.measure() else {
            return None;
        };
        Some(LatencyLimit {
            subject: match threshold.subject() {
                ThresholdSubject::Chats => LimitSubject::Chats,
                ThresholdSubject::Step(name) => {
                    LimitSubject::Step(burst.scenario.step_named(name)?)
                }
                ThresholdSubject::Deliveries => LimitSubject::Deliveries,
            },
            within: limit,
        })
    };
    burst.thresholds.iter().filter_map(limit).collect()
}
