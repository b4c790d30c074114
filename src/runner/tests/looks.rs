//! Whoever looks at a run changes nothing about it.

use proptest::prelude::*;
use tokio::time::advance;

use super::{
    measurements::{STAGE, happenings},
    *,
};
use crate::{
    event::{RunEvent, RunObserver},
    runner::{RunRecord, Tally},
};

/// Without what depends on the clock of the machine.
fn text(mut record: RunRecord) -> String {
    let report = &mut record.report;
    report.started_at.clear();
    report.first_chat_began_at = None;
    report.last_chat_ended_at = None;
    serde_json::to_string_pretty(&record).unwrap()
}

proptest! {
    // Each of them looks a hundred times.
    #![proptest_config(ProptestConfig {
        cases: (ProptestConfig::default().cases / 16).max(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_run_that_was_looked_at_after_every_event_has_the_same_record(
        happenings in happenings(),
        looks in prop::collection::vec(0_u8..6, 200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let stage = &*STAGE;
            let tallies = [(); 2].map(|()| Box::new(Tally::new(&stage.spec().into())));
            let run = tallies[0].identity().clone();
            let [watched, alone] = &tallies;
            let (mut started, mut ended) = (0_u64, 0_u64);
            for (chat, (what, look)) in (1..).zip(happenings.iter().zip(&looks)) {
                let event = stage.event(what, chat);
                match &event {
                    Some(RunEvent::ChatStarted { .. }) => started += 1,
                    // As in a run, no chat ends that has not begun.
                    Some(RunEvent::ChatEnded { .. }) if started == ended => continue,
                    Some(RunEvent::ChatEnded { .. }) => ended += 1,
                    _ => {}
                }
                for tally in &tallies {
                    if let Some(event) = &event {
                        tally.observe(&run, event);
                    }
                    tally.tick();
                }
                let chats = match look {
                    0 => watched.report().chats,
                    1 => watched.record().report.chats,
                    2 => watched.whole_seconds(0).at_end.report().chats,
                    _ => watched.chats(),
                };
                if *look != 2 {
                    assert_eq!((chats.started, chats.in_progress), (started, started - ended));
                }
                advance(ms(u64::from(*look) * 30)).await;
            }
            for tally in &tallies {
                tally.conclude(Verdict::Passed, Vec::new());
            }
            assert_eq!(text(watched.record()), text(alone.record()));
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_stays_as_it_was_while_the_run_goes_on() {
    let bench = Bench::new();
    let run = bench.start("steps: [ { think: 200ms } ]", "{ rate: 10/s, for: 5s }");
    sleep(ms(3_450)).await;
    let seen = run.look();
    let before = serde_json::to_string(&seen.report()).unwrap();
    let report = over(&run).await;
    assert_eq!(serde_json::to_string(&seen.report()).unwrap(), before);
    assert!(seen.report().chats.passed < report.chats.passed);
}
