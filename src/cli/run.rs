mod interruption;
mod prepared;
mod pushing;
mod request;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use self::{
    interruption::Interruption, prepared::Prepared, pushing::Pushing, request::RequestArguments,
};

use super::{
    Configuration, Outcome, address::listening_address, baseline::Earlier, no_signals,
    number::seed_of_run, output::tell, progress, report::ReportTo, report_problems, unusable,
};
use crate::{
    callbacks::CallbackLimits,
    driver::Origin,
    event::{EndedBy, Observers, RunIdentity, Verdict},
    load::Profile,
    preflight::Machine,
    report::BaselineCheck,
    runner::{GracefulStop, RunHandle, RunRecord, RunSpec},
    scenario::{Cost, Drivers},
    service::{Bound, Composition, CompositionParts},
    units::{Share, duration},
};

/// `chatprobe run`.
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// The scenario: its name in the configuration, or a file.
    #[arg(required_unless_present = "url")]
    scenario: Option<String>,

    #[command(flatten)]
    request: RequestArguments,

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

    /// The name of the run: how reports, and what is pushed, call it.
    #[arg(long, value_name = "NAME", default_value = RunIdentity::AD_HOC)]
    name: String,

    /// Pushes each second of the run to a time-series database: Prometheus with its receiver of remote writes on, such
    /// as `http://127.0.0.1:9090/api/v1/write`, or `InfluxDB`, such as `http://127.0.0.1:8086/write?db=chatprobe`. `none`
    /// pushes nowhere, whatever the configuration says. `CHATPROBE_PUSH_TOKEN` is sent there as the token.
    #[arg(long, value_name = "URL")]
    push: Option<String>,

    /// How long answers that are on their way are waited for when a signal ends the run.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    grace: Duration,
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
            push,
        } = (self.prepare()).map_err(|problems| report_problems(&problems))?;
        let cost = spec.mix.cost();
        spec.graceful_stop = GracefulStop::of(&spec.load, &cost);
        spec.warnings = examine(&spec, &cost).map_err(unusable)?;
        let interruption =
            Interruption::new(self.grace).map_err(|error| unusable(no_signals(&error)))?;
        let callbacks = Bound::to(self.callback_listen, "callbacks", "--callback-listen");
        let callbacks = callbacks.map_err(unusable)?;
        let drivers = Drivers::of_environment(|_| {}).map_err(unusable)?;
        let report = ReportTo::open(self.json.as_deref(), self.report.as_deref())?;
        let pushing = push.map(|push| Pushing::start(push, &spec.thresholds, &drivers));
        let composition = Composition::new(CompositionParts {
            drivers,
            observers: Observers::default(),
            callbacks,
            callback_url,
            limits: CallbackLimits::default(),
            budget,
        });
        let composition = composition.map_err(unusable)?;
        let engine = composition.engine().clone();
        let receiving = tokio::spawn(composition.serve(CancellationToken::new()));
        let load = spec.load.clone();
        let run = engine.start(spec);
        if let Some(pushing) = &pushing {
            pushing.take(&run);
        }
        watch(&run, &load, interruption).await;
        if !run.has_ended() {
            return Ok(report.conclude_cut_off(run.record()));
        }
        // Events for chats that have ended are not waited for.
        receiving.abort();
        let _ = receiving.await;
        for finding in engine.exchange.findings() {
            tell(finding);
        }
        let outcome = conclude(&run.record(), earlier, report);
        if let Some(pushing) = pushing {
            pushing.finish().await;
        }
        Ok(outcome)
    }
}

/// Shows how far a run is, until it has ended or was given up because of signals.
async fn watch(run: &RunHandle, load: &Profile, mut interruption: Interruption) {
    let watching = progress::show(run, load);
    tokio::pin!(watching);
    let signal = tokio::select! {
        () = &mut watching => return,
        signal = interruption.asked() => signal,
    };
    let ending = interruption.end(run, signal);
    tokio::pin!(ending);
    // Who waits for the last chats sees them.
    tokio::select! {
        () = &mut ending => {}
        () = &mut watching => ending.await,
    }
}

/// Says what came out of a run that has ended, and against earlier ones.
fn conclude(ended: &RunRecord, earlier: Option<Earlier>, report: ReportTo) -> Outcome {
    let baseline = earlier.map(|earlier| earlier.against(ended));
    // A signal that came when the run was ending already changed nothing.
    let outcome = if ended.report.ended_by.is_some_and(EndedBy::is_signal) {
        Outcome::Interrupted
    } else {
        outcome(ended.report.verdict, baseline.as_ref())
    };
    report.conclude(ended, baseline.as_ref(), outcome)
}

/// Says what may not work on this machine and returns it; what it cannot do is an error.
fn examine(spec: &RunSpec, cost: &Cost) -> Result<Vec<String>, String> {
    let targets = spec.mix.targets().into_iter();
    let connections: Vec<_> = targets.map(|target| &target.connections).collect();
    let findings = Machine::look().examine(cost, &connections, &spec.load, spec.capacity);
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
fn outcome(verdict: Option<Verdict>, baseline: Option<&BaselineCheck>) -> Outcome {
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
