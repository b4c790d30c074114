use std::sync::Mutex;

use super::*;
use crate::{
    event::{FailedChat, RunEvent, RunObserver, TracedStep},
    scenario::{ActionTrace, Excerpt, Presenter},
};

/// Keeps what failed chats did.
#[derive(Default)]
pub(super) struct Explained(pub(super) Mutex<Vec<Arc<FailedChat>>>);

impl RunObserver for Explained {
    fn observe(&self, _: &Arc<RunIdentity>, event: &RunEvent) {
        if let RunEvent::ChatFailed(chat) = event {
            self.0.lock().unwrap().push(chat.clone());
        }
    }
}

const THREE_STEPS: &str = "
steps:
  - step: one
    http: { get: '{{ target.url }}/?status=200' }
    expect: status > 0
  - step: two
    http: { get: '{{ target.url }}/?status=200' }
    expect: status > 0
  - step: three
    http: { get: '{{ target.url }}/?status=200' }
    expect: status == 1
";

/// What people see of a step, without any text.
fn presented(step: &TracedStep) -> ActionTrace {
    let presenter = Presenter {
        excerpt: &|beginning| Excerpt {
            text: String::new(),
            bytes: beginning.length,
        },
        redact: &|text| text,
        mask: "",
    };
    step.action.as_ref().unwrap().present(&presenter)
}

/// The chats that failed, each as whether it is known whole and its steps.
async fn explained(bench: &mut Bench) -> Vec<(bool, Vec<String>)> {
    let explained = Arc::new(Explained::default());
    bench.hear_first(explained.clone());
    let report = bench.run(THREE_STEPS, "{ chats: 3 }").await;
    assert_eq!(report.chats.failed, 3);
    let chats = explained.0.lock().unwrap();
    let steps = |chat: &FailedChat| -> Vec<String> {
        let steps = chat.trace.steps.iter();
        steps
            .inspect(|step| {
                let http = presented(step).http;
                assert!(http.request.is_some() && http.answer.is_some());
            })
            .map(|step| step.step.to_string())
            .collect()
    };
    (chats.iter())
        .map(|chat| (chat.trace.whole, steps(chat)))
        .collect()
}

#[tokio::test]
async fn a_setup_that_fails_is_explained_and_counted_for_a_probe_only() {
    let setup = THREE_STEPS.replace("steps:", "setup:") + "steps: [ { think: 1s } ]\n";
    for (mode, number) in [(Mode::Burst, 0), (Mode::Probe, 1)] {
        let (mut bench, _puppet) = Bench::with_puppet().await;
        bench.mode = mode;
        let explained = Arc::new(Explained::default());
        bench.hear_first(explained.clone());
        let report = bench.run(&setup, "{ chats: 3 }").await;
        assert_eq!(
            (report.chats.started, report.chats.failed),
            (number, number)
        );
        let told = explained.0.lock().unwrap();
        let [failed] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!((failed.chat, &*failed.failure.step), (number, "three"));
        assert!(failed.trace.whole && failed.trace.steps.len() == 3);
    }
}

#[tokio::test]
async fn a_failed_chat_is_known_whole_and_its_room_is_given_back() {
    let (mut bench, _puppet) = Bench::with_puppet().await;
    let whole = (true, ["one", "two", "three"].map(str::to_owned).to_vec());
    assert_eq!(explained(&mut bench).await, vec![whole; 3]);
    assert_eq!(bench.engine.traces.taken(), 0);
}

#[tokio::test]
async fn without_room_the_step_that_failed_is_known() {
    let (mut bench, _puppet) = Bench::with_puppet().await;
    bench.engine.traces.fill();
    let full = bench.engine.traces.taken();
    let last = (false, vec!["three".to_owned()]);
    assert_eq!(explained(&mut bench).await, vec![last; 3]);
    assert_eq!(bench.engine.traces.taken(), full);
}

#[tokio::test]
async fn a_probe_is_known_whole_whatever_bursts_take() {
    let (mut bench, _puppet) = Bench::with_puppet().await;
    bench.engine.traces.fill();
    bench.mode = Mode::Probe;
    let chats = explained(&mut bench).await;
    assert!(
        chats
            .iter()
            .all(|(whole, steps)| *whole && steps.len() == 3),
        "{chats:?}"
    );
}
