use super::*;
use crate::runner::tests::measurements::STAGE;

#[tokio::test(start_paused = true)]
async fn events_of_chats_are_recorded_while_somebody_looks() {
    let tally = Tally::new(STAGE.spec());
    let run = tally.identity().clone();
    let looking = tally.past();
    let lateness = Duration::from_millis(3);
    tally.observe(&run, &RunEvent::ChatStarted { lateness });
    tally.enter(RunState::Running);
    tally.note_lag(lateness);
    drop(looking);
    assert_eq!(tally.state(), RunState::Running);
    let chats = tally.chats();
    assert_eq!(
        (chats.started, chats.in_progress, chats.most_in_progress),
        (1, 1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn an_exchange_uses_the_memory_of_histograms_again() {
    let tally = Tally::new(STAGE.spec());
    let run = tally.identity().clone();
    let started = |millis| RunEvent::ChatStarted {
        lateness: Duration::from_millis(millis),
    };
    tally.observe(&run, &started(70));
    tally.look();
    // Empty, and with memory for what was measured before.
    let spare = tally.past().spare.start_lateness.clone();
    assert_eq!((spare.count(), spare.longest()), (0, Duration::ZERO));
    tally.observe(&run, &started(5));
    let seen = tally.look();
    assert_eq!(seen.measured.start_lateness.count(), 2);
    assert_eq!(seen.report().start_lateness.max, Some(0.07));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_followed_and_not_looked_at_copies_nothing_every_second() {
    let tally = Tally::new(STAGE.spec());
    tally.whole_seconds(0);
    let lateness = Duration::from_millis(3);
    for second in 1..=3 {
        // Nobody holds the snapshot of the last second any more.
        let before = Arc::as_ptr(&tally.past().seconds);
        tally.observe(tally.identity(), &RunEvent::ChatStarted { lateness });
        tokio::time::advance(Duration::from_secs(1)).await;
        tally.tick();
        let past = tally.past();
        assert_eq!(past.seconds.started, second);
        assert_eq!(Arc::as_ptr(&past.seconds), before);
    }
}
