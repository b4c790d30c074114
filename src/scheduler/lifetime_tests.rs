//! What is left of a scheduler that has come to its end.

use std::{sync::Arc, time::Duration};

use super::testing::scheduler;
use crate::{event::Observers, testing::TemporaryFolder};

const PLAN: &str = "
targets: { t: { url: 'http://127.0.0.1:9' } }
scenarios: [ s.yaml ]
probes:
  p: { scenario: s, target: t, every: 1m }
bursts:
  yearly: { scenario: s, target: t, load: { chats: 1 }, schedule: { cron: '0 3 1 1 *' } }
";

#[tokio::test(start_paused = true)]
async fn it_is_gone_with_its_last_handle() {
    let folder = TemporaryFolder::new();
    let scheduler = scheduler(folder.path(), PLAN, Observers::default());
    scheduler.install(scheduler.plan()).await;
    assert!(scheduler.next_start("yearly").await.is_some());
    let shared = Arc::downgrade(&scheduler.shared);
    let launcher = Arc::downgrade(&scheduler.shared.launcher);
    let clock = Arc::downgrade(scheduler.shared.cron.lock().await.as_ref().unwrap());
    let ended = scheduler.shut_down(Duration::from_secs(1)).await;
    assert_eq!(ended, Ok(()));
    drop(scheduler);
    assert_eq!(clock.strong_count(), 0);
    assert_eq!(launcher.strong_count(), 0);
    assert_eq!(shared.strong_count(), 0);
}
