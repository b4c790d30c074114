use std::{
    fmt::{self, Write as _},
    path::{Path, PathBuf},
};

use chrono::Utc;
use minijinja::Value as Variable;

use super::{Configuration, Outcome, output::print, report_problems, unusable};
use crate::{
    config::{Burst, Kind, Plan, read_file, read_scenario},
    document::Problems,
    driver::{EnvironmentProxies, ProxyChoice, Tls},
    event::{Observer, ServiceEvent},
    preflight::{certain_failures, missing_rows},
    record::{Boundaries, Metrics},
    scenario::{Cost, Scenario, ScenarioRead},
    service::{self, SECTIONS},
    simulator::{Agents, Setup},
    target::Target,
    units::{counted, duration},
};

/// `chatprobe check`.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// A configuration, or a scenario by itself [default: the one of --config].
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    #[command(flatten)]
    configuration: Configuration,
}

impl Check {
    pub(super) fn run(&self) -> Outcome {
        let file = self.file.as_ref().unwrap_or(&self.configuration.config);
        if is_scenario(file) {
            return check_scenario(file);
        }
        let plan = match Plan::load(file, SECTIONS) {
            Ok(plan) => plan,
            Err(problems) => return report_problems(&problems),
        };
        // What the service would refuse to start with.
        if let Err(error) = service::access(&plan) {
            return unusable(error);
        }
        let proxies = match EnvironmentProxies::read() {
            Ok(proxies) => proxies,
            Err(error) => return unusable(error),
        };
        let series = match count_series(&plan) {
            Ok(series) => series,
            Err(error) => return unusable(error),
        };
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = describe(&mut text, &plan, &proxies, series);
        print(&text, Outcome::Success)
    }
}

/// Whether a file is a scenario, as far as that can be told.
fn is_scenario(file: &Path) -> bool {
    // Problems are told when it is read for what it is.
    let node = read_file(file, &Problems::default());
    node.is_ok_and(|node| Kind::of(&node) == Some(Kind::Scenario))
}

/// Checks a scenario that no configuration names.
fn check_scenario(file: &Path) -> Outcome {
    let problems = Problems::default();
    let read = read_scenario(file, &problems);
    if let Err(problems) = problems.into_result() {
        return report_problems(&problems);
    }
    // Without a problem there is a scenario.
    let Some(ScenarioRead::Whole(scenario)) = read else {
        return Outcome::Unusable;
    };
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = describe_scenario(&mut text, file, &scenario);
    print(&text, Outcome::Success)
}

fn describe_scenario(text: &mut String, file: &Path, scenario: &Scenario) -> fmt::Result {
    writeln!(text, "{} is a valid scenario.", file.display())?;
    write_scenario(text, scenario)?;
    let wanted: Vec<_> = scenario
        .inputs
        .iter()
        .filter(|input| input.default.is_none())
        .map(|input| input.name.as_str())
        .collect();
    if wanted.is_empty() {
        let inputs = scenario.resolve_inputs(&[], &scenario.place, &Problems::default());
        let cost = scenario.cost(Variable::UNDEFINED, &inputs.unwrap_or_default());
        writeln!(
            text,
            "            {} a chat with the defaults of its inputs",
            cost.chat.of("request")
        )?;
        warn_of_short_stays(text, &cost)?;
    } else {
        writeln!(text, "            inputs to set: {}", wanted.join(", "))?;
    }
    let variables: Vec<_> = scenario
        .target_variables
        .keys()
        .map(String::as_str)
        .filter(|name| !Target::OF_ALL.contains(name))
        .collect();
    if !variables.is_empty() {
        writeln!(
            text,
            "            variables that its target has to have: {}",
            variables.join(", ")
        )?;
    }
    write!(
        text,
        "            a configuration that names it is checked with its targets: chatprobe check CONFIGURATION"
    )
}

fn write_scenario(text: &mut String, scenario: &Scenario) -> fmt::Result {
    writeln!(
        text,
        "scenario  {}: {}, {} ({})",
        scenario.name,
        counted(scenario.all_steps().len() as u64, "step"),
        counted(scenario.inputs.len() as u64, "input"),
        scenario.place.source
    )?;
    for source in scenario.rows.iter() {
        writeln!(
            text,
            "            {} of `{}` as `rows.{}`",
            counted(source.table().rows(), "row"),
            source.file.display(),
            source.name
        )?;
    }
    Ok(())
}

