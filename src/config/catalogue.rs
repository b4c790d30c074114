use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use super::{
    Kind,
    files::{read_file, scenario_files},
    rows::read_rows,
};
use crate::{
    document::{Entry, Mapping, Node, Place, Problems},
    plain_words,
    scenario::{Outline, RunScope, Scenario, ScenarioRead, Scope},
    target::Target,
};

/// The scenarios and targets that probes and bursts name.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// By name.
    pub scenarios: BTreeMap<Arc<str>, Arc<Scenario>>,
    /// By name.
    pub targets: BTreeMap<Arc<str>, Arc<Target>>,
    /// Names that are declared but have problems of their own: to use one is no second problem.
    broken: BTreeSet<String>,
    /// Scenarios among them, as far as they can be read.
    outlines: Vec<Arc<Outline>>,
}

/// A scenario and the target it runs against.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) scenario: Arc<Scenario>,
    pub(super) target: Arc<Target>,
}

/// The same as far as they could be read.
#[derive(Debug)]
pub(super) struct PairRead {
    pub(super) scenario: Option<ScenarioRead>,
    pub(super) target: Option<Arc<Target>>,
}

impl PairRead {
    /// Both, if nothing is wrong with them.
    pub(super) fn pair(&self) -> Option<Pair> {
        Some(Pair {
            scenario: self.scenario.as_ref()?.whole()?.clone(),
            target: self.target.clone()?,
        })
    }

    /// The value of every input, given what was set; anything wrong is noted, and where requests would be sent
    /// that may not be, too.
    pub(super) fn resolve_inputs(
        &self,
        set: &[Entry],
        place: &Place,
        problems: &Problems,
    ) -> Option<minijinja::Value> {
        let scenario = self.scenario.as_ref()?;
        let inputs = scenario.resolve_inputs(set, place, problems)?;
        if let Some(Pair { scenario, target }) = self.pair() {
            check_addresses(&scenario, &target, &inputs, place, problems);
        }
        Some(inputs)
    }
}

impl Catalogue {
    pub(super) fn read(
        scenarios: Option<&Node>,
        targets: Option<&Node>,
        directory: &Path,
        problems: &Problems,
    ) -> Self {
        let mut catalogue = Self::default();
        if let Some(node) = scenarios {
            catalogue.read_scenarios(node, directory, problems);
        }
        if let Some(node) = targets {
            for entry in node.entries("a mapping of names and targets", problems) {
                match Target::read(entry, directory, problems) {
                    Some(target) => {
                        catalogue
                            .targets
                            .insert(target.name.clone(), Arc::new(target));
                    }
                    None => {
                        catalogue.broken.insert(entry.key.clone());
                    }
                }
            }
        }
        catalogue
    }

    fn read_scenarios(&mut self, node: &Node, directory: &Path, problems: &Problems) {
        for node in node.list("a list of scenario files or folders", problems) {
            let Some(path) = node.text("the path of a scenario", problems) else {
                continue;
            };
            let files = match scenario_files(&directory.join(path)) {
                Ok(files) => files,
                Err(error) => {
                    let why = plain_words::of_system(&error);
                    problems.add(&node.place, format!("cannot read `{path}`: {why}"));
                    self.leave_out(Path::new(path));
                    continue;
                }
            };
            if files.is_empty() {
                problems.add(&node.place, format!("there is no YAML file in `{path}`"));
            }
            for file in files {
                self.read_scenario(&file, problems);
            }
        }
    }

    fn read_scenario(&mut self, file: &Path, problems: &Problems) {
        let node = match read_file(file, problems) {
            Ok(node) => node,
            Err(problem) => {
                problems.add(&problem.place, problem.message);
                self.leave_out(file);
                return;
            }
        };
        let scenario = Kind::Scenario
            .fits(&node, problems)
            .then(|| Scenario::read(&node, problems));
        let with_rows =
            |mut scenario: Scenario| read_rows(&mut scenario, file, problems).then_some(scenario);
        let Some(scenario) = scenario.flatten().and_then(with_rows) else {
            match Outline::of(&node) {
                Some(outline) => {
                    self.broken.insert(outline.name().to_owned());
                    self.outlines.push(Arc::new(outline));
                }
                None => self.leave_out(file),
            }
            return;
        };
        if let Some(first) = self.scenarios.get(&scenario.name) {
            let message = if first.place.source == scenario.place.source {
                "`scenarios` lists this file twice".to_owned()
            } else {
                format!(
                    "a second scenario named `{}`; the first is in {}",
                    scenario.name, first.place.source
                )
            };
            problems.add(&scenario.place, message);
            return;
        }
        self.scenarios
            .insert(scenario.name.clone(), Arc::new(scenario));
    }

    /// By convention a file is named like its scenario.
    fn leave_out(&mut self, file: &Path) {
        let stem = file.file_stem().unwrap_or_default();
        self.broken.insert(stem.to_string_lossy().into_owned());
    }

