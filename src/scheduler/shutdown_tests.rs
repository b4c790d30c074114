use std::sync::{Arc, Mutex, mpsc};

use super::*;
use crate::{
    event::{Observers, RunEvent, RunIdentity, RunObserver},
    scheduler::testing::scheduler,
    testing::TemporaryFolder,
};

const PLAN: &str = "
targets: { t: { url: 'http://127.0.0.1:9' } }
scenarios: [ s.yaml ]
bursts:
  stuck: { scenario: s, target: t, load: { chats: 1 } }
  well: { scenario: s, target: t, load: { chats: 1 } }
";

/// Holds the threads of runs named `stuck` from their first event on, until the test is over.
struct Hold(Mutex<mpsc::Receiver<()>>);

impl RunObserver for Hold {
    fn observe(&self, run: &Arc<RunIdentity>, _: &RunEvent) {
        if &*run.name == "stuck" {
            let _ = self.0.lock().unwrap().recv();
        }
    }
}

/// How long each way to end took with a run that follows no orders beside one that does.
#[test]
fn a_run_that_follows_no_orders_holds_up_neither_the_others_nor_the_end() {
    let folder = TemporaryFolder::new();
    let elsewhere = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let here = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    for at_once in [false, true] {
        let (release, held) = mpsc::channel();
        let observers = Observers::default().and_of_runs(Arc::new(Hold(Mutex::new(held))));
        let (took, ended, chats) = here.block_on(async {
            let scheduler = scheduler(folder.path(), PLAN, observers);
            // Its thread is not one of this runtime, whose clock goes on while it is held.
            let entered = elsewhere.enter();
            let stuck = scheduler.start_requested("{ burst: stuck }").unwrap();
            drop(entered);
            let well = scheduler.start_requested("{ burst: well }").unwrap();
            assert!(
                stuck.id() < well.id(),
                "the first to get its order is stuck"
            );
            tokio::time::sleep(Duration::from_secs(1)).await;
            let began = Instant::now();
            let ended = if at_once {
                scheduler.give_up(began).await;
                Err(CutOff)
            } else {
                scheduler.shut_down(Duration::from_secs(30)).await
            };
            (began.elapsed(), ended, well.chats())
        });
        drop(release);
        assert_eq!(ended, Err(CutOff));
        assert_eq!((chats.started, chats.stopped), (1, 1), "{at_once}");
        let longest = if at_once {
            GIVE_UP_GRACE
        } else {
            Duration::from_secs(30) + ANSWER_GRACE + CLEANUP_GRACE * 2 + ABORT_GRACE + TASKS_GRACE
        };
        assert_eq!(took.as_millis(), longest.as_millis(), "{at_once}");
    }
    elsewhere.shutdown_background();
}
