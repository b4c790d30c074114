//! What happens many times in every chat, each on its own: `cargo bench --bench micro`.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on is of no use")]

use std::{collections::BTreeMap, hint::black_box, sync::Arc, time::Duration};

use chatprobe::{
    body::Received,
    callbacks::{CallbackLimits, Exchange, Request},
    document::{Problems, parse},
    event::{
        Mode, Observers, RunEvent, RunIdentity, RunObserver as _, StepOutcome, Subject, Trigger,
    },
    load::{Profile, Shape},
    record::{Boundaries, Metrics},
    runner::{ChatSpec, Mix, RunSpec, Tally},
    scenario::{Action, Answer, Match, RunScope, Scenario, Scope, WaitSources},
    target::Target,
};
use divan::Bencher;
use hyper::HeaderMap;
use minijinja::Value;
use tokio::time::Instant;

fn main() {
    divan::main();
}

const SCENARIO: &str = include_str!("../config/scenarios/contact-center-chat.yaml");

fn scenario() -> Arc<Scenario> {
    let problems = Problems::default();
    let scenario = Scenario::read(&parse("scenario", SCENARIO).unwrap(), &problems);
    assert_eq!(problems.into_result(), Ok(()));
    Arc::new(scenario.unwrap())
}

fn step(scenario: &Scenario, name: &str) -> usize {
    let steps = scenario.all_steps();
    steps.iter().position(|step| *step.name == *name).unwrap()
}

fn scope() -> Scope {
    let map = |pairs: &[(&str, &str)]| -> Value {
        let pairs = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        pairs.collect::<BTreeMap<_, _>>().into()
    };
    let run = RunScope {
        target: map(&[
            ("url", "http://127.0.0.1:4000"),
            ("tenant_id", "t"),
            ("channel_provider_id", "p"),
        ]),
        inputs: map(&[("language", "EN")]),
        run: map(&[("id", "run-1")]),
        callback: map(&[("url", "http://127.0.0.1:8001/token")]),
        ..RunScope::default()
    };
    let mut scope = Scope::of_run(Arc::new(run)).of_chat(7, "run-1-7");
    for name in [
        "session_id",
        "engagement_id",
        "correlation_id",
        "dialog_id",
        "last_message_id",
    ] {
        scope.capture(&name.into(), "id-0123456789".into());
    }
    scope.set_round(Some(1));
    scope
}

fn run() -> Arc<RunIdentity> {
    let subject = Subject {
        scenario: "contact-center-chat".into(),
        target: "centre".into(),
        mode: Mode::Burst,
    };
    Arc::new(RunIdentity::new("rush".into(), subject, Trigger::Api))
}

/// A message of the customer, from the templates of the scenario to the request.
#[divan::bench]
fn template(bencher: Bencher<'_, '_>) {
    let scenario = scenario();
    let at = step(&scenario, "send_chat");
    let scope = Arc::new(scope());
    bencher.bench_local(|| {
        let steps = scenario.all_steps();
        let Action::Http(action) = &steps[at].action else {
            unreachable!("send_chat is a request");
        };
        black_box(action.render(&scope, Duration::from_secs(5)).is_ok())
    });
}

/// An answer, and what is captured from it.
#[divan::bench]
fn capture(bencher: Bencher<'_, '_>) {
    let scenario = scenario();
    let at = step(&scenario, "engagement_create");
    let body = br#"{"engagementId":"en-1795286628000400","correlationId":"c-17","dialogId":"d-18","participantId":"pa-19","status":"QUEUED"}"#;
    bencher.bench_local(|| {
        let mut scope = scope();
        let body = Received::whole(body.as_slice().into());
        let answer = Answer::new(200, HeaderMap::new(), body, Duration::from_millis(3));
        scope.look_at(Arc::new(answer));
        let scope = Arc::new(scope);
        let steps = scenario.all_steps();
        for (_, expression) in &steps[at].captures {
            black_box(expression.evaluate(&scope).is_ok());
        }
    });
}