    /// The target, if there is only one.
    pub(super) fn only_target(&self) -> Option<&Arc<Target>> {
        let mut targets = self.targets.values();
        targets.next().filter(|_| targets.next().is_none())
    }

    /// Reads `scenario:` and `target:` of a probe or burst, or takes what `given` has instead, and for want of
    /// that `default` as the target.
    pub(super) fn read_pair(
        &self,
        map: &mut Mapping<'_>,
        given: Option<&Pair>,
        default: Option<&Arc<Target>>,
        problems: &Problems,
    ) -> PairRead {
        let scenario = match (map.get("scenario"), given) {
            (None, Some(given)) => Some(ScenarioRead::Whole(given.scenario.clone())),
            (Some(node), _) => match self.find(&self.scenarios, "scenario", node, problems) {
                Some(scenario) => Some(ScenarioRead::Whole(scenario)),
                None => node.as_written().and_then(|name| self.outline(name)),
            },
            (None, None) => missing("scenario", map.place, problems),
        };
        let target = match (map.get("target"), given) {
            (None, Some(given)) => Some(given.target.clone()),
            (Some(node), _) => self.find(&self.targets, "target", node, problems),
            (None, None) => match default {
                Some(target) => Some(target.clone()),
                None => missing("target", map.place, problems),
            },
        };
        let read = PairRead { scenario, target };
        if let Some(Pair { scenario, target }) = read.pair() {
            check_variables(&scenario, &target, map.place, problems);
        }
        read
    }

    /// The target that a burst names.
    pub(super) fn target(&self, node: &Node, problems: &Problems) -> Option<Arc<Target>> {
        self.find(&self.targets, "target", node, problems)
    }

    /// What can be told of a scenario that has problems of its own.
    pub fn outline(&self, name: &str) -> Option<ScenarioRead> {
        let mut outlines = self.outlines.iter();
        let found = outlines.find(|outline| outline.name() == name)?;
        Some(ScenarioRead::Outline(found.clone()))
    }

    /// Whether something of this name is declared and has problems of its own.
    pub fn is_broken(&self, name: &str) -> bool {
        self.broken.contains(name)
    }

    fn find<T>(
        &self,
        known: &BTreeMap<Arc<str>, Arc<T>>,
        what: &str,
        node: &Node,
        problems: &Problems,
    ) -> Option<Arc<T>> {
        let name = node.text(&format!("the name of a {what}"), problems)?;
        let found = known.get(name);
        if found.is_none() && !self.is_broken(name) {
            let hint = problems.hint(name, known.keys().map(AsRef::as_ref));
            problems.add(
                &node.place,
                format!("there is no {what} named `{name}`{hint}"),
            );
        }
        found.cloned()
    }
}

fn missing<T>(key: &str, place: &Place, problems: &Problems) -> Option<T> {
    problems.add(place, format!("the key `{key}` is missing here"));
    None
}

/// Whether the target has everything that the scenario asks of it.
pub fn check_variables(
    scenario: &Scenario,
    target: &Target,
    place: &Place,
    problems: &Problems,
) -> bool {
    let before = problems.count();
    for (variable, used_at) in &scenario.target_variables {
        if target.has(variable) {
            continue;
        }
        let hint = problems.hint(variable, target.names());
        problems.add(
            place,
            format!(
                "target `{}` has no variable `{variable}`, which scenario `{}` uses at {used_at}{hint}",
                target.name, scenario.name
            ),
        );
    }
    for (name, used_at) in &scenario.session_values {
        if target.keeps(name) {
            continue;
        }
        problems.add(
            place,
            format!(
                "target `{}` keeps no {name}, which scenario `{}` uses at {used_at}; write `{name}: true` in the target",
                target.name, scenario.name
            ),
        );
    }
    problems.count() == before
}

/// Whether requests of the scenario, with these inputs, are sent where they may be, as far as that is known
/// before a run.
pub fn check_addresses(
    scenario: &Scenario,
    target: &Target,
    inputs: &minijinja::Value,
    place: &Place,
    problems: &Problems,
) -> bool {
    let before = problems.count();
    let mut run = RunScope {
        target: target.variable(),
        inputs: inputs.clone(),
        ..RunScope::default()
    };
    run.origins = Arc::new(scenario.origins_of_run(target.origins(), &run));
    let scope = Arc::new(Scope::of_run(Arc::new(run)));
    for step in scenario.all_steps() {
        // What a condition asks of answers cannot be told before there are any.
        if step.when.as_ref().is_some_and(|when| !when.holds(&scope)) {
            continue;
        }
        if let Err(error) = step.action.check_address(&scope) {
            let (scenario, step) = (&scenario.name, &step.name);
            problems.add(
                place,
                format!("step `{step}` of scenario `{scenario}` at {error}"),
            );
        }
    }
    problems.count() == before
}
