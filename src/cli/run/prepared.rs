//! What a command line asks for, read and checked before anything starts.

use std::{env, path::Path, sync::Arc};

use super::Run;
use crate::{
    cli::{baseline::Earlier, parse_option, target::Chosen},
    config::{Plan, check_addresses, read_scenario, thresholds_of},
    document::{Entry, Node, Place, Problem, Problems, did_you_mean},
    event::{Mode, Trigger},
    load::{Profile, Threshold},
    push::PushSettings,
    runner::{ChatSpec, HealthBudget, Mix, RunSpec},
    scenario::{ScenarioRead, check_label},
    service::SECTIONS,
    target::{Target, check_url},
};

/// The variable of the environment with the token for the address that `--push` gives.
const PUSH_TOKEN: &str = "CHATPROBE_PUSH_TOKEN";

/// What the chats of a run do, to whom and with what, as far as it could be read.
#[derive(Default)]
pub(super) struct RunSubject {
    pub(super) scenario: Option<ScenarioRead>,
    pub(super) target: Option<Arc<Target>>,
    pub(super) inputs: Option<minijinja::Value>,
}

/// Everything that the command line says about the run, checked.
pub(super) struct Prepared {
    pub(super) spec: RunSpec,
    pub(super) budget: HealthBudget,
    pub(super) callback_url: Option<String>,
    pub(super) earlier: Option<Earlier>,
    /// Where its results are pushed to.
    pub(super) push: Option<PushSettings>,
}

/// What is known of the configuration.
enum Known {
    /// It is not needed.
    None,
    /// It has such problems that nothing can be told of it.
    Nothing,
    /// What of it has no problems.
    Plan(Box<Plan>),
}

impl Known {
    fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Plan(plan) => Some(plan),
            Self::None | Self::Nothing => None,
        }
    }
}

impl Run {
    /// Reads all of it; what is wrong comes at once.
    pub(super) fn prepare(&self) -> Result<Prepared, Vec<Problem>> {
        let problems = Problems::default();
        let plan = if self.needs_configuration() {
            let read = Plan::read_noting(&self.configuration.config, SECTIONS, &problems);
            read.map_or(Known::Nothing, |plan| Known::Plan(Box::new(plan)))
        } else {
            Known::None
        };
        let spec = self.spec(&plan, &problems);
        let refuse = |option: &str, message| problems.add(&Place::whole(option), message);
        let callback_url = self.callback_url.as_deref().and_then(|url| {
            let url = check_url(url);
            url.map_err(|message| refuse("--callback-url", message))
                .ok()
        });
        let scenario = spec.as_ref().map(|spec| &*spec.identity.subject.scenario);
        let earlier = Earlier::read(&self.baselines, scenario, self.regression);
        let earlier = earlier.map_err(|message| refuse("--baseline", message));
        check_label(&self.name, &Place::whole("--name"), &problems);
        let push = self.push_settings(plan.plan(), &problems);
        problems.into_result()?;
        let budget = plan.plan().map(|plan| plan.settings.health);
        // Without a problem there is something to run: each reader that gives up notes why.
        Ok(Prepared {
            spec: spec.ok_or_else(Vec::new)?,
            budget: budget.unwrap_or_default(),
            callback_url,
            earlier: earlier.unwrap_or_default(),
            push,
        })
    }

    /// Where results are pushed to: where the command line says, or else the configuration.
    fn push_settings(&self, plan: Option<&Plan>, problems: &Problems) -> Option<PushSettings> {
        let configured = plan.and_then(|plan| plan.settings.push.as_ref());
        let Some(text) = &self.push else {
            return configured.cloned();
        };
        let token = env::var(PUSH_TOKEN).ok().filter(|token| !token.is_empty());
        PushSettings::of_option(text, configured, token.map(Into::into), problems)
    }

    /// Whether the command line does not say everything.
    fn needs_configuration(&self) -> bool {
        let path = &self.configuration.config;
        match &self.scenario {
            Some(scenario) => !Path::new(scenario).is_file() || path.exists(),
            None => false,
        }
    }

