use std::{sync::Arc, time::Duration};

use minijinja::Value;

use super::{Catalogue, catalogue::Pair, objectives};
use crate::{
    document::{Entry, Mapping, Place, Problems, canonical},
    event::Objectives,
    scenario::{Scenario, check_label, fingerprint},
    target::Target,
    units::duration,
};

/// A scenario against a target, one chat at a time, every interval, for ever.
#[derive(Debug)]
pub struct Probe {
    /// Its name.
    pub name: Arc<str>,
    /// What each chat does.
    pub scenario: Arc<Scenario>,
    /// Whom it talks to.
    pub target: Arc<Target>,
    /// The value of every input.
    pub inputs: Value,
    /// From one start to the next.
    pub every: Duration,
    /// How much later than that a start may be, drawn anew for each: keeps probes apart.
    pub jitter: Duration,
    /// Its objectives.
    pub objectives: Objectives,
    /// Where it is declared.
    pub place: Place,
    /// Everything about it, hashed: equal for probes that do the same.
    pub fingerprint: u64,
}

impl Probe {
    pub(super) fn read(entry: &Entry, catalogue: &Catalogue, problems: &Problems) -> Option<Self> {
        let before = problems.count();
        let wanted = "a probe such as `{ scenario: ..., target: ..., every: 30s }`";
        check_label(&entry.key, &entry.place, problems);
        let mut map = Mapping::open(&entry.node, wanted, problems)?;
        let read = catalogue.read_pair(&mut map, None, None, problems);
        let every = map.need("every").and_then(|node| {
            let every = node.duration(problems)?;
            if every.is_zero() {
                problems.add(
                    &node.place,
                    "a probe needs time between its chats; write for instance `30s`",
                );
                return None;
            }
            Some(every)
        });
        let jitter = map.get("jitter").and_then(|node| {
            let jitter = node.duration(problems)?;
            if every.is_some_and(|every| jitter >= every) {
                let shown = duration::format(jitter);
                problems.add(
                    &node.place,
                    format!("a jitter of {shown} must be shorter than `every`"),
                );
            }
            Some(jitter)
        });
        let objectives = map
            .get("objectives")
            .and_then(|node| objectives::read(node, problems));
        let inputs = map.get("inputs");
        let set = inputs
            .map(|node| node.entries("a mapping of inputs and values", problems))
            .unwrap_or_default();
        map.finish();
        let inputs = read.resolve_inputs(set, &entry.place, problems);
        (problems.count() == before).then_some(())?;
        let Pair { scenario, target } = read.pair()?;
        Some(Self {
            fingerprint: fingerprint(&format!(
                "{} {:x} {:x}",
                canonical(&entry.node),
                scenario.fingerprint,
                target.fingerprint
            )),
            name: entry.key.as_str().into(),
            scenario,
            target,
            inputs: inputs?,
            every: every?,
            jitter: jitter.unwrap_or_default(),
            objectives: objectives.unwrap_or_default(),
            place: entry.place.clone(),
        })
    }
}
