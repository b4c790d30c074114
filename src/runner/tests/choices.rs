//! Branches that chats take, and chats that end where the scenario says so.

use std::sync::Mutex;

use super::*;
use crate::event::{FailedChat, RunEvent};

/// How often each of these steps passed.
fn passed<const N: usize>(report: &RunReport, steps: [&str; N]) -> [u64; N] {
    steps.map(|name| step(report, name).0)
}

#[tokio::test(start_paused = true)]
async fn branches_are_taken_exactly_as_often_as_their_weights_say() {
    let bench = Bench::new();
    let steps = "
steps:
  - choose:
      - weight: 1
        steps:
          - { step: once, flip: a }
          - choose:
              - { weight: 3, steps: [{ step: often, flip: a }] }
              - { weight: 1, steps: [{ step: seldom, flip: a }] }
      - weight: 2
        steps:
          - step: twice
            flip: a
          - repeat: 2
            steps:
              - choose:
                  - { steps: [{ step: one, flip: a }] }
                  - { steps: [{ step: other, flip: a }] }
  - { step: all, flip: a }
";
    let report = bench.run(steps, "{ chats: 240 }").await;
    let names = ["once", "twice", "often", "seldom", "one", "other", "all"];
    assert_eq!(passed(&report, names), [80, 160, 60, 20, 160, 160, 240]);
    // Less than one chat from the weights, wherever a run ends.
    let report = bench.run(steps, "{ chats: 100 }").await;
    let [once, twice, ..] = passed(&report, names);
    assert!(
        [(33, 67), (34, 66)].contains(&(once, twice)),
        "{once}, {twice}"
    );
}

#[tokio::test(start_paused = true)]
async fn branches_that_are_drawn_are_the_same_for_the_same_seed() {
    let mut bench = Bench::new();
    let steps = "
steps:
  - spread: random
    choose:
      - { weight: 1, steps: [{ step: one, flip: a }] }
      - { weight: 2, steps: [{ step: other, flip: a }] }
";
    let mut counts = Vec::new();
    for seed in [1, 1, 2, 3] {
        bench.seed = seed;
        let report = bench.run(steps, "{ chats: 3000 }").await;
        let [one, other] = passed(&report, ["one", "other"]);
        assert_eq!(one + other, 3000);
        // Five standard deviations of 26.
        assert!((870..=1130).contains(&one), "{one}");
        counts.push(one);
    }
    assert_eq!(counts[0], counts[1]);
    assert!(
        counts[1..].windows(2).any(|two| two[0] != two[1]),
        "{counts:?}"
    );
}

/// Keeps what failed chats did.
#[derive(Default)]
struct FailedChats(Mutex<Vec<Arc<FailedChat>>>);

impl RunObserver for FailedChats {
    fn observe(&self, _: &Arc<RunIdentity>, event: &RunEvent) {
        if let RunEvent::ChatFailed(chat) = event {
            self.0.lock().unwrap().push(chat.clone());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_chat_ends_where_the_scenario_says_so_and_cleans_up() {
    let mut bench = Bench::new();
    let failed = Arc::new(FailedChats::default());
    bench.hear_first(failed.clone());
    let steps = "
steps:
  - { step: first, flip: abc, capture: { said: flipped } }
  - choose:
      - steps: [{ repeat: 5, steps: [{ step: early, flip: a }, { end: passed, when: repeat.index == 2 }] }]
      - steps: [{ step: late, flip: b }, { end: { failed: 'the target said {{ said }}' } }]
      - steps: [{ end: { failed: never }, when: said == 1 }]
  - { step: last, flip: c }
always:
  - { step: cleans, flip: a, expect: passed == (chat.number != 2) }
";
    let report = bench.run(steps, "{ chats: 3 }").await;
    assert_eq!((report.chats.passed, report.chats.failed), (2, 1));
    assert_eq!(
        passed(&report, ["early", "late", "last", "cleans"]),
        [2, 1, 1, 3]
    );
    let failure = &report.failures[0];
    assert_eq!(
        (&*failure.step, failure.reason),
        ("end", Reason::Expectation)
    );
    assert!(
        failure.detail.contains("the target said cba"),
        "{failure:?}"
    );
    assert!(failure.detail.contains("test.yaml:7:42: "), "{failure:?}");
    let failed = failed.0.lock().unwrap();
    let trace = &failed[0].trace.steps;
    let branches = |step: usize| trace[step].branches.as_deref().unwrap_or_default();
    assert_eq!((trace.len(), branches(0)), (2, &[][..]));
    let late: Vec<_> = { branches(1).iter() }
        .map(|nth| (nth.number, nth.of))
        .collect();
    assert_eq!((&*trace[1].step, late), ("late", vec![(2, 3)]));
}
