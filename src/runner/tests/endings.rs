use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

use super::*;
use crate::{
    event::{RunEvent, RunObserver},
    runner::chat::{ChatPlace, run_chat},
};

/// Breaks the task that emits the end of the first step.
#[derive(Default)]
struct Saboteur(AtomicBool);

impl RunObserver for Saboteur {
    fn observe(&self, _: &Arc<RunIdentity>, event: &RunEvent) {
        let first =
            matches!(event, RunEvent::StepEnded { .. }) && !self.0.swap(true, Ordering::Relaxed);
        assert!(!first, "a bug inside a chat");
    }
}

#[tokio::test(start_paused = true)]
async fn a_chat_whose_task_breaks_is_a_failed_one_and_makes_the_run_invalid() {
    let mut bench = Bench::new();
    bench.hear_first(Arc::new(Saboteur::default()));
    let scenario = "
steps:
  - step: breaks
    http: { get: 'http://no address' }
always: [ { think: 1s } ]
";
    let report = bench.run(scenario, "{ chats: 1 }").await;
    assert_eq!((report.chats.started, report.chats.failed), (1, 1));
    let failure = &report.failures[0];
    assert_eq!((failure.chat, failure.reason), (1, Reason::Internal));
    assert_eq!(report.verdict, Some(Verdict::Invalid));
    assert_eq!(report.verdict_reasons, ["1 chat broke inside chatprobe"]);
}

#[tokio::test(start_paused = true)]
async fn a_chat_that_breaks_after_its_steps_keeps_its_ending() {
    let mut bench = Bench::new();
    bench.hear_first(Arc::new(Saboteur::default()));
    let scenario = "
steps: [ { think: 1s } ]
always:
  - step: breaks
    http: { get: 'http://no address' }
";
    let report = bench.run(scenario, "{ chats: 1 }").await;
    assert_eq!((report.chats.started, report.chats.passed), (1, 1));
    assert_eq!(bench.heard.durations(), [s(1)]);
    assert_eq!(report.verdict, Some(Verdict::Invalid));
}

#[tokio::test(start_paused = true)]
async fn chats_of_an_aborted_run_are_stopped_ones_and_the_run_is_over() {
    let bench = Bench::new();
    let run = bench.start("steps: [ { think: 60s } ]", "{ chats: 3 }");
    sleep(s(1)).await;
    run.abort();
    run.ended().await;
    assert!(run.has_ended());
    sleep(s(1)).await;
    assert_eq!(bench.heard.endings(), vec![Ending::Stopped; 3]);
    let refused = run.order(Order::Pause).await;
    assert_eq!(refused, Err(crate::runner::OrderError::Ended));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_draws_the_same_pauses() {
    let scenario = "
steps:
  - think: { uniform: [1s, 100s] }
  - think: { normal: [50s, 10s] }
  - think: { exponential: 20s }
";
    let mut drawn = Vec::new();
    for seed in [7, 7, 8] {
        let mut bench = Bench::new();
        bench.seed = seed;
        bench.run(scenario, "{ chats: 5, ramp: 1s }").await;
        let mut durations = bench.heard.pick(|_, note| match note {
            heard::Note::Ended { chat, duration, .. } => Some((*chat, *duration)),
            _ => None,
        });
        durations.sort_unstable();
        drawn.push(durations);
    }
    assert_eq!(drawn[0], drawn[1]);
    assert_ne!(drawn[0], drawn[2]);
    let mut chats: Vec<_> = drawn[0].iter().map(|(_, duration)| *duration).collect();
    chats.sort_unstable();
    chats.dedup();
    assert_eq!(chats.len(), 5, "chats of one run draw different ones");
}

/// A hundred thousand of them wait at a time.
#[tokio::test]
async fn a_chat_that_waits_takes_little_room() {
    let bench = Bench::new();
    let spec = bench.spec("steps: [{ think: 1s }]", "{ chats: 1 }");
    let context = bench.context(spec);
    let scope = Arc::new(context.scope());
    let chat = run_chat(
        context,
        scope,
        ChatPlace {
            number: 1,
            ordinal: 0,
            intended: Instant::now(),
        },
    );
    let bytes = size_of_val(&chat);
    assert!(bytes <= 1_700, "{bytes} bytes");
}
