use std::sync::Arc;

use super::*;
use crate::{
    document::{Problems, parse},
    event::DeliveryEvent,
    load::{Threshold, ThresholdSubjects},
    runner::{
        HealthBudget, ThresholdState,
        tests::measurements::STAGE,
        verdict::{Course, judge},
    },
};

#[tokio::test(start_paused = true)]
async fn events_of_chats_are_recorded_while_somebody_looks() {
    let tally = Tally::new(&STAGE.spec().into());
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
    let tally = Tally::new(&STAGE.spec().into());
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
    let tally = Tally::new(&STAGE.spec().into());
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

/// A run with these thresholds in which 2 of 1,000 deliveries were lost, and the others took 10 ms or 20 ms.
fn with_deliveries(thresholds: &str) -> Tally {
    let problems = Problems::default();
    let known = ThresholdSubjects {
        scenario: "s",
        steps: &[],
        deliveries: true,
    };
    let node = parse("t.yaml", thresholds).unwrap();
    let thresholds = Threshold::read_list(&node, Some(&[known]), &problems);
    assert_eq!(problems.into_result(), Ok(()));
    let tally = Tally::new(&Arc::new(RunSpec {
        thresholds,
        ..STAGE.spec()
    }));
    let emit = |event| tally.observe(&tally.identity().clone(), &RunEvent::Deliveries(event));
    emit(DeliveryEvent::Published { expected: 1_005 });
    for millis in [10, 20].repeat(499) {
        let latency = Duration::from_millis(millis);
        emit(DeliveryEvent::Delivered { latency });
        if millis == 10 {
            // So that what is judged was measured in several parts.
            tally.take_open(&mut tally.past());
        }
    }
    tally.close_second(&mut tally.past(), Duration::from_secs(1));
    emit(DeliveryEvent::Lost(2));
    emit(DeliveryEvent::Excused(5));
    emit(DeliveryEvent::Duplicate);
    emit(DeliveryEvent::Untracked(100));
    tally
}

#[tokio::test(start_paused = true)]
async fn thresholds_of_deliveries_judge_latencies_of_what_came_and_the_share_that_was_lost() {
    use ThresholdState::{Broken, Held};
    for (threshold, state, measured) in [
        ("{ lost: 0.2% }", Held, "2 of 1000"),
        ("{ lost: 0.19% }", Broken, "2 of 1000"),
        ("{ deliveries: true, p50: 11ms }", Held, "10 ms over 998"),
        ("{ deliveries: true, p99: 19ms }", Broken, "20 ms over 998"),
    ] {
        let tally = with_deliveries(&format!("[ {threshold} ]"));
        let judged = &tally.thresholds()[0];
        assert_eq!(
            (judged.state, &*judged.measured),
            (state, measured),
            "{threshold}"
        );
        let threshold = &tally.origin.spec.thresholds[0];
        let so_far = tally.measure(threshold);
        assert_eq!(so_far, tally.look().measure(threshold));
    }
}

#[tokio::test(start_paused = true)]
async fn without_thresholds_every_delivery_has_to_arrive() {
    let judged = |thresholds: &str| {
        let tally = with_deliveries(thresholds);
        let lateness = Duration::ZERO;
        let run = tally.identity().clone();
        tally.observe(&run, &RunEvent::ChatStarted { lateness });
        let passed = RunEvent::ChatEnded {
            chat: 1,
            ending: crate::event::Ending::Passed,
            duration: Duration::from_secs(1),
            correlation: Vec::new(),
        };
        tally.observe(&run, &passed);
        let (course, spec) = (Course::default(), &tally.origin.spec);
        judge(
            &tally.look(),
            &course,
            &spec.thresholds,
            &HealthBudget::default(),
        )
    };
    let lost = "2 of 1005 expected deliveries were lost".to_owned();
    assert_eq!(judged("[]"), (Verdict::Failed, vec![lost]));
    assert_eq!(judged("[ { lost: 1% } ]"), (Verdict::Passed, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn deliveries_that_are_not_settled_at_the_end_make_a_run_invalid() {
    let tally = Tally::new(&STAGE.spec().into());
    let run = tally.identity().clone();
    let emit = |event| tally.observe(&run, &RunEvent::Deliveries(event));
    emit(DeliveryEvent::Published { expected: 3 });
    emit(DeliveryEvent::Lost(2));
    let judged = || {
        judge(
            &tally.look(),
            &Course::default(),
            &[],
            &HealthBudget::default(),
        )
        .0
    };
    assert_eq!(judged(), Verdict::Invalid);
    emit(DeliveryEvent::Excused(1));
    assert_eq!(judged(), Verdict::Failed);
}
