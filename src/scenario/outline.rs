//! What can be told of a scenario that has problems: enough to check what a probe, a burst or the command line
//! says of it, so that all problems come at once.

use std::sync::Arc;

use minijinja::Value as Variable;

use super::{Input, Scenario, input};
use crate::document::{Entry, Node, Place, Problems, Value};

/// What came of reading a scenario.
#[derive(Debug, Clone)]
pub enum ScenarioRead {
    /// It can be run.
    Whole(Arc<Scenario>),
    /// It has problems, which were noted.
    Outline(Arc<Outline>),
}

/// The inputs and steps of a scenario that cannot be run.
#[derive(Debug)]
pub struct Outline {
    name: String,
    inputs: Vec<Input>,
    /// Inputs with problems of their own.
    unreadable: Vec<String>,
    steps: Vec<String>,
}

impl Outline {
    /// Of a document that says how its scenario is called.
    pub fn of(node: &Node) -> Option<Self> {
        let Value::Text(name) = &node.find("scenario")?.value else {
            return None;
        };
        // They were noted when the scenario was read.
        let known = Problems::default();
        let declared = node.find("inputs");
        let inputs = declared.map_or_else(Vec::new, |node| Input::read_all(node, &known));
        let unreadable = match declared.map(|node| &node.value) {
            Some(Value::Map(entries)) => entries
                .iter()
                .filter(|entry| !inputs.iter().any(|input| input.name == entry.key))
                .map(|entry| entry.key.clone())
                .collect(),
            _ => Vec::new(),
        };
        let mut steps = Vec::new();
        for part in ["setup", "steps", "always", "teardown"] {
            if let Some(node) = node.find(part) {
                note_steps(node, &mut steps);
            }
        }
        Some(Self {
            name: name.clone(),
            inputs,
            unreadable,
            steps,
        })
    }

    /// How it is called.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl ScenarioRead {
    /// The scenario, if it can be run.
    pub fn whole(&self) -> Option<&Arc<Scenario>> {
        match self {
            Self::Whole(scenario) => Some(scenario),
            Self::Outline(_) => None,
        }
    }

    /// How it is called.
    pub fn name(&self) -> &str {
        match self {
            Self::Whole(scenario) => &scenario.name,
            Self::Outline(outline) => outline.name(),
        }
    }

    /// The names of its steps.
    pub fn step_names(&self) -> Vec<&str> {
        match self {
            Self::Whole(scenario) => {
                let steps = scenario.all_steps();
                steps.into_iter().map(|step| &*step.name).collect()
            }
            Self::Outline(outline) => outline.steps.iter().map(String::as_str).collect(),
        }
    }

    /// Whether its chats expect deliveries; of a scenario that cannot be run nothing is known, so it may.
    pub fn may_expect_deliveries(&self) -> bool {
        self.whole()
            .is_none_or(|scenario| scenario.expects_deliveries())
    }

    /// The value of every input, given what was set; anything wrong is noted. `None` for a scenario that
    /// cannot be run, too.
    pub fn resolve_inputs(
        &self,
        set: &[Entry],
        place: &Place,
        problems: &Problems,
    ) -> Option<Variable> {
        match self {
            Self::Whole(scenario) => scenario.resolve_inputs(set, place, problems),
            Self::Outline(outline) => {
                let readable: Vec<_> = set
                    .iter()
                    .filter(|entry| !outline.unreadable.contains(&entry.key))
                    .cloned()
                    .collect();
                input::resolve(&outline.name, &outline.inputs, &readable, place, problems);
                None
            }
        }
    }
}

/// The names of steps in a list, those inside other entries too.
fn note_steps(node: &Node, steps: &mut Vec<String>) {
    /// The keys of entries and of their parts behind which there are further entries.
    const INSIDE: [&str; 3] = ["steps", "choose", "else"];
    if let Value::List(list) = &node.value {
        for node in list {
            note_steps(node, steps);
        }
        if let Some(Value::Map(tracks)) = node.find("together").map(|node| &node.value) {
            for track in tracks {
                note_steps(&track.node, steps);
            }
        }
    }
    if let Some(Value::Text(name)) = node.find("step").map(|node| &node.value) {
        steps.push(name.clone());
    }
    for inside in INSIDE.iter().filter_map(|key| node.find(key)) {
        note_steps(inside, steps);
    }
}
