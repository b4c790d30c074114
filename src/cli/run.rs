mod interruption;
mod request;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use self::{interruption::Interruption, request::Request};

use super::{
    Configuration, Outcome, address::listening_address, baseline::Earlier, no_signals, no_thread,
    number::seed_of_run, output::tell, parse_option, progress, report::ReportTo, report_problems,
    target::Chosen, unusable,
};
use crate::{
    callbacks::{Exchange, receiver},
    config::{
        Burst, CallbackLimits, HealthBudget, Plan, Target, check_addresses, check_url,
        read_scenario,
    },
    document::{Entry, Node, Place, Problem, Problems},
    driver::{EnvironmentProxies, HttpDriver, Origin},
    event::{Mode, Observers, RunIdentity, Subject, Trigger, Verdict},
    load::{Profile, Threshold},
    preflight::Machine,
    report::Baseline,
    runner::{Engine, RunSpec, TraceBudget},
    scenario::ScenarioRead,
    service::{address, every, listen},
    units::{Share, duration, seed},
    vitals::Vitals,
};

/// `chatprobe run`.
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// The scenario: its name in the configuration, or a file.
    #[arg(required_unless_present = "url")]
    scenario: Option<String>,

    #[command(flatten)]
    request: Request,

    #[command(flatten)]
    configuration: Configuration,

    /// Whom to talk to: a target of the configuration, or an address, which has the variables of the
    /// configuration's only target but never secrets [default: that only target].
    #[arg(long, short, value_name = "NAME|URL", conflicts_with = "url")]
    target: Option<String>,

    /// A variable of the target; text is taken as it is, without quotes.
    #[arg(long = "variable", value_name = "NAME=VALUE", conflicts_with = "url")]
    variables: Vec<String>,

    /// A server that inputs, captures, events and redirects may lead to besides the target, such as
    /// `https://files.example.com`.
    #[arg(long, value_name = "URL", conflicts_with = "url", value_parser = Origin::read)]
    also: Vec<Origin>,

    /// When chats start, for instance `{ chats: 2000, ramp: 10s }`, `{ rate: 50/s, for: 1m }` or
    /// `{ search: { from: 10/s, to: 500/s, hold: 1m } }`.
    #[arg(long, short, value_name = "PROFILE", default_value = "{ chats: 1 }")]
    load: String,

    /// The value of an input of the scenario; text is taken as it is, without quotes.
    #[arg(
        long = "input",
        short,
        value_name = "NAME=VALUE",
        conflicts_with = "url"
    )]
    inputs: Vec<String>,

    /// What has to hold, for instance `{ step: agent_join, p95: 10s }` or `{ failed: 1% }`; without
    /// any, every chat has to pass.
    #[arg(long = "threshold", value_name = "THRESHOLD")]
    thresholds: Vec<String>,

    /// The seed of the pauses; the same one draws the same.
    #[arg(long, allow_negative_numbers = true, value_parser = seed_of_run)]
    seed: Option<u64>,

    /// Writes the report as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Writes the whole run into this folder: report.html, report.json, steps.csv, timeline.csv and
    /// junit.xml.
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,

    /// Says what changed since an earlier run: the report.json of one with --report. Repeat it for several
    /// runs, so that how much runs differ from each other counts too.
    #[arg(long = "baseline", value_name = "FILE")]
    baselines: Vec<PathBuf>,

    /// Fails if a latency or a share that failed rose by more than this part of what it was, such as
    /// `20%`, and by more than noise.
    #[arg(long, value_name = "PERCENT", requires = "baselines")]
    regression: Option<Share>,

    /// Where the target's events come in.
    #[arg(long, value_name = "ADDRESS", default_value_t = (Ipv4Addr::LOCALHOST, 0).into(),
        value_parser = listening_address)]
    callback_listen: SocketAddr,

    /// How the target reaches that address, if not directly.
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,

    /// How long answers that are on their way are waited for when a signal ends the run.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    grace: Duration,
}

/// What the chats of a run do, to whom and with what, as far as it could be read.
#[derive(Default)]
struct Given {
    scenario: Option<ScenarioRead>,
    target: Option<Arc<Target>>,
    inputs: Option<minijinja::Value>,
}

/// Everything that the command line says about the run, checked.
struct Prepared {
    spec: RunSpec,
    budget: HealthBudget,
    callback_url: Option<String>,
    earlier: Option<Earlier>,
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
    pub(super) async fn run(self) -> Outcome {
        // What keeps it from running is its outcome as well.
        self.execute().await.unwrap_or_else(|outcome| outcome)
    }