fn describe(
    text: &mut String,
    plan: &Plan,
    proxies: &EnvironmentProxies,
    series: usize,
) -> fmt::Result {
    writeln!(text, "{} is valid.", plan.path.display())?;
    for target in plan.catalogue.targets.values() {
        describe_target(text, target, proxies)?;
    }
    for scenario in plan.catalogue.scenarios.values() {
        write_scenario(text, scenario)?;
    }
    for probe in &plan.probes {
        writeln!(
            text,
            "probe     {}: {} against {}, every {}",
            probe.name,
            probe.scenario.name,
            probe.target.name,
            duration::exact(probe.every)
        )?;
        if probe.scenario.sockets.deliveries.is_some() {
            let cost = probe.scenario.cost(probe.target.variable(), &probe.inputs);
            warn_of_short_stays(text, &cost)?;
        }
    }
    for burst in &plan.bursts {
        describe_burst(text, burst)?;
    }
    let listen = &plan.settings.listen;
    writeln!(text, "listen    web {}", listen.web)?;
    writeln!(text, "listen    callbacks {}", listen.callbacks)?;
    let simulator = plan.settings.simulator.as_ref();
    if let Some(Ok(simulator)) = simulator.map(Setup::of_section) {
        let agents = match simulator.centre.agents {
            Agents::Unlimited => "unlimited agents".to_owned(),
            Agents::Limited(agents) => counted(agents.get().into(), "agent"),
        };
        writeln!(text, "simulator {}, {agents}", simulator.listen)?;
        if let Some(rooms) = &simulator.rooms {
            writeln!(text, "rooms     {}", rooms.listen)?;
        }
        if let Some(behaviour) = &simulator.behaviour {
            writeln!(text, "behaviour {}", behaviour.listen)?;
        }
    }
    write!(
        text,
        "series    {series} on /metrics before anything has run"
    )
}

fn describe_target(
    text: &mut String,
    target: &Target,
    proxies: &EnvironmentProxies,
) -> fmt::Result {
    write!(text, "target    {}: {}", target.name, target.url)?;
    match &target.transport.proxy {
        ProxyChoice::Through(proxy) => write!(text, ", through the proxy {proxy}")?,
        ProxyChoice::Environment => {
            if let Some(proxy) = proxies.to_address(&target.url) {
                write!(text, ", through the proxy {proxy} of the environment")?;
            }
        }
        ProxyChoice::Direct => {}
    }
    if target.transport.tls.as_ref().is_some_and(Tls::is_insecure) {
        write!(text, ", whatever certificate it shows")?;
    }
    writeln!(text)
}

fn describe_burst(text: &mut String, burst: &Burst) -> fmt::Result {
    let when = match &burst.schedule {
        Some(schedule) => format!("at `{}` {}", schedule.text, schedule.time_zone),
        None => "when asked for".to_owned(),
    };
    let subject = burst.subject();
    writeln!(
        text,
        "burst     {}: {} against {}, {when}, {}",
        burst.name, subject.scenario, subject.target, burst.load
    )?;
    for member in burst.mix.members().iter().filter(|_| burst.mix.is_mixed()) {
        let (scenario, target) = (&member.chats.scenario.name, &member.chats.target.name);
        writeln!(
            text,
            "            {} of {scenario} against {target}",
            member.weight
        )?;
    }
    if let Some(schedule) = &burst.schedule
        && let Some(due) = schedule.next_due(Utc::now())
    {
        let due = due.with_timezone(&schedule.time_zone);
        let due = due.format("%Y-%m-%d %H:%M:%S %Z");
        writeln!(text, "            next due {due}")?;
    }
    if let Some(stop) = burst.graceful_stop() {
        let limit = duration::exact(stop);
        writeln!(
            text,
            "            graceful stop {limit} after the last start"
        )?;
    }
    let cost = &burst.cost;
    match burst.load.chats() {
        Some(chats) => writeln!(
            text,
            "            {}{} with {}{}, {} in all",
            if burst.load.is_drawn() { "about " } else { "" },
            counted(chats, "chat"),
            cost.chat.of("request"),
            if chats == 1 { "" } else { " each" },
            cost.of_chats(chats).of("request")
        )?,
        None => writeln!(text, "            {} a chat", cost.chat.of("request"))?,
    }
    if cost.sockets.most != Some(0) {
        let sockets = cost.sockets.of("socket");
        writeln!(text, "            {sockets} a chat at the same time")?;
    }
    for warning in certain_failures(cost).chain(missing_rows(cost, &burst.load)) {
        writeln!(text, "            warning: {warning}")?;
    }
    warn_of_short_stays(text, cost)?;
    for threshold in &burst.thresholds {
        let abort = if threshold.abort() {
            ", else it ends"
        } else {
            ""
        };
        writeln!(text, "            {threshold}{abort}")?;
    }
    Ok(())
}

/// Warns of messages of which losses are excused because chats leave too soon.
fn warn_of_short_stays(text: &mut String, cost: &Cost) -> fmt::Result {
    for stay in &cost.short_stays {
        writeln!(text, "            warning: {stay}")?;
    }
    Ok(())
}

/// Counted on the real metrics, as the service would show them.
fn count_series(plan: &Plan) -> Result<usize, crate::record::MetricsError> {
    let declarations = plan.declarations();
    let metrics = Metrics::new(&Boundaries::of(&declarations))?;
    metrics.observe_service(&ServiceEvent::ConfigurationAccepted(declarations));
    Ok(metrics.series())
}
