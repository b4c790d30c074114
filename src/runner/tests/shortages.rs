//! What this process could not take is not held against the target.

use super::*;
use crate::{
    listener::{Name, Shortage},
    vitals::{Beat, Load},
};

const WAITS: &str = "
callbacks: { key: event.key }
steps:
  - step: open
    http: { post: '{{ target.url }}/open', json: { token: '{{ callback.url }}', answer: { id: 9 } } }
    capture: { id: body.id }
    claim: id
  - step: join
    wait_for: event.kind == 'joined'
    observe: agent_join
    timeout: 200ms
";

/// A run of one chat, during which this happens.
async fn run_while(bench: &Bench, scenario: &str, happens: impl Fn(&Bench)) -> RunReport {
    let run = bench.start(scenario, "{ chats: 1 }");
    sleep(ms(100)).await;
    happens(bench);
    over(&run).await
}

fn note(bench: &Bench, name: Name, shortage: Shortage) {
    let listeners = bench.engine.exchange.listeners();
    listeners.of(name).note_shortage(shortage, &"a test");
}

#[tokio::test]
async fn an_event_that_may_not_have_been_taken_is_no_timeout_of_the_target() {
    let (bench, _puppet) = Bench::with_puppet().await;
    let report = run_while(&bench, WAITS, |bench| {
        note(bench, Name::Callbacks, Shortage::Full);
    });
    let report = report.await;
    assert_eq!(step(&report, "join"), (0, vec![Reason::Internal]));
    assert_eq!(report.verdict, Some(Verdict::Invalid));
    let detail = &report.failures[0].detail;
    assert_eq!(
        detail,
        "no such event in time (waited 200 ms); the listener for events could not take all that came: a connection \
         had to wait, because all that are allowed are busy"
    );
    let reasons = &report.verdict_reasons[0];
    assert!(reasons.contains("the target is not to blame"), "{reasons}");
}

#[tokio::test]
async fn what_another_listener_could_not_take_is_no_excuse_for_the_target() {
    let (bench, _puppet) = Bench::with_puppet().await;
    let report = run_while(&bench, WAITS, |bench| {
        note(bench, Name::Web, Shortage::Capacity);
        note(bench, Name::Simulator, Shortage::Capacity);
    });
    let report = report.await;
    assert_eq!(step(&report, "join"), (0, vec![Reason::AgentJoinTimeout]));
    assert_eq!(report.verdict, Some(Verdict::Failed));
}

#[tokio::test]
async fn a_simulator_in_this_process_that_is_full_is_no_slow_target() {
    let ask = "
steps:
  - step: ask
    http: { post: '{{ target.url }}', json: { wait_ms: 60000 } }
    timeout: 200ms
";
    let (bench, _puppet) = Bench::with_puppet().await;
    let report = run_while(&bench, ask, |bench| {
        note(bench, Name::Callbacks, Shortage::Capacity);
    });
    assert_eq!(step(&report.await, "ask"), (0, vec![Reason::Timeout]));
    let report = run_while(&bench, ask, |bench| {
        note(bench, Name::Simulator, Shortage::NotAccepted);
    });
    let report = report.await;
    assert_eq!(step(&report, "ask"), (0, vec![Reason::Internal]));
    let detail = &report.failures[0].detail;
    assert!(detail.contains("the system refused"), "{detail}");
}

#[tokio::test(start_paused = true)]
async fn connections_that_found_the_own_accept_queue_full_make_a_run_invalid() {
    let bench = Bench::new();
    let thinks = "steps: [ { think: 1s } ]";
    // Those of an earlier time are none of this run.
    let drop = |bench: &Bench, name: Name, count: u64| {
        bench
            .engine
            .exchange
            .listeners()
            .of(name)
            .count_dropped(count);
    };
    drop(&bench, Name::Callbacks, 7);
    drop(&bench, Name::Web, 7);
    let report = run_while(&bench, thinks, |_| {}).await;
    assert_eq!(report.verdict, Some(Verdict::Passed));
    let report = run_while(&bench, thinks, |bench| {
        drop(bench, Name::Callbacks, 2);
        drop(bench, Name::Simulator, 3);
        drop(bench, Name::Web, 9);
    });
    let report = report.await;
    assert_eq!(report.verdict, Some(Verdict::Invalid));
    let reasons = &report.verdict_reasons;
    assert!(
        reasons[0].contains("queue of chatprobe itself was full: 5 connections"),
        "{reasons:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn connections_that_found_any_accept_queue_full_are_a_warning() {
    let mut bench = Bench::new();
    let machine = Vitals::silent();
    bench.engine.vitals = machine.clone();
    let thinks = "steps: [ { think: 1s } ]";
    let overflow = |listen_overflows| {
        machine.note(Beat {
            late: Duration::ZERO,
            load: Some(Load {
                listen_overflows,
                ..Load::default()
            }),
        });
    };
    overflow(40);
    let report = run_while(&bench, thinks, |_| overflow(0)).await;
    assert_eq!(report.warnings, Vec::<String>::new());
    let report = run_while(&bench, thinks, |_| {
        overflow(2);
        overflow(1);
    });
    let report = report.await;
    assert_eq!(report.verdict, Some(Verdict::Passed));
    assert_eq!(report.warnings.len(), 1);
    assert!(
        report.warnings[0].starts_with("3 connections found an accept queue"),
        "{:?}",
        report.warnings
    );
}
