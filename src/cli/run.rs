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
    Configuration, Outcome, address::listening_address, baseline::Earlier, output::tell,
    parse_option, progress, report::ReportTo, report_problems, summary, target::Chosen, unusable,
};
use crate::{
    callbacks::{Exchange, receiver},
    config::{
        Burst, CallbackLimits, HealthBudget, Plan, Target, check_addresses, check_url,
        read_scenario,
    },
    document::{Entry, Node, Place, Problem, Problems},
    driver::{EnvironmentProxies, HttpDriver},
    event::{Mode, Observers, RunIdentity, Subject, Trigger, Verdict},
    load::{Profile, Threshold},
    preflight::Machine,
    report::Baseline,
    runner::{Engine, RunSpec, TraceBudget},
    scenario::{Origin, Scenario},
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
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=seed::LARGEST))]
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
struct Given {
    scenario: Arc<Scenario>,
    target: Option<Arc<Target>>,
    inputs: Option<minijinja::Value>,
}

impl Run {
    pub(super) async fn run(self) -> Outcome {
        // What keeps it from running is its outcome as well.
        self.execute().await.unwrap_or_else(|outcome| outcome)
    }

    async fn execute(self) -> Result<Outcome, Outcome> {
        let (mut spec, budget) = (self.prepare()).map_err(|problems| report_problems(&problems))?;
        spec.doubts = examine(&spec).map_err(unusable)?;
        let earlier = Earlier::read(&self.baselines, &spec.scenario.name, self.regression);
        let earlier = earlier.map_err(unusable)?;
        let callback_url = self.callback_url.as_deref().map(check_url).transpose();
        let callback_url =
            callback_url.map_err(|message| unusable(format_args!("--callback-url: {message}")))?;
        let mut interruption = Interruption::new(self.grace)
            .map_err(|error| unusable(format_args!("cannot listen to signals: {error}")))?;
        let listener = listen(self.callback_listen, "callbacks", "--callback-listen");
        let listener = listener.map_err(unusable)?;
        let proxies = EnvironmentProxies::read().map_err(unusable)?;
        let http = HttpDriver::through(proxies).map_err(unusable)?;
        let report = ReportTo::open(self.json.as_deref(), self.report.as_deref())?;
        let vitals = Vitals::start()
            .map_err(|error| unusable(format_args!("cannot start a thread: {error}")))?;
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
            interruption.end(&run, signal).await;
        }
        if !run.has_ended() {
            tell(summary::cut_off(&run.report()));
            return Ok(Outcome::Interrupted);
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

    fn prepare(&self) -> Result<(RunSpec, HealthBudget), Vec<Problem>> {
        let plan = self.plan()?;
        let problems = Problems::default();
        let spec = self.spec(plan.as_ref(), &problems);
        problems.into_result()?;
        let budget = plan.map(|plan| plan.settings.health).unwrap_or_default();
        // Without a problem there is something to run: each reader that gives up notes why.
        spec.map(|spec| (spec, budget)).ok_or_else(Vec::new)
    }

    /// The configuration, which is not needed where the command line says everything.
    fn plan(&self) -> Result<Option<Plan>, Vec<Problem>> {
        let path = &self.configuration.config;
        let complete = match &self.scenario {
            Some(scenario) => Path::new(scenario).is_file() && !path.exists(),
            None => true,
        };
        if complete {
            return Ok(None);
        }
        Plan::load(path).map(Some)
    }

    fn spec(&self, plan: Option<&Plan>, problems: &Problems) -> Option<RunSpec> {
        let load =
            option("--load", &self.load, problems).and_then(|node| Profile::read(&node, problems));
        let given = match &self.scenario {
            Some(scenario) => self.given(scenario, plan, problems),
            None => self.request.read(problems),
        };
        let Given {
            scenario,
            target,
            inputs,
        } = given?;
        let thresholds = self.thresholds(&scenario, problems);
        let (target, inputs, load) = (target?, inputs?, load?);
        let subject = Subject {
            scenario: scenario.name.clone(),
            target: target.name.clone(),
            mode: Mode::Burst,
        };
        let name = Burst::AD_HOC.into();
        // Those that could not be read have been told of.
        if self.thresholds.is_empty() {
            load.check_thresholds(&thresholds, &Place::whole("--load"), problems);
        }
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
            doubts: Vec::new(),
            asked_by: None,
            configuration: plan.map(|plan| plan.fingerprint),
        })
    }

    fn given(&self, scenario: &str, plan: Option<&Plan>, problems: &Problems) -> Option<Given> {
        let scenario = read_or_find(scenario, plan, problems);
        let variables = assignments("--variable", &self.variables, problems);
        let also = self.also.iter().cloned().collect();
        let target = Chosen::read(self.target.as_deref(), &variables, &also, plan, problems);
        let set = assignments("--input", &self.inputs, problems);
        let scenario = scenario?;
        let place = Place::whole("command line");
        let inputs = scenario.resolve_inputs(&set, &place, problems);
        if let Some(target) = &target {
            target.check(&scenario, problems);
            if let Some(inputs) = &inputs {
                check_addresses(&scenario, &target.target, inputs, &place, problems);
            }
        }
        Some(Given {
            scenario,
            target: target.map(|target| target.target),
            inputs,
        })
    }

    fn thresholds(&self, scenario: &Scenario, problems: &Problems) -> Vec<Threshold> {
        let steps = scenario.all_steps();
        let names: Vec<_> = steps.iter().map(|step| step.name.as_ref()).collect();
        self.thresholds
            .iter()
            .filter_map(|text| option("--threshold", &format!("[{text}]"), problems))
            .flat_map(|node| Threshold::read_list(&node, &names, problems))
            .collect()
    }
}

/// Says what is doubtful about this machine and returns it; what it cannot do is an error.
fn examine(spec: &RunSpec) -> Result<Vec<String>, String> {
    let cost = (spec.scenario).cost(spec.target.variable(), &spec.inputs);
    let findings = Machine::look().examine(&cost, &spec.target.connections, &spec.load, spec.room);
    for doubt in &findings.doubts {
        tell(format_args!("doubtful: {doubt}"));
    }
    if findings.refusals.is_empty() {
        Ok(findings.doubts)
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
fn read_or_find(name: &str, plan: Option<&Plan>, problems: &Problems) -> Option<Arc<Scenario>> {
    let path = Path::new(name);
    if path.is_file() {
        return read_scenario(path, problems).map(Arc::new);
    }
    let known = plan.map(|plan| &plan.catalogue.scenarios);
    let found = known.and_then(|known| known.get(name).cloned());
    if found.is_none() {
        let names = known.into_iter().flatten().map(|(name, _)| name.as_ref());
        let hint = crate::document::did_you_mean(name, names);
        problems.add(
            &Place::whole("command line"),
            format!("`{name}` is neither a file nor a scenario of the configuration{hint}"),
        );
    }
    found
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
