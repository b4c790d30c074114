use std::{collections::BTreeSet, sync::Arc};

use crate::scenario::{Observation, Reason, Scenario, Step};

/// One step that is known before it ever runs.
#[derive(Debug, Clone)]
pub struct StepDeclaration {
    /// Its name.
    pub name: Arc<str>,
    /// The reasons for which it can fail.
    pub reasons: Vec<Reason>,
    /// What it measures besides its duration.
    pub observes: Option<Observation>,
    /// Whether it sends something, and does not wait.
    pub is_request: bool,
}

/// What is known of a scenario before it ever runs: its series begin at 0, so that the first
/// failure is an increase and not a series that comes out of nothing.
#[derive(Debug, Clone, Default)]
pub struct Declaration {
    /// Every step of every part, in the order of their [ids](crate::scenario::StepId).
    pub steps: Vec<StepDeclaration>,
    /// Whether a step measures the wait for an agent.
    pub agent_join: bool,
    /// Whether events come in.
    pub callbacks: bool,
}

impl Declaration {
    /// What is known of this scenario.
    pub fn of(scenario: &Scenario) -> Self {
        let steps = scenario.all_steps();
        Self {
            steps: steps
                .iter()
                .map(|step| StepDeclaration {
                    name: step.name.clone(),
                    reasons: reasons(scenario, step),
                    observes: step.observe,
                    is_request: step.action.requests() > 0,
                })
                .collect(),
            agent_join: scenario.observes_agent_join(),
            callbacks: scenario.callbacks.is_some(),
        }
    }

    pub(super) fn is_request(&self, name: &str) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| *step.name == *name && step.is_request)
    }

    /// The reasons for which a chat can fail: those of its steps.
    pub(super) fn chat_reasons(&self) -> Vec<Reason> {
        let steps = self.steps.iter();
        let reasons: BTreeSet<Reason> = steps.flat_map(|step| step.reasons.clone()).collect();
        reasons.into_iter().collect()
    }
}

/// The reasons for which a step can fail; any step can be the one in which a chat passes its deadline.
fn reasons(scenario: &Scenario, step: &Step) -> Vec<Reason> {
    let mut reasons = step.reasons();
    if scenario.deadline.is_some() && !reasons.contains(&Reason::Timeout) {
        reasons.push(Reason::Timeout);
    }
    reasons
}
