//! Chats that take longer than their scenario allows, and what may take no longer than an hour around them.

use super::*;
use crate::{
    event::{Failure, StepOutcome},
    scenario::StepId,
};

/// How each chat failed, with the moment.
fn failures(bench: &Bench) -> Vec<(Duration, Failure)> {
    bench.heard.pick(|at, note| match note {
        heard::Note::Ended {
            ending: Ending::Failed(failure),
            ..
        } => Some((at, failure.clone())),
        _ => None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_chat_that_passes_its_deadline_in_a_think_time_has_failed_there_and_cleans_up() {
    let bench = Bench::new();
    let report = bench
        .run(
            "
inputs: { allowed: 5m }
deadline: '{{ inputs.allowed }}'
steps: [ { think: 4m }, { think: 8760h } ]
always: [ { think: 10m, when: not passed } ]
",
            "{ chats: 2, ramp: 1m }",
        )
        .await;
    assert_eq!((report.chats.failed, report.chats.stopped), (2, 0));
    assert_eq!(report.chats.failed_by_reason[&Reason::Timeout], 2);
    assert_eq!(bench.heard.durations(), [s(300); 2]);
    let failures = failures(&bench);
    assert_eq!(failures[0].0, s(900), "after its `always` steps");
    let Failure { step, detail, .. } = &failures[0].1;
    assert_eq!(&**step, "think");
    assert!(detail.contains("its deadline of 5 min"), "{detail}");
    assert!(detail.contains("test.yaml:5:34"), "{detail}");
    assert!(detail.contains("before the first step"), "{detail}");
    // It is an example as any failure is.
    assert_eq!(report.failures.len(), 2);
    assert_eq!(report.failures[0].reason, Reason::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_chat_within_its_deadline_passes_whatever_its_always_steps_take() {
    let bench = Bench::new();
    let scenario = "deadline: 10s\nsteps: [ { think: 10s } ]\nalways: [ { think: 1h } ]";
    let report = bench.run(scenario, "{ chats: 1 }").await;
    assert_eq!((report.chats.passed, report.chats.failed), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_may_be_of_the_chat_and_one_that_cannot_be_computed_fails_it() {
    let bench = Bench::new();
    let of_chat = "deadline: \"{{ chat.number ~ 's' }}\"\nsteps: [ { think: 8760h } ]";
    bench.run(of_chat, "{ chats: 3 }").await;
    assert_eq!(bench.heard.ends(), [1, 2, 3].map(s));
    let bench = Bench::new();
    let unclear = "deadline: '{{ chat.id }}'\nsteps: [ { think: 8760h } ]";
    bench.run(unclear, "{ chats: 1 }").await;
    let (at, failure) = failures(&bench).remove(0);
    assert_eq!((at, &*failure.step), (s(0), "deadline"));
    assert_eq!(failure.reason, Reason::Template);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_of_nothing_ends_with_the_deadline() {
    let bench = Bench::new();
    let nothing = "
deadline: 2s
steps:
  - { repeat: 1000000000000, steps: [ { think: 2001ms, when: repeat.index == 1 and chat.number == 2 } ] }";
    let run = bench.start(nothing, "{ chats: 1 }");
    while bench.heard.starts().is_empty() {
        tokio::task::yield_now().await;
    }
    // The clock of these tests stands still while a chat has something to do.
    tokio::time::advance(s(3)).await;
    over(&run).await;
    let (_, failure) = failures(&bench).remove(0);
    assert_eq!(
        (&*failure.step, failure.reason),
        ("repeat", Reason::Timeout)
    );
    assert!(failure.detail.contains("before round"), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn a_setup_has_failed_after_an_hour() {
    let bench = Bench::new();
    let endless = "
setup: [ { think: 59m }, { repeat: 1000000000000, steps: [ { think: 7m } ] } ]
steps: [ { think: 1s } ]
";
    let run = bench.start(endless, "{ chats: 1 }");
    let report = over(&run).await;
    assert_eq!(
        (report.chats.started, report.ended_by),
        (0, Some(EndedBy::Setup))
    );
    let reason = &report.verdict_reasons[0];
    assert!(
        reason.contains("the setup passed its limit of 1 h "),
        "{reason}"
    );
    assert!(reason.contains("test.yaml:3:"), "{reason}");
    assert!((report.elapsed_seconds - 3600.0).abs() < 1.0, "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn always_steps_end_after_an_hour_and_the_chat_keeps_its_ending() {
    let bench = Bench::new();
    let endless = "
deadline: 5s
steps: [ { think: 1s }, { think: \"{{ 8760 * (chat.number - 1) ~ 'h' }}\" } ]
always:
  - { think: 1y }
  - { step: bye, http: { get: '{{ target.url }}' } }
"
    .replace("1y", "8760h");
    let report = bench.run(&endless, "{ chats: 2 }").await;
    assert_eq!((report.chats.passed, report.chats.failed), (1, 1));
    assert_eq!(bench.heard.ends(), [s(3601), s(3605)]);
    assert_eq!(bench.heard.durations(), [s(1), s(5)]);
    // Nothing is sent when the time is over.
    assert_eq!(step(&report, "bye"), (0, vec![Reason::Timeout]));
}

#[tokio::test(start_paused = true)]
async fn a_teardown_ends_after_an_hour_and_is_told() {
    for endless in [
        "{ think: 8760h }",
        "{ repeat: 1000000000000, steps: [ { think: 7m } ] }",
        "{ repeat: 2, steps: [ { think: 59m }, { think: 8760h } ] }",
    ] {
        let bench = Bench::new();
        let scenario = format!("steps: [ {{ think: 1s }} ]\nteardown: [ {endless} ]");
        let report = bench.run(&scenario, "{ chats: 1 }").await;
        assert_eq!(report.verdict, Some(Verdict::Passed), "{endless}");
        assert!((report.elapsed_seconds - 3601.0).abs() < 1.0, "{endless}");
        let failed = report.teardown_failed.unwrap();
        assert_eq!(failed.reason, Some(Reason::Timeout), "{endless}");
        let detail = failed.detail;
        assert!(
            detail.contains("the teardown passed its limit of 1 h "),
            "{detail}"
        );
    }
}

/// Sockets know nothing of a paused clock.
#[tokio::test]
async fn a_wait_is_given_up_at_the_deadline_and_a_stop_before_it_is_a_stop() {
    let waits = "
callbacks: { key: event.key }
deadline: 1s
steps:
  - step: claims
    http: { post: '{{ target.url }}/claims', json: {} }
    capture: { key: '1' }
    claim: key
  - step: waits
    wait_for: event.kind == 'never'
    timeout: 1h
    observe: agent_join
";
    let (bench, _puppet) = Bench::with_puppet().await;
    bench.run(waits, "{ chats: 1 }").await;
    let (at, failure) = failures(&bench).remove(0);
    assert!(at >= s(1) && at < s(10), "{at:?}");
    assert_eq!((&*failure.step, failure.reason), ("waits", Reason::Timeout));
    assert!(
        failure.detail.contains("its deadline of 1 s"),
        "{failure:?}"
    );
    let outcome = StepOutcome::Failed(Reason::Timeout);
    let note = heard::Note::Step(StepId::at(1), outcome);
    assert!(bench.heard.notes().contains(&note), "{failure:?}");

    let (bench, _puppet) = Bench::with_puppet().await;
    let run = bench.start(&waits.replace("1s", "1m"), "{ chats: 1 }");
    while !(bench.heard.notes()).contains(&heard::Note::WaitStarted) {
        sleep(ms(1)).await;
    }
    let end = Stop::End {
        answers: s(0),
        cleanup: s(1),
    };
    run.order(by_operator(end)).await.unwrap();
    let report = over(&run).await;
    assert_eq!((report.chats.stopped, report.chats.failed), (1, 0));
    assert_eq!(stopped(&report, "waits"), 1);
}

#[tokio::test]
async fn a_request_is_given_up_at_the_deadline_and_the_next_step_is_not_begun() {
    let (bench, puppet) = Bench::with_puppet().await;
    let report = bench
        .run(
            "
deadline: 1s
steps:
  - step: hangs
    http: { post: '{{ target.url }}/hangs', json: { wait_ms: 60000 } }
  - step: never
    http: { get: '{{ target.url }}/never' }
always:
  - step: bye
    http: { get: '{{ target.url }}/bye' }
",
            "{ chats: 1 }",
        )
        .await;
    assert_eq!(puppet.requests(), ["/hangs", "/bye"]);
    assert_eq!(step(&report, "hangs"), (0, vec![Reason::Timeout]));
    assert_eq!(step(&report, "bye"), (1, vec![]));
    let (_, failure) = failures(&bench).remove(0);
    assert!(
        failure.detail.contains("its deadline of 1 s"),
        "{failure:?}"
    );
    assert_eq!(report.chats.failed_by_reason[&Reason::Timeout], 1);

    let late = "
deadline: 1s
steps:
  - { step: first, http: { get: '{{ target.url }}/first' } }
  - think: 1s
  - { step: second, http: { get: '{{ target.url }}/second' } }
";
    let (bench, puppet) = Bench::with_puppet().await;
    bench.run(late, "{ chats: 1 }").await;
    assert_eq!(puppet.requests(), ["/first"]);
    let (_, failure) = failures(&bench).remove(0);
    assert_eq!((&*failure.step, failure.reason), ("think", Reason::Timeout));
    assert!(failure.detail.contains("after step `first`"), "{failure:?}");
}
