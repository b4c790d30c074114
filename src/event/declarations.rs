//! What a configuration declares to observers: the probes, bursts and steps whose results may follow.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{Mode, Objectives, Subject};
use crate::scenario::{Observation, Reason, Scenario, Step, StepId};

/// What of a configuration concerns observers.
#[derive(Debug, Clone, Default)]
pub struct Declarations {
    /// Its probes.
    pub probes: Vec<ProbeDeclaration>,
    /// Its bursts.
    pub bursts: Vec<BurstDeclaration>,
    /// The names of its scenarios; bursts may be asked for with any of them.
    pub scenarios: BTreeSet<Arc<str>>,
    /// The names of its targets; bursts may be asked for against any of them.
    pub targets: BTreeSet<Arc<str>>,
}

/// A probe.
#[derive(Debug, Clone)]
pub struct ProbeDeclaration {
    /// What it measures.
    pub subject: Subject,
    /// What its chats do.
    pub scenario: ScenarioDeclaration,
    /// Its interval.
    pub every: Duration,
    /// Its objectives.
    pub objectives: Objectives,
}

/// A burst.
#[derive(Debug, Clone)]
pub struct BurstDeclaration {
    /// Its name.
    pub name: Arc<str>,
    /// What its beginning and end are counted under.
    pub subject: Subject,
    /// Its chats, by scenario; one with the subject of the burst where all of them do the same.
    pub members: Vec<MemberDeclaration>,
}

/// The chats of a burst that do the same.
#[derive(Debug, Clone)]
pub struct MemberDeclaration {
    /// What they measure.
    pub subject: Subject,
    /// What they do.
    pub scenario: ScenarioDeclaration,
    /// The limits of thresholds of latency that are about them.
    pub limits: Vec<LatencyLimit>,
}

impl BurstDeclaration {
    /// Whether its chats are of several scenarios.
    pub fn is_mixed(&self) -> bool {
        self.members
            .iter()
            .all(|member| member.subject != self.subject)
    }
}

/// How long a chat, a step or a delivery may take to be in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatencyLimit {
    /// What may take so long.
    pub subject: LimitSubject,
    /// The longest duration that is in time.
    pub within: Duration,
}

/// What a [`LatencyLimit`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitSubject {
    /// Whole chats.
    Chats,
    /// A step.
    Step(StepId),
    /// Deliveries of messages to members of rooms.
    Deliveries,
}

/// What is known of a scenario before it ever runs: its series begin at 0, so that the first
/// failure is an increase and not a series that comes out of nothing.
#[derive(Debug, Clone, Default)]
pub struct ScenarioDeclaration {
    /// Every step of every part, in the order of their ids.
    pub steps: Vec<StepDeclaration>,
    /// Whether a step measures the wait for an agent.
    pub agent_join: bool,
    /// Whether events come in.
    pub callbacks: bool,
    /// Whether chats open sockets.
    pub sockets: SocketDeclaration,
}

/// Whether chats open sockets, and what for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SocketDeclaration {
    /// They open none.
    #[default]
    None,
    /// They open some, and nobody is expected to receive what they publish.
    Sockets,
    /// They are in rooms whose members are expected to receive what chats publish.
    Rooms,
}

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
    /// Whether it sends its request again until its answer says what it waits for.
    pub polls: bool,
}

impl Declarations {
    /// Whether something may be measured of a subject.
    pub fn may_measure(&self, subject: &Subject) -> bool {
        match subject.mode {
            Mode::Probe => self.probes.iter().any(|probe| probe.subject == *subject),
            Mode::Burst => {
                self.scenarios.contains(&subject.scenario) && self.targets.contains(&subject.target)
            }
        }
    }
}

impl ScenarioDeclaration {
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
                    polls: step.action.polls_every().is_some(),
                })
                .collect(),
            agent_join: scenario.observes_agent_join(),
            callbacks: scenario.callbacks.is_some(),
            sockets: SocketDeclaration::of(scenario),
        }
    }

    /// The reasons for which a chat can fail: those of its steps.
    pub fn chat_reasons(&self) -> Vec<Reason> {
        let steps = self.steps.iter();
        let reasons: BTreeSet<Reason> = steps.flat_map(|step| step.reasons.clone()).collect();
        reasons.into_iter().collect()
    }

    /// Whether the step with this name sends something.
    pub fn is_request(&self, name: &str) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| *step.name == *name && step.is_request)
    }

    /// Whether a limit is about the wait for an agent.
    pub fn is_about_join(&self, limit: &LatencyLimit) -> bool {
        let LimitSubject::Step(id) = limit.subject else {
            return false;
        };
        let step = self.steps.get(id.index());
        step.is_some_and(|step| step.observes == Some(Observation::AgentJoin))
    }
}

impl SocketDeclaration {
    fn of(scenario: &Scenario) -> Self {
        match (scenario.connects(), scenario.expects_deliveries()) {
            (_, true) => Self::Rooms,
            (true, false) => Self::Sockets,
            (false, false) => Self::None,
        }
    }

    /// Whether sockets are opened.
    pub fn has_sockets(self) -> bool {
        self != Self::None
    }

    /// Whether deliveries are expected.
    pub fn has_deliveries(self) -> bool {
        self == Self::Rooms
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
