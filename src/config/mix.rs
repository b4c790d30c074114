//! What the chats of a burst do: one scenario, or several in fixed shares.

use std::{collections::BTreeSet, sync::Arc};

use super::{Catalogue, catalogue::Pair};
use crate::{
    document::{Entry, Mapping, Node, Problems},
    runner::{ChatSpec, Mix},
    scenario::{Rotation, ScenarioRead},
    target::Target,
};

/// The most scenarios of one mix.
const MOST_MEMBERS: usize = 100;
/// The largest weight.
const LARGEST_WEIGHT: u64 = 1_000_000;

/// What the chats of a burst do, as far as it could be read.
#[derive(Default)]
pub(super) struct ChatsRead {
    pub(super) mix: Option<Mix>,
    /// What was set, to be taken over by a request that changes only some of it.
    pub(super) set: Vec<Entry>,
    /// The scenarios of which something is known; `None` if one of them is missing.
    pub(super) scenarios: Option<Vec<ScenarioRead>>,
}

/// What a burst has that does not say so itself.
pub(super) struct UnsaidChats<'a> {
    /// These chats.
    pub(super) mix: Option<&'a Mix>,
    /// These inputs of them, if they are of one scenario.
    pub(super) set: Vec<Entry>,
    /// This target, where nothing names one.
    pub(super) target: Option<&'a Arc<Target>>,
}

impl ChatsRead {
    /// Reads `scenario`, `target` and `inputs` of a burst, or `mix`.
    pub(super) fn read(
        map: &mut Mapping<'_>,
        unsaid: UnsaidChats<'_>,
        catalogue: &Catalogue,
        problems: &Problems,
    ) -> Self {
        if let Some(node) = map.get("mix") {
            return Self::mixed(node, map, &unsaid, catalogue, problems);
        }
        let base = unsaid
            .mix
            .filter(|mix| mix.is_mixed() && !map.has("scenario"));
        if let Some(mix) = base {
            refuse(
                map,
                &["target", "inputs"],
                "each entry of the `mix` of the burst has its own; give a `mix`",
                problems,
            );
            let members = mix.members().iter();
            let scenarios =
                members.map(|member| ScenarioRead::Whole(member.chats.scenario.clone()));
            return Self {
                mix: Some(mix.clone()),
                set: Vec::new(),
                scenarios: Some(scenarios.collect()),
            };
        }
        Self::alike(map, unsaid, catalogue, problems)
    }

    fn alike(
        map: &mut Mapping<'_>,
        unsaid: UnsaidChats<'_>,
        catalogue: &Catalogue,
        problems: &Problems,
    ) -> Self {
        let given = unsaid.mix.filter(|mix| !mix.is_mixed()).map(|mix| {
            let chats = &mix.members()[0].chats;
            Pair {
                scenario: chats.scenario.clone(),
                target: chats.target.clone(),
            }
        });
        let read = catalogue.read_pair(map, given.as_ref(), unsaid.target, problems);
        let mut set = unsaid.set;
        if let Some(node) = map.get("inputs") {
            let entries = node.entries("a mapping of inputs and values", problems);
            let new: BTreeSet<_> = entries.iter().map(|entry| &*entry.key).collect();
            set.retain(|old| !new.contains(&*old.key));
            set.extend(entries.iter().cloned());
        }
        let inputs = read.resolve_inputs(&set, map.place, problems);
        let chats = read.pair().zip(inputs);
        Self {
            mix: chats.map(|(Pair { scenario, target }, inputs)| {
                Mix::of_one(ChatSpec {
                    scenario,
                    target,
                    inputs,
                })
            }),
            set,
            scenarios: read.scenario.map(|scenario| vec![scenario]),
        }
    }

    fn mixed(
        node: &Node,
        map: &mut Mapping<'_>,
        unsaid: &UnsaidChats<'_>,
        catalogue: &Catalogue,
        problems: &Problems,
    ) -> Self {
        let before = problems.count();
        refuse(
            map,
            &["scenario", "inputs"],
            "each entry of `mix` has its own",
            problems,
        );
        let target = map
            .get("target")
            .and_then(|node| catalogue.target(node, problems));
        let target = target.as_ref().or(unsaid.target);
        let entries = node.list(
            "a list of scenarios such as `{ scenario: a, weight: 3 }`",
            problems,
        );
        if (entries.is_empty() && problems.count() == before) || entries.len() > MOST_MEMBERS {
            problems.add(
                &node.place,
                format!("a `mix` has at least one scenario, and at most {MOST_MEMBERS}"),
            );
            return Self::default();
        }
        let mut members: Vec<MemberRead> = Vec::new();
        for node in entries {
            if let Some(member) = MemberRead::read(node, target, catalogue, problems) {
                member.check_name(node, &members, problems);
                members.push(member);
            }
        }
        if problems.count() > before {
            return Self::default();
        }
        let scenarios = members
            .iter()
            .map(|member| ScenarioRead::Whole(member.chats.scenario.clone()));
        let scenarios = Some(scenarios.collect());
        let mix = Mix::of(
            members
                .into_iter()
                .map(|member| (member.chats, member.weight)),
        );
        if mix.is_none() {
            let most = Rotation::LONGEST;
            problems.add(
                &node.place,
                format!("these weights are shared out exactly only in more than {most} chats; use rounder weights"),
            );
        }
        Self {
            mix,
            set: Vec::new(),
            scenarios,
        }
    }
}

/// An entry of a mix.
struct MemberRead {
    chats: ChatSpec,
    weight: u64,
}

impl MemberRead {
    fn read(
        node: &Node,
        default: Option<&Arc<Target>>,
        catalogue: &Catalogue,
        problems: &Problems,
    ) -> Option<Self> {
        let wanted = "a scenario such as `{ scenario: a, weight: 3 }`";
        let mut map = Mapping::open(node, wanted, problems)?;
        let read = catalogue.read_pair(&mut map, None, default, problems);
        let weight = match map.get("weight") {
            Some(node) => node.whole_number_in(1..=LARGEST_WEIGHT, problems),
            None => Some(1),
        };
        let inputs = map.get("inputs");
        let set = inputs.map(|node| node.entries("a mapping of inputs and values", problems));
        let inputs = read.resolve_inputs(set.unwrap_or_default(), map.place, problems);
        map.finish();
        let Pair { scenario, target } = read.pair()?;
        Some(Self {
            chats: ChatSpec {
                scenario,
                target,
                inputs: inputs?,
            },
            weight: weight?,
        })
    }

    /// Reports and thresholds know the members of a mix by their scenarios.
    fn check_name(&self, node: &Node, before: &[Self], problems: &Problems) {
        let name = &self.chats.scenario.name;
        if before
            .iter()
            .any(|other| other.chats.scenario.name == *name)
        {
            problems.add(
                &node.place,
                format!("the scenario `{name}` stands in this `mix` twice; add up its weights"),
            );
        }
    }
}

/// Notes that these keys do not belong here.
fn refuse(map: &mut Mapping<'_>, keys: &[&'static str], why: &str, problems: &Problems) {
    for key in keys {
        if let Some(node) = map.get(key) {
            problems.add(
                &node.place,
                format!("`{key}` does not go with `mix`: {why}"),
            );
        }
    }
}
