//! Steps that say `else: { retry }` or `else: { steps }`.

use std::sync::Mutex;

use super::*;
use crate::event::{FailedChat, RunEvent};

/// A step that passes at the attempt with this number and pauses for two seconds before each further one.
fn passing_at(attempt: u32, retries: u32) -> String {
    format!(
        "
steps:
  - repeat: 1
    steps:
      - step: tries
        flip: a
        capture: {{ count: (count | default(0)) + 1, enough: 1 if count == {attempt} else none }}
        else: {{ retry: {retries}, pause: 2s }}
  - {{ step: last, flip: a, expect: count == {attempt} }}
"
    )
}

fn failed(report: &RunReport, name: &str) -> u64 {
    let step = report.steps.iter().find(|step| step.step == name);
    step.unwrap().failed
}

#[tokio::test(start_paused = true)]
async fn a_step_is_attempted_until_it_passes() {
    let bench = Bench::new();
    let report = bench.run(&passing_at(3, 3), "{ chats: 1 }").await;
    assert_eq!((report.chats.passed, report.chats.failed), (1, 0));
    assert_eq!(step(&report, "tries"), (1, vec![Reason::Capture]));
    assert_eq!(failed(&report, "tries"), 2);
    assert_eq!(step(&report, "last"), (1, vec![]));
    assert_eq!(bench.heard.durations(), [s(4)]);
}

/// Keeps what failed chats did.
#[derive(Default)]
struct Attempts(Mutex<Vec<Arc<FailedChat>>>);

impl RunObserver for Attempts {
    fn observe(&self, _: &Arc<RunIdentity>, event: &RunEvent) {
        if let RunEvent::ChatFailed(chat) = event {
            self.0.lock().unwrap().push(chat.clone());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_chat_fails_with_the_last_attempt_and_shows_each() {
    let mut bench = Bench::new();
    let attempts = Arc::new(Attempts::default());
    bench.hear_first(attempts.clone());
    let report = bench.run(&passing_at(3, 1), "{ chats: 1 }").await;
    assert_eq!((report.chats.passed, report.chats.failed), (0, 1));
    assert_eq!(step(&report, "tries"), (0, vec![Reason::Capture]));
    assert_eq!(failed(&report, "tries"), 2);
    assert_eq!(step(&report, "last"), (0, vec![]));
    let failure = &report.failures[0];
    assert_eq!((&*failure.step, failure.reason), ("tries", Reason::Capture));
    let chats = attempts.0.lock().unwrap();
    let attempts: Vec<_> = { chats[0].trace.steps.iter() }
        .map(|step| step.attempt.map(|attempt| (attempt.number, attempt.of)))
        .collect();
    assert_eq!(attempts, [Some((1, 2)), Some((2, 2))]);
}

#[tokio::test(start_paused = true)]
async fn no_attempt_is_made_beyond_the_deadline() {
    let bench = Bench::new();
    let steps = format!("deadline: 3s{}", passing_at(9, 5));
    let report = bench.run(&steps, "{ chats: 1 }").await;
    assert_eq!((failed(&report, "tries"), report.chats.failed), (2, 1));
    let failure = &report.failures[0];
    assert_eq!((&*failure.step, failure.reason), ("tries", Reason::Timeout));
    assert!(
        failure.detail.contains("before attempt 3 of 6"),
        "{failure:?}"
    );
    assert_eq!(bench.heard.durations(), [s(3)]);
}

#[tokio::test(start_paused = true)]
async fn an_order_to_stop_ends_the_attempts() {
    let bench = Bench::new();
    let run = bench.start(&passing_at(9, 50), "{ chats: 1 }");
    sleep(s(5)).await;
    run.order(by_operator(Stop::AT_ONCE)).await.unwrap();
    let report = over(&run).await;
    assert_eq!((report.chats.stopped, report.chats.failed), (1, 0));
    assert_eq!(failed(&report, "tries"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failure_may_have_steps_of_its_own() {
    let bench = Bench::new();
    let steps = "
steps:
  - step: odd
    flip: a
    expect: chat.number % 2 == 1
    else:
      steps:
        - { step: mends, flip: b }
        - { step: fails, flip: c, expect: chat.number != 4 }
        - { end: { failed: given up }, when: chat.number == 6 }
  - { step: last, flip: d }
always:
  - step: cleans
    flip: e
    expect: passed
    else: { steps: [{ step: repairs, flip: f }] }
";
    let report = bench.run(steps, "{ chats: 6 }").await;
    assert_eq!((report.chats.passed, report.chats.failed), (4, 2));
    assert_eq!(step(&report, "odd"), (3, vec![Reason::Expectation]));
    assert_eq!(step(&report, "mends"), (3, vec![]));
    assert_eq!(step(&report, "fails"), (2, vec![Reason::Expectation]));
    assert_eq!(step(&report, "last"), (4, vec![]));
    assert_eq!(step(&report, "repairs"), (2, vec![]));
    let failed: Vec<_> = report
        .failures
        .iter()
        .map(|failure| &*failure.step)
        .collect();
    assert_eq!(failed, ["fails", "end"]);
}
