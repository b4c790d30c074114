//! What the chats of a run do: all the same, or several scenarios in fixed shares.

use std::sync::Arc;

use serde_json::json;

use super::chat_spec::ChatSpec;
use crate::{
    event::{Mode, RunIdentity, Subject},
    scenario::{Cost, Parameters, Rotation, Step, StepId, Turn},
    target::Target,
};

/// What the chats of a run do.
#[derive(Debug, Clone)]
pub struct Mix {
    /// Never empty.
    members: Arc<[MixMember]>,
    /// Whose chat comes when; `None` where all chats do the same.
    rotation: Option<Arc<Rotation>>,
}

/// The chats of a run that do the same.
#[derive(Debug)]
pub struct MixMember {
    /// What they do.
    pub chats: ChatSpec,
    /// How many there are, compared with the other members.
    pub weight: u64,
    /// The place of its first step among those of all members.
    first_step: usize,
}

/// A step of a run.
pub(super) struct StepOfMix<'a> {
    /// Its name; behind that of its scenario where there are several.
    pub(super) name: String,
    pub(super) step: &'a Step,
}

impl Mix {
    /// All chats do the same.
    pub fn of_one(chats: ChatSpec) -> Self {
        Self {
            members: [MixMember {
                chats,
                weight: 1,
                first_step: 0,
            }]
            .into(),
            rotation: None,
        }
    }

    /// Chats in these shares: any so many in a row as the sum of the weights without a common divisor have them exactly.
    /// `None` if there are none, or if the shares are exact only after more than [`Rotation::LONGEST`] chats.
    pub fn of(members: impl IntoIterator<Item = (ChatSpec, u64)>) -> Option<Self> {
        let mut steps = 0;
        let members = members.into_iter().map(|(chats, weight)| {
            let first_step = steps;
            steps += chats.scenario.all_steps().len();
            MixMember {
                chats,
                weight,
                first_step,
            }
        });
        let members: Arc<[_]> = members.collect();
        let weights: Vec<_> = members.iter().map(|member| member.weight).collect();
        let rotation = Some(Arc::new(Rotation::of(&weights)?));
        Some(Self { members, rotation })
    }

    /// The kinds of chats, in the order written.
    pub fn members(&self) -> &[MixMember] {
        &self.members
    }

    /// Whether there may be several kinds.
    pub fn is_mixed(&self) -> bool {
        self.rotation.is_some()
    }

    /// What a run of it measures.
    pub fn subject(&self, mode: Mode) -> Subject {
        let first = self.members[0].subject(mode);
        if !self.is_mixed() {
            return first;
        }
        let others = &self.members[1..];
        let is_same = |member: &MixMember| member.chats.target.name == first.target;
        Subject {
            scenario: RunIdentity::MIXED.into(),
            target: if others.iter().all(is_same) {
                first.target
            } else {
                RunIdentity::MIXED.into()
            },
            mode,
        }
    }

    /// Which member the chat with this number belongs to, counted from one, and how many of its chats come before.
    pub(super) fn turn(&self, chat: u64) -> Turn {
        let sequence = chat.saturating_sub(1);
        match &self.rotation {
            Some(rotation) => rotation.at(sequence),
            None => Turn { index: 0, sequence },
        }
    }

    /// Every step of every member, in the order of what is measured.
    pub(super) fn steps(&self) -> Vec<StepOfMix<'_>> {
        let all = self.members.iter().flat_map(|member| {
            let steps = member.chats.scenario.all_steps().into_iter();
            steps.map(|step| StepOfMix {
                name: self.qualified(member, &step.name),
                step,
            })
        });
        all.collect()
    }

    /// How a report names what belongs to a member.
    pub(super) fn qualified(&self, member: &MixMember, name: &str) -> String {
        if self.is_mixed() {
            format!("{}/{name}", member.chats.scenario.name)
        } else {
            name.to_owned()
        }
    }

    /// The place of the step with this name among those of all members.
    pub(super) fn step_named(&self, scenario: Option<&str>, name: &str) -> Option<StepId> {
        let is_of =
            |member: &&MixMember| scenario.is_none_or(|of| *member.chats.scenario.name == *of);
        let mut found = self.members.iter().filter(is_of);
        found.find_map(|member| Some(member.step(member.chats.scenario.step_named(name)?)))
    }

    /// The place of the member with this scenario.
    pub(super) fn member_named(&self, scenario: &str) -> Option<usize> {
        let mut members = self.members.iter();
        members.position(|member| *member.chats.scenario.name == *scenario)
    }

    /// Whether some chats open connections over which something comes outside of steps.
    pub fn connects(&self) -> bool {
        (self.members.iter()).any(|member| member.chats.scenario.connects())
    }

    /// Whether members of rooms are expected to receive what some chats publish.
    pub(super) fn expects_deliveries(&self) -> bool {
        (self.members.iter()).any(|member| member.chats.scenario.expects_deliveries())
    }

    /// What a run of it costs. It may keep a processor busy for two seconds for each of its members.
    pub fn cost(&self) -> Cost {
        let costs = self.members.iter().map(|member| {
            let ChatSpec {
                scenario,
                target,
                inputs,
            } = &member.chats;
            scenario.cost(target.variable(), inputs)
        });
        Cost::of_any(costs)
    }

    /// Its targets, each once.
    pub fn targets(&self) -> Vec<&Arc<Target>> {
        let mut targets: Vec<&Arc<Target>> = Vec::new();
        for member in &*self.members {
            let target = &member.chats.target;
            if !targets.iter().any(|known| known.name == target.name) {
                targets.push(target);
            }
        }
        targets
    }

    /// The value of every input as JSON; by scenario where there are several.
    pub fn inputs(&self) -> serde_json::Value {
        let of = |member: &MixMember| {
            let inputs = Parameters::behind(&member.chats.inputs);
            inputs.map(Parameters::to_json).unwrap_or_default()
        };
        if !self.is_mixed() {
            return of(&self.members[0]);
        }
        let mut all = json!({});
        for member in &*self.members {
            all[&*member.chats.scenario.name] = of(member);
        }
        all
    }
}

impl MixMember {
    /// What its chats measure.
    pub fn subject(&self, mode: Mode) -> Subject {
        Subject {
            scenario: self.chats.scenario.name.clone(),
            target: self.chats.target.name.clone(),
            mode,
        }
    }

    /// The place of one of its steps among those of all members.
    pub(super) fn step(&self, own: StepId) -> StepId {
        StepId::at(self.first_step + own.index())
    }
}