/// An event from its body to the wait that it ends.
#[divan::bench]
fn inbox(bencher: Bencher<'_, '_>) {
    let scenario = scenario();
    let exchange = Exchange::new(CallbackLimits::default(), Observers::default());
    let run_scope = Scope::of_run(Arc::new(RunScope::default()));
    let target = Arc::new(Target::new("t", "http://t"));
    let observers = Observers::default().of_run(&run(), &scenario);
    let path = exchange.open(scenario, target, run_scope, observers);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let headers = HeaderMap::new();
    let mut number = 0_u64;
    bencher.bench_local(|| {
        number += 1;
        let inbox = path.inbox();
        let mut claims = path.claims(&inbox);
        claims.claim(format!("en-{number}")).unwrap();
        let body = format!(
            r#"{{"engagementId":"en-{number}","eventType":"PARTICIPANT_ADDED","participantType":"AGENT","participantId":"pa-{number}","dialogId":"d-1"}}"#
        );
        let now = Instant::now();
        let request = Request::post(&headers, body);
        let arrival = chatprobe::arrival::Arrival::unstamped();
        black_box(exchange.deliver(path.token(), arrival, &request).is_ok());
        let wait = inbox.wait(WaitSources::Callbacks, now, now + Duration::from_secs(1), |_| Match::Wanted, |_| {});
        black_box(runtime.block_on(wait).is_ok())
    });
}

fn step_passed() -> RunEvent {
    RunEvent::StepEnded {
        sent: None,
        step: scenario().step_named("send_chat").unwrap(),
        outcome: StepOutcome::Passed(Duration::from_micros(1_234)),
    }
}

/// One step that passed, in the metrics: a counter and a histogram. With several threads each does
/// nothing else, so that they meet far more often than the workers of a run.
#[divan::bench(threads = [1, 2, 4], sample_count = 20, sample_size = 1_000_000)]
fn histogram(bencher: Bencher<'_, '_>) {
    let metrics = Arc::new(Metrics::new(&Boundaries::default()).unwrap());
    let observers = Observers::default()
        .and(metrics)
        .of_run(&run(), &scenario());
    let event = step_passed();
    bencher.bench(|| observers.emit(black_box(&event)));
}

/// The same in the counters of its run.
#[divan::bench(threads = [1, 2, 4], sample_count = 20, sample_size = 1_000_000)]
fn tally(bencher: Bencher<'_, '_>) {
    let chats = ChatSpec {
        scenario: scenario(),
        target: Arc::new(Target::new("centre", "http://127.0.0.1:4000")),
        inputs: Value::UNDEFINED,
    };
    let load = Profile::one_chat();
    let spec = RunSpec::new(
        "rush".into(),
        Mode::Burst,
        Trigger::Api,
        Mix::of_one(chats),
        load,
    );
    let run = spec.identity.clone();
    let tally = Tally::new(&spec.into());
    let event = step_passed();
    bencher.bench(|| tally.observe(&run, black_box(&event)));
}

/// What the pacing of a run asks of a profile for every chat.
#[divan::bench]
fn pacer(bencher: Bencher<'_, '_>) {
    let problems = Problems::default();
    let node = parse(
        "load",
        "{ stages: [{ to: 1000/s, over: 1m }, { rate: 1000/s, for: 10m }] }",
    );
    let profile = Profile::read(&node.unwrap(), &problems);
    assert_eq!(problems.into_result(), Ok(()));
    let profile = profile.unwrap();
    let Shape::Arrivals(arrivals) = profile.shape() else {
        unreachable!("stages are arrivals");
    };
    let mut number = 0;
    bencher.bench_local(|| {
        number = (number + 1) % arrivals.total();
        let due = arrivals.intended_start(number).unwrap();
        black_box(arrivals.due_by(due))
    });
}