    fn spec(&self, plan: &Known, problems: &Problems) -> Option<RunSpec> {
        let load =
            option("--load", &self.load, problems).and_then(|node| Profile::read(&node, problems));
        let given = match &self.scenario {
            Some(scenario) => self.given(scenario, plan, problems),
            None => self.request.read(problems).unwrap_or_default(),
        };
        let RunSubject {
            scenario,
            target,
            inputs,
        } = given;
        let before_thresholds = problems.count();
        let thresholds = self.thresholds(scenario.as_ref(), problems);
        // Those that could not be read have been told of.
        if let (Some(load), true) = (&load, problems.count() == before_thresholds) {
            load.check_thresholds(&thresholds, &Place::whole("--load"), problems);
        }
        let chats = ChatSpec {
            scenario: scenario?.whole()?.clone(),
            target: target?,
            inputs: inputs?,
        };
        let (mode, trigger) = (Mode::Burst, Trigger::CommandLine);
        let name = self.name.as_str().into();
        let mut spec = RunSpec::new(name, mode, trigger, Mix::of_one(chats), load?);
        spec.thresholds = thresholds;
        spec.configuration = plan.plan().map(|plan| plan.fingerprint);
        if let Some(seed) = self.seed {
            spec.seed = seed;
        }
        Some(spec)
    }

    fn given(&self, scenario: &str, plan: &Known, problems: &Problems) -> RunSubject {
        let scenario = read_or_find(scenario, plan, problems);
        let variables = assignments("--variable", &self.variables, problems);
        let also = self.also.iter().cloned().collect();
        let option = self.target.as_deref();
        let target = match plan {
            // Which targets there are is not known.
            Known::Nothing => None,
            // Whatever was given as the scenario may have named one.
            Known::None if scenario.is_none() && option.is_none() => None,
            known => Chosen::read(option, &variables, &also, known.plan(), problems),
        };
        let set = assignments("--input", &self.inputs, problems);
        let place = Place::whole("command line");
        let read = scenario.as_ref();
        let inputs = read.and_then(|read| read.resolve_inputs(&set, &place, problems));
        if let (Some(target), Some(whole)) = (&target, read.and_then(ScenarioRead::whole)) {
            target.check(whole, problems);
            if let Some(inputs) = &inputs {
                check_addresses(whole, &target.target, inputs, &place, problems);
            }
        }
        RunSubject {
            scenario,
            target: target.map(|target| target.target),
            inputs,
        }
    }

    fn thresholds(&self, scenario: Option<&ScenarioRead>, problems: &Problems) -> Vec<Threshold> {
        let nodes = self
            .thresholds
            .iter()
            .filter_map(|text| option("--threshold", &format!("[{text}]"), problems));
        let scenarios = scenario.map(std::slice::from_ref);
        let read = |node: Node| thresholds_of(scenarios, &node, problems);
        nodes.flat_map(read).collect()
    }
}

/// A scenario of the configuration, or of a file.
fn read_or_find(name: &str, plan: &Known, problems: &Problems) -> Option<ScenarioRead> {
    let path = Path::new(name);
    if path.is_file() {
        return read_scenario(path, problems);
    }
    let catalogue = plan.plan().map(|plan| &plan.catalogue);
    let known = catalogue.map(|catalogue| &catalogue.scenarios);
    let found = known.and_then(|known| known.get(name).cloned());
    let found = found.map(ScenarioRead::Whole);
    let found = found.or_else(|| catalogue?.outline(name));
    let explained = catalogue.is_some_and(|catalogue| catalogue.is_broken(name));
    if path.is_dir() && found.is_none() {
        let place = Place::whole("command line");
        problems.add(
            &place,
            format!("`{name}` is a folder; name a scenario file in it"),
        );
    } else if found.is_none() && !explained && (is_path(name) || !matches!(plan, Known::Nothing)) {
        let names = known.into_iter().flatten().map(|(name, _)| name.as_ref());
        let hint = did_you_mean(name, names);
        problems.add(
            &Place::whole("command line"),
            format!("`{name}` is neither a file nor a scenario of the configuration{hint}"),
        );
    }
    found
}

/// Whether an argument can only be meant as the path of a file.
fn is_path(argument: &str) -> bool {
    let extension = Path::new(argument).extension();
    argument.contains('/') || extension.is_some_and(|it| it == "yaml" || it == "yml")
}

fn option(name: &str, text: &str, problems: &Problems) -> Option<Node> {
    parse_option(name, text)
        .map_err(|problem| problems.add(&problem.place, problem.message))
        .ok()
}

/// Reads `NAME=VALUE`, the value as it is. Of several for one name the last counts.
fn assignments(option_name: &str, texts: &[String], problems: &Problems) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for text in texts {
        let Some((key, value)) = text.split_once('=') else {
            problems.add(
                &Place::whole(option_name),
                format!("`{text}` is no assignment; write `name=value`"),
            );
            continue;
        };
        entries.retain(|earlier| earlier.key != key);
        entries.push(Entry {
            key: key.to_owned(),
            place: Place::whole(option_name),
            node: Node::untyped(Place::whole(format!("{option_name} {key}")), value),
        });
    }
    entries
}
