//! A bench that runs scenarios and hears what happens, and a server that does what it is told.

mod addresses;
mod always;
mod arrivals;
mod barriers;
mod choices;
mod conservation;
mod customers;
mod deadline;
mod else_continue;
mod endings;
mod endless;
mod graceful_stop;
mod heard;
mod in_flight;
mod late_reads;
mod left_open;
mod looks;
mod loop_delay;
pub(in crate::runner) mod measurements;
mod mixes;
mod orders;
mod pace;
mod puppet;
mod redaction;
mod retries;
mod rows;
mod search;
mod sends;
mod session_events;
mod shortages;
mod steps;
mod stops;
mod timeline;
mod together;
mod traces;
mod tracks;
mod verdicts;
mod waits;

use std::{sync::Arc, time::Duration};

use self::{heard::Heard, puppet::Puppet};
use super::{
    ChatSpec, Engine, GracefulStop, Mix, Order, RunHandle, RunReport, RunSpec, Stop,
    ThresholdState, TraceBudget,
};
use crate::{
    callbacks::{CallbackLimits, Exchange},
    document::{Problems, parse},
    event::{
        EndedBy, Ending, Mode, Observers, RunIdentity, RunObserver, Subject, Trigger, Verdict,
    },
    load::{Profile, Threshold, ThresholdSubjects},
    runner::{HealthBudget, context::RunContext},
    scenario::{Drivers, Parameters, Reason, Scenario},
    target::Target,
    units::Share,
    vitals::Vitals,
};

pub(crate) struct Bench {
    engine: Engine,
    heard: Arc<Heard>,
    target: Arc<Target>,
    mode: Mode,
    thresholds: &'static str,
    seed: u64,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::against(Target::new("t", "http://127.0.0.1:9"))
    }

    fn against(target: Target) -> Self {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let heard = Arc::new(Heard::new());
        let observers = Observers::default().and_of_runs(heard.clone());
        Self {
            engine: Engine {
                drivers: Drivers::direct(),
                exchange: Exchange::new(CallbackLimits::default(), observers.clone()),
                callback_url: "http://callback".into(),
                observers,
                budget: budget(),
                vitals: Vitals::start().unwrap(),
                traces: TraceBudget::default(),
            },
            heard,
            target: Arc::new(target),
            mode: Mode::Burst,
            thresholds: "[]",
            seed: 1,
        }
    }

    /// A bench whose target is a server that does what the requests say.
    async fn with_puppet() -> (Self, Puppet) {
        Self::with_puppet_and(|target| target).await
    }

    async fn with_puppet_and(change: impl Fn(Target) -> Target) -> (Self, Puppet) {
        let puppet = Puppet::start().await;
        let bench = Self::against(change(Target::new("t", &puppet.url)));
        puppet.deliver_to(bench.engine.exchange.clone());
        (bench, puppet)
    }

    fn hear_first(&mut self, observer: Arc<dyn RunObserver>) {
        let first = Observers::default().and_of_runs(observer);
        self.engine.observers = first.and_of_runs(self.heard.clone());
    }

    fn spec(&self, scenario: &str, load: &str) -> RunSpec {
        let problems = Problems::default();
        let read = |text: &str| parse("test.yaml", text).unwrap();
        let scenario = Scenario::read(&read(&format!("scenario: s\n{scenario}")), &problems);
        let load = Profile::read(&read(load), &problems);
        let steps: Vec<_> = scenario.iter().flat_map(Scenario::all_steps).collect();
        let steps: Vec<&str> = steps.iter().map(|step| &*step.name).collect();
        let known = ThresholdSubjects {
            scenario: "s",
            steps: &steps,
            deliveries: true,
        };
        let thresholds = Threshold::read_list(&read(self.thresholds), Some(&[known]), &problems);
        assert_eq!(problems.into_result(), Ok(()));
        let scenario = scenario.unwrap();
        let inputs: Parameters = scenario
            .inputs
            .iter()
            .map(|input| (input.name.clone(), input.default.clone().unwrap()))
            .collect();
        let inputs = inputs.into();
        let cost = scenario.cost(self.target.variable(), &inputs);
        let chats = ChatSpec {
            scenario: Arc::new(scenario),
            target: self.target.clone(),
            inputs,
        };
        let load = load.unwrap();
        RunSpec {
            graceful_stop: GracefulStop::of(&load, &cost),
            thresholds,
            seed: self.seed,
            ..RunSpec::new(
                "run".into(),
                self.mode,
                Trigger::Api,
                Mix::of_one(chats),
                load,
            )
        }
    }

    /// What the chats of a run share that are of its first scenario.
    fn context(&self, spec: RunSpec) -> Arc<RunContext> {
        let chats = spec.mix.members()[0].chats.clone();
        let observers = (self.engine.observers).of_run(&spec.identity, &chats.scenario);
        let (engine, ending) = (&self.engine, Arc::default());
        Arc::new(RunContext::new(
            engine,
            Arc::new(spec),
            chats,
            ending,
            observers,
        ))
    }

    pub(crate) fn start(&self, scenario: &str, load: &str) -> RunHandle {
        self.engine.start(self.spec(scenario, load))
    }

    async fn run(&self, scenario: &str, load: &str) -> RunReport {
        over(&self.start(scenario, load)).await
    }
}

/// Waits for the end of the run; its counts have to agree, whatever it was.
async fn over(run: &RunHandle) -> RunReport {
    run.ended().await;
    assert!(run.has_ended());
    let report = run.report();
    assert_eq!(report.events.differences, Vec::<String>::new());
    assert_eq!(report.events.waiting, 0);
    let chats = &report.chats;
    assert_eq!(chats.in_progress, 0);
    assert_eq!(chats.started, chats.passed + chats.failed + chats.stopped);
    assert_eq!(chats.failed, chats.failed_by_reason.values().sum::<u64>());
    report
}

/// The clock of these tests is paused, and the machine's is not: how it treats the process is no
/// part of them.
fn budget() -> HealthBudget {
    HealthBudget {
        // Both tell of the machine, whose time no test pauses.
        read_delay_p99: Duration::from_hours(1),
        stall: Duration::from_hours(1),
        cpu_wait: Share::percent(100),
        ..HealthBudget::default()
    }
}

/// The order of an operator to stop.
const fn by_operator(stop: Stop) -> Order {
    Order::Stop(stop, EndedBy::Operator)
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// How often the step was cut short by the end of its run.
fn stopped(report: &RunReport, name: &str) -> u64 {
    let step = report.steps.iter().find(|step| step.step == name);
    step.unwrap().stopped
}

/// How often the step passed and why it failed.
fn step(report: &RunReport, name: &str) -> (u64, Vec<Reason>) {
    let step = report.steps.iter().find(|step| step.step == name).unwrap();
    let failed = &step.failed_by_reason;
    assert_eq!(step.failed, failed.values().sum::<u64>());
    (step.passed, failed.keys().copied().collect())
}
