//! Places where the chats of a run wait for each other.

use super::*;

/// The details of what failed.
fn details(bench: &Bench) -> Vec<String> {
    let endings = bench.heard.endings().into_iter();
    endings
        .filter_map(|ending| match ending {
            Ending::Failed(failure) => Some(format!("{}: {}", failure.step, failure.detail)),
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_chats_wait_for_the_last_of_them_in_every_round() {
    let bench = Bench::new();
    let steps = "
steps:
  - repeat: 3
    steps:
      - { think: \"{{ chat.number ~ 'ms' }}\" }
      - { barrier: all_joined, timeout: 10s }
  - { step: after, flip: a }
";
    let report = bench.run(steps, "{ chats: 300 }").await;
    assert_eq!(report.chats.passed, 300);
    assert_eq!(bench.heard.durations(), [ms(900); 300]);
    assert_eq!(step(&report, "after"), (300, vec![]));
}

#[tokio::test(start_paused = true)]
async fn chats_that_end_before_or_pass_by_are_not_waited_for() {
    let bench = Bench::new();
    let steps = "
steps:
  - { think: 5s, when: chat.number <= 2 }
  - { step: fails, flip: a, expect: flipped == 'b', when: chat.number == 1 }
  - { barrier: all_joined, when: chat.number != 2 }
always: [ { think: 1m, when: not passed } ]
";
    let report = bench.run(steps, "{ chats: 200 }").await;
    assert_eq!((report.chats.passed, report.chats.failed), (199, 1));
    // The `always` steps of a chat keep nobody.
    let mut durations = bench.heard.durations();
    durations.sort_unstable();
    assert_eq!(durations, [s(5); 200]);
}

#[tokio::test(start_paused = true)]
async fn a_chat_that_starts_later_joins_the_next_meeting() {
    let bench = Bench::new();
    let steps = "
steps:
  - { think: 500ms }
  - { barrier: all_joined }
  - { think: 3s }
";
    // The second chat comes one second after the first has gone on, and waits until that is over.
    let report = bench.run(steps, "{ rate: 1/s, for: 2s }").await;
    assert_eq!(report.chats.passed, 2);
    assert_eq!(bench.heard.durations(), [3_500, 5_500].map(ms));
}

#[tokio::test(start_paused = true)]
async fn a_chat_that_waits_too_long_says_how_many_had_come() {
    let bench = Bench::new();
    let steps = "
steps:
  - { think: 1h, when: chat.number == 1 }
  - { barrier: all_joined, timeout: 2s }
";
    let report = bench.run(steps, "{ chats: 5 }").await;
    assert_eq!((report.chats.passed, report.chats.failed), (1, 4));
    assert_eq!(report.chats.failed_by_reason[&Reason::Timeout], 4);
    let details = details(&bench);
    assert!(
        details
            .iter()
            .all(|it| it.starts_with("barrier: test.yaml:5:16: ")),
        "{details:?}"
    );
    assert!(details[0].contains("4 of 5 chats"), "{details:?}");
    assert!(
        details[0].contains("`all_joined` within 2 s"),
        "{details:?}"
    );
    let mut durations = bench.heard.durations();
    durations.sort_unstable();
    assert_eq!(durations, [s(2), s(2), s(2), s(2), s(3_600)]);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_chat_and_the_end_of_its_run_count_at_a_barrier_too() {
    let bench = Bench::new();
    let steps = "
deadline: \"{{ '3s' if chat.number > 1 else '1h' }}\"
steps:
  - { think: 2s, when: chat.number == 1 }
  - { barrier: early, when: chat.number > 1 }
";
    let report = bench.run(steps, "{ chats: 2 }").await;
    assert_eq!((report.chats.passed, report.chats.failed), (2, 0));
    let report = bench
        .run(&steps.replace("think: 2s", "think: 4s"), "{ chats: 2 }")
        .await;
    assert_eq!((report.chats.passed, report.chats.failed), (1, 1));
    let told = details(&bench).concat();
    assert!(
        told.contains("its deadline of 3 s at the barrier `early`"),
        "{told}"
    );

    let bench = Bench::new();
    let waits = "steps: [ { think: 1h, when: chat.number == 1 }, { barrier: b, timeout: 2h } ]";
    let run = bench.start(waits, "{ chats: 50 }");
    sleep(s(1)).await;
    run.order(by_operator(Stop::AT_ONCE)).await.unwrap();
    let report = over(&run).await;
    assert_eq!((report.chats.stopped, report.chats.failed), (50, 0));
    assert_eq!(bench.heard.durations(), [s(1); 50]);
}

#[tokio::test(start_paused = true)]
async fn two_tracks_of_a_chat_are_one_chat_at_a_barrier() {
    let bench = Bench::new();
    let steps = "
steps:
  - together:
      customer: [ { think: 1s }, { barrier: all_joined } ]
      agent: [ { think: \"{{ chat.number ~ 's' }}\" }, { barrier: all_joined } ]
";
    let report = bench.run(steps, "{ chats: 2 }").await;
    assert_eq!(report.chats.passed, 2);
}
