use super::*;
use crate::{
    event::Observers,
    runner::Order,
    scheduler::{BurstRefused, testing::scheduler},
    testing::TemporaryFolder,
};

const PLAN: &str = "
limits: { max_active_chats: 2 }
targets: { t: { url: 'http://127.0.0.1:9' } }
scenarios: [ s.yaml ]
bursts:
  short: { scenario: s, target: t, load: { chats: 1 } }
  long: { scenario: s, target: t, load: { customers: 1, for: 5h } }
";

/// Whoever waits for the end of a run may start the next one at once.
#[test]
fn a_run_that_has_ended_reserves_nothing_even_before_it_is_retired() {
    // What waits outside the tasks goes on before the next task does.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .event_interval(1)
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let folder = TemporaryFolder::new();
    runtime.block_on(async {
        let scheduler = scheduler(folder.path(), PLAN, Observers::default());
        let runs = &scheduler.shared.launcher.runs;
        let start = |burst: &str| scheduler.start_requested(&format!("{{ burst: {burst} }}"));
        let long = start("long").unwrap();
        let first = start("short").unwrap();
        assert_eq!(runs.reserved(), 2);
        first.ended().await;
        assert!(runs.handle(first.id()).is_some(), "it is not retired");
        assert_eq!(runs.reserved(), 1);
        let in_progress = runs.active();
        let ids: Vec<_> = in_progress.iter().map(RunHandle::id).collect();
        assert_eq!(ids, [long.id()]);

        let second = start("short").unwrap();
        second.ended().await;
        assert!(runs.handle(second.id()).is_some(), "it is not retired");
        let raised = scheduler.order(&long, Order::Customers(2)).await;
        assert_eq!(raised, Ok(()));
        let refused = start("short").map(|run| run.id().to_owned());
        let no_capacity = BurstRefused::NoCapacity {
            wanted: 1,
            reserved: 2,
            cap: 2,
        };
        assert_eq!(refused, Err(no_capacity));
    });
}
