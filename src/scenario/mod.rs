//! The scenario language: what a customer does, read from YAML and compiled. Only actions do I/O, through drivers.
//!
//! [`Scenario::read`] goes through a document once, from top to bottom, and keeps in mind which
//! variables exist by then ([`Names`]); what is left to run is typed, compiled and known to name
//! nothing that cannot exist. At run time a [`Scope`] holds the values of one chat.

mod action;
mod bounds;
mod callbacks;
mod clients;
mod condition;
mod confidential;
mod cost;
mod engine_words;
mod evaluation;
mod expression;
mod extent;
mod flow;
mod input;
mod limits;
mod look;
mod mistake;
mod name;
mod names;
mod nesting;
mod observation;
mod operators;
mod outline;
mod parameter;
mod pause;
mod readings;
mod reason;
mod rows;
mod scope;
mod session_values;
mod setting;
mod single;
mod step_id;
mod steps;
mod template;
mod view;

use std::{
    collections::BTreeMap,
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use flow::Flow;
use steps::StepReader;

pub use action::*;
pub use bounds::Bounds;
pub use callbacks::{Callbacks, FieldPath, Verification, VerificationAnswer};
pub use clients::{Clients, DriverError, Drivers, Reuse};
pub use confidential::{TOKEN_BEGIN, is_confidential, note_confidential};
pub use cost::{Cost, ShortStay};
pub use expression::Expression;
pub use input::{Input, InputKind};
pub use name::is_name;
pub use names::Names;
pub use observation::Observation;
pub use outline::{Outline, ScenarioRead};
pub use parameter::{Parameter, Parameters};
pub use pause::{Pause, PausePlace};
pub use readings::{Reading, readings};
pub use reason::Reason;
pub use rows::{RowSource, Rows, RowsOfRun, Table, TableError};
pub use scope::{EvaluationError, RunScope, Scope, key_text};
pub use session_values::SessionValues;
pub use setting::{Quantity, Setting};
pub use step_id::StepId;
pub use steps::{
    Barrier, Branch, ChatEnd, Choose, DEFAULT_TIMEOUT, Item, NamedTrack, Nth, Otherwise, Repeat,
    Retry, Rotation, Step, Together, Turn, WaitUntil,
};
pub use template::Template;
pub use view::View;

use crate::{
    document::{Entry, Mapping, Node, Place, Problems, canonical},
    driver::Origins,
};

/// What one customer does, and what a run needs before and after its customers.
#[derive(Debug)]
pub struct Scenario {
    /// Its name; a metric label.
    pub name: Arc<str>,
    /// For people.
    pub description: Option<String>,
    /// Where it is declared.
    pub place: Place,
    /// Its parameters.
    pub inputs: Vec<Input>,
    /// How inbound events find their chat, if the scenario has any.
    pub callbacks: Option<Callbacks>,
    /// Rows of files that chats take; empty until the files are read.
    pub rows: Rows,
    /// Once per run, before the first chat.
    pub setup: Vec<Item>,
    /// Once per chat.
    pub steps: Vec<Item>,
    /// Once per chat that began, however it ended.
    pub always: Vec<Item>,
    /// Once per run, after the last chat.
    pub teardown: Vec<Item>,
    /// Everything that it says, hashed: equal for scenarios that do the same.
    pub fingerprint: u64,
    /// How long the steps of a chat may take together, counted like its duration; a chat that takes longer has
    /// failed.
    pub deadline: Option<Setting<Duration>>,
    /// How long a customer who loops waits between two chats.
    pub loop_delay: Option<Pause>,
    /// The captures by which the target's own logs know a chat; shown with its failure.
    pub correlation: Vec<Arc<str>>,
    /// What holds for all sockets of its chats.
    pub sockets: Arc<SocketRules>,
    /// The variables of a target that the scenario uses, and where it first does.
    pub target_variables: BTreeMap<String, Place>,
    /// Values of sessions that it uses, which a target has to keep, and where it first does.
    pub session_values: BTreeMap<&'static str, Place>,
    /// The servers that its own text names: in addresses of requests and in defaults of inputs.
    pub origins: Origins,
}

impl Scenario {
    /// Reads a scenario, noting every problem; `None` if there was one.
    pub fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let before = problems.count();
        let node = &*node.without_extensions();
        let mut map = Mapping::open(node, "a scenario", problems)?;
        let name = map
            .need("scenario")
            .and_then(|node| read_name(node, problems));
        let description = map
            .get("description")
            .and_then(|node| node.text("text", problems))
            .map(str::to_owned);
        let inputs = map
            .get("inputs")
            .map(|node| Input::read_all(node, problems))
            .unwrap_or_default();
        let rows = map.get("rows");
        let mut rows = rows.map_or_else(Rows::default, |node| Rows::read(node, problems));
        let callbacks = map.get("callbacks");
        let looks = Action::all_looks().chain([&callbacks::DELIVERY]);
        let mut names = Names::new(callbacks.is_some(), node, &inputs, looks);
        let mut callbacks = callbacks.and_then(|node| Callbacks::read(node, &mut names, problems));
        let mut reader = StepReader {
            names,
            problems,
            read: Vec::new(),
            claimed: false,
            sockets: Vec::new(),
            streams: Vec::new(),
            of_tracks: BTreeMap::new(),
            pending_marks: Vec::new(),
            rules: Arc::default(),
            branches: Vec::new(),
        };
        let flow = Flow::read(&mut map, node, &mut reader);
        if let Some(callbacks) = &mut callbacks {
            callbacks.note_looks(&reader.names);
        }
        rows.use_columns(reader.names.take_row_columns());
        let session_values = reader.names.take_session_values();
        let mut origins = reader.names.take_origins();
        for default in inputs.iter().filter_map(|input| input.default.as_ref()) {
            origins.add_address(&default.sent());
        }
        let target_variables = reader.names.into_target_variables();
        map.finish();
        if problems.count() > before {
            return None;
        }
        Some(Self {
            name: name?,
            description,
            place: node.place.clone(),
            inputs,
            callbacks,
            rows,
            setup: flow.setup,
            steps: flow.steps?,
            always: flow.always,
            teardown: flow.teardown,
            fingerprint: fingerprint(&canonical(node)),
            deadline: flow.deadline,
            loop_delay: flow.loop_delay,
            correlation: flow.correlation,
            sockets: flow.sockets,
            target_variables,
            session_values,
            origins,
        })
    }

    /// The value of every input, given what was set; anything wrong is noted.
    pub fn resolve_inputs(
        &self,
        set: &[Entry],
        place: &Place,
        problems: &Problems,
    ) -> Option<minijinja::Value> {
        let values = input::resolve(&self.name, &self.inputs, set, place, problems)?;
        Some(values.into())
    }

    /// What the files of its rows hold belongs to what it does.
    pub fn note_contents_of_rows(&mut self) {
        let mut hasher = std::hash::DefaultHasher::new();
        self.fingerprint.hash(&mut hasher);
        self.rows.hash_contents(&mut hasher);
        self.fingerprint = hasher.finish();
    }

    /// Every step of every part, in the order written and of their ids.
    pub fn all_steps(&self) -> Vec<&Step> {
        let mut steps = Vec::new();
        for item in [&self.setup, &self.steps, &self.always, &self.teardown]
            .into_iter()
            .flatten()
        {
            item.each_step(&mut |step| steps.push(step));
        }
        steps
    }

    /// Whether frames may come for its chats: some step opens a connection.
    pub fn connects(&self) -> bool {
        self.all_steps()
            .iter()
            .any(|step| step.action.connects().is_some())
    }

    /// Whether its chats wait for each other somewhere.
    pub fn has_barriers(&self) -> bool {
        let is_barrier = |item: &Item| matches!(item, Item::Barrier(_));
        self.steps.iter().any(|item| item.has(is_barrier))
    }

    /// The step with this name.
    pub fn step_named(&self, name: &str) -> Option<StepId> {
        let mut steps = self.all_steps().into_iter();
        steps.find(|step| *step.name == *name).map(|step| step.id)
    }

    /// The servers that anything in a run may lead requests to: those of the target, and those that the scenario
    /// names by its own text and values of the configuration.
    pub fn origins_of_run(&self, of_target: Origins, run: &RunScope) -> Origins {
        let mut origins = of_target;
        origins.add_all(&self.origins);
        let scope = Arc::new(Scope::of_run(Arc::new(run.clone())));
        for step in self.all_steps() {
            step.action.add_origin(&scope, &mut origins);
        }
        origins
    }

    /// Whether some step measures how long customers wait for an agent.
    pub fn observes_agent_join(&self) -> bool {
        let join = Some(Observation::AgentJoin);
        self.all_steps().iter().any(|step| step.observe == join)
    }

    /// Whether members of rooms are expected to receive what chats publish.
    pub fn expects_deliveries(&self) -> bool {
        self.sockets.deliveries.is_some()
    }
}

/// A hash that tells one text from another within this process.
pub fn fingerprint(text: &str) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Whether a text can be the name of a scenario, target, probe or burst: they become labels of
/// metrics and parts of addresses.
pub fn check_label(text: &str, place: &Place, problems: &Problems) -> bool {
    let fits = !text.is_empty()
        && text.len() <= 64
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !fits {
        problems.add(
            place,
            format!("`{text}` cannot be a name; use up to 64 letters, digits, `-`, `_` and `.`"),
        );
    }
    fits
}

fn read_name(node: &Node, problems: &Problems) -> Option<Arc<str>> {
    let text = node.text("the name of the scenario", problems)?;
    check_label(text, &node.place, problems).then(|| text.into())
}

#[cfg(test)]
mod tests;