    async fn execute(self) -> Result<Outcome, Outcome> {
        let Prepared {
            mut spec,
            budget,
            callback_url,
            earlier,
        } = (self.prepare()).map_err(|problems| report_problems(&problems))?;
        spec.warnings = examine(&spec).map_err(unusable)?;
        let mut interruption =
            Interruption::new(self.grace).map_err(|error| unusable(no_signals(&error)))?;
        let listener = listen(self.callback_listen, "callbacks", "--callback-listen");
        let listener = listener.map_err(unusable)?;
        let proxies = EnvironmentProxies::read().map_err(unusable)?;
        let http = HttpDriver::through(proxies).map_err(unusable)?;
        let report = ReportTo::open(self.json.as_deref(), self.report.as_deref())?;
        let vitals = Vitals::start().map_err(|error| unusable(no_thread(&error)))?;
        let callbacks = address(&listener, self.callback_listen);
        let observers = Observers::default();
        let exchange = Exchange::new(CallbackLimits::default(), observers.clone());
        let engine = Engine {
            http,
            exchange: exchange.clone(),
            callback_url: callback_url
                .unwrap_or_else(|| format!("http://{callbacks}"))
                .into(),
            observers,
            budget,
            vitals,
            traces: TraceBudget::default(),
        };
        let load = spec.load.clone();
        let over = CancellationToken::new();
        let receiving = tokio::spawn(receiver::serve(listener, exchange.clone(), over.clone()));
        let swept = exchange.clone();
        let sweeping = tokio::spawn(every(
            Duration::from_secs(1),
            over.clone(),
            move |now, _| swept.sweep(now),
        ));
        let run = engine.start(spec);
        let watching = progress::show(&run, &load);
        tokio::pin!(watching);
        let interrupted = tokio::select! {
            () = &mut watching => None,
            signal = interruption.asked() => Some(signal),
        };
        if let Some(signal) = interrupted {
            let ending = interruption.end(&run, signal);
            tokio::pin!(ending);
            // Who waits for the last chats sees them.
            tokio::select! {
                () = &mut ending => {}
                () = &mut watching => ending.await,
            }
        }
        if !run.has_ended() {
            return Ok(report.conclude_cut_off(run.record()));
        }
        over.cancel();
        receiving.abort();
        // Both end with the token; what they return says nothing here.
        let _ = tokio::join!(receiving, sweeping);
        let ended = run.record();
        for finding in exchange.findings() {
            tell(finding);
        }
        let baseline = earlier.map(|earlier| earlier.against(&ended));
        let outcome = if interrupted.is_some() {
            Outcome::Interrupted
        } else {
            outcome(ended.report.verdict, baseline.as_ref())
        };
        Ok(report.conclude(&ended, baseline.as_ref(), outcome))
    }

    fn prepare(&self) -> Result<Prepared, Vec<Problem>> {
        let problems = Problems::default();
        let plan = if self.needs_configuration() {
            let read = Plan::read_noting(&self.configuration.config, &problems);
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
        let scenario = spec.as_ref().map(|spec| &*spec.scenario.name);
        let earlier = Earlier::read(&self.baselines, scenario, self.regression);
        let earlier = earlier.map_err(|message| refuse("--baseline", message));
        problems.into_result()?;
        let budget = plan.plan().map(|plan| plan.settings.health);
        // Without a problem there is something to run: each reader that gives up notes why.
        Ok(Prepared {
            spec: spec.ok_or_else(Vec::new)?,
            budget: budget.unwrap_or_default(),
            callback_url,
            earlier: earlier.unwrap_or_default(),
        })
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
        let Given {
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
        let scenario = scenario?.whole()?.clone();
        let (target, inputs, load) = (target?, inputs?, load?);
        let subject = Subject {
            scenario: scenario.name.clone(),
            target: target.name.clone(),
            mode: Mode::Burst,
        };
        let name = Burst::AD_HOC.into();
        Some(RunSpec {
            identity: Arc::new(RunIdentity::new(name, subject, Trigger::CommandLine)),
            scenario,
            target,
            inputs,
            room: load.max_active(),
            load,
            max_rate: None,
            thresholds,
            seed: self.seed.unwrap_or_else(seed::draw),
            warnings: Vec::new(),
            asked_by: None,
            configuration: plan.plan().map(|plan| plan.fingerprint),
        })
    }

    fn given(&self, scenario: &str, plan: &Known, problems: &Problems) -> Given {
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
        Given {
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
        let read = |node: Node| match scenario {
            Some(scenario) => Threshold::read_list(&node, &scenario.step_names(), problems),
            None => Threshold::read_list_of_any_steps(&node, problems),
        };
        nodes.flat_map(read).collect()
    }
}

/// Says what may not work on this machine and returns it; what it cannot do is an error.
fn examine(spec: &RunSpec) -> Result<Vec<String>, String> {
    let cost = (spec.scenario).cost(spec.target.variable(), &spec.inputs);
    let findings = Machine::look().examine(&cost, &spec.target.connections, &spec.load, spec.room);
    for warning in &findings.warnings {
        tell(format_args!("warning: {warning}"));
    }
    if findings.refusals.is_empty() {
        Ok(findings.warnings)
    } else {
        Err(findings.refusals.join("; "))
    }
}

/// The exit code is the verdict, unless it passed and is worse than earlier runs.
fn outcome(verdict: Option<Verdict>, baseline: Option<&Baseline>) -> Outcome {
    match verdict {
        Some(Verdict::Passed) if baseline.is_some_and(|it| !it.regressions().is_empty()) => {
            Outcome::Failed
        }
        Some(Verdict::Passed) => Outcome::Success,
        Some(Verdict::Failed) => Outcome::Failed,
        Some(Verdict::Stopped) => Outcome::Interrupted,
        Some(Verdict::Invalid) | None => Outcome::Invalid,
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
        let hint = crate::document::did_you_mean(name, names);
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
