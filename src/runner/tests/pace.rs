//! What is asked for and achieved while the load changes, by numbers.

use proptest::prelude::*;
use tokio::runtime::Builder;

use super::*;
use crate::{
    runner::{Pace, RunState, Sample},
    units::Rate,
};

const QUICK: &str = "steps: [ { think: 10ms } ]";
const LONG: &str = "steps: [ { think: 20s } ]";

fn rate(per_second: f64) -> Order {
    Order::Rate(Rate::per_second(per_second).unwrap())
}

fn pace(run: &RunHandle) -> Pace {
    run.report().pace.unwrap()
}

/// The rate of late, which has to be known.
fn achieved(run: &RunHandle) -> f64 {
    pace(run).started_per_second.unwrap()
}

fn is_about(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 0.05 * expected
}

/// A run in progress has the new rate at once, and what it achieved before is no part of it.
async fn holds_from_now_on(run: &RunHandle, asked: f64) {
    assert_eq!(pace(run).rate, Some(asked));
    assert_eq!(pace(run).started_per_second, None);
    sleep(ms(900)).await;
    assert_eq!(pace(run).started_per_second, None);
    sleep(ms(300)).await;
    assert!(is_about(achieved(run), asked), "{:?}", pace(run));
    sleep(s(9)).await;
    assert!(is_about(achieved(run), asked), "{:?}", pace(run));
}

#[tokio::test(start_paused = true)]
async fn the_pace_is_that_of_the_load_since_it_last_changed() {
    let bench = Bench::new();
    let run = bench.start(LONG, "{ rate: 20/s, for: 10m }");
    sleep(ms(1)).await;
    holds_from_now_on(&run, 20.0).await;
    sleep(ms(57)).await;
    run.order(rate(200.0)).await.unwrap();
    holds_from_now_on(&run, 200.0).await;
    run.order(Order::Pause).await.unwrap();
    holds_from_now_on(&run, 0.0).await;
    run.order(rate(50.0)).await.unwrap();
    assert_eq!(pace(&run).rate, Some(0.0), "it is paused");
    run.order(Order::Resume).await.unwrap();
    holds_from_now_on(&run, 50.0).await;
    // An order that is refused changes nothing.
    run.order(Order::Customers(3)).await.unwrap_err();
    assert!(is_about(achieved(&run), 50.0));
    run.order(by_operator(Stop::Finish)).await.unwrap();
    holds_from_now_on(&run, 0.0).await;
    assert_eq!(over(&run).await.pace, None);
}

#[tokio::test(start_paused = true)]
async fn customers_that_are_asked_for_are_those_of_this_moment() {
    let bench = Bench::new();
    let run = bench.start(LONG, "{ customers: 4, for: 10m }");
    sleep(ms(2_350)).await;
    assert_eq!((pace(&run).customers, pace(&run).rate), (Some(4), None));
    run.order(Order::Customers(9)).await.unwrap();
    assert_eq!(pace(&run).customers, Some(9));
    run.order(Order::Pause).await.unwrap();
    assert_eq!(pace(&run).customers, Some(0));
    run.order(Order::Resume).await.unwrap();
    assert_eq!(pace(&run).customers, Some(9));
    run.order(by_operator(Stop::Finish)).await.unwrap();
    assert_eq!(pace(&run).customers, Some(0));
    sleep(s(2)).await;
    let (samples, _) = run.samples(0);
    assert_eq!(samples.last().unwrap().customers, Some(0));
    over(&run).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_an_order_finds_the_run_in_its_new_state() {
    let bench = Bench::new();
    let run = bench.start(LONG, "{ rate: 20/s, for: 10m }");
    sleep(ms(1_234)).await;
    for (order, state) in [
        (Order::Pause, RunState::Paused),
        (Order::Resume, RunState::Running),
        (by_operator(Stop::Finish), RunState::Finishing),
    ] {
        run.order(order).await.unwrap();
        assert_eq!(run.report().state, state, "{order:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_in_which_chats_were_to_start_has_no_setup_no_pause_and_no_end() {
    let bench = Bench::new();
    let scenario =
        "setup: [ { think: 2s } ]\nsteps: [ { think: 5s } ]\nteardown: [ { think: 3s } ]";
    let scheduled = async |load: &str, orders: &[(u64, Order)]| {
        let run = bench.start(scenario, load);
        for (after, order) in orders {
            sleep(ms(*after)).await;
            run.order(*order).await.unwrap();
        }
        over(&run).await.scheduled_seconds.unwrap()
    };
    let pause = [(3_250, Order::Pause), (4_000, Order::Resume)];
    for (load, orders, expected) in [
        ("{ rate: 10/s, for: 3s }", &[][..], 3.0),
        ("{ rate: 10/s, for: 3s }", &pause, 3.0),
        ("{ customers: 2, for: 3s }", &pause, 3.0),
        ("{ chats: 30, ramp: 3s }", &[], 3.0),
        ("{ chats: 30, ramp: 3s }", &[(3_500, rate(30.0))], 2.0),
        ("{ chats: 30 }", &[], 0.0),
        (
            "{ rate: 10/s, for: 1h }",
            &[(3_500, by_operator(Stop::Finish))],
            1.5,
        ),
    ] {
        let found = scheduled(load, orders).await;
        assert!((found - expected).abs() < 0.01, "{load}: {found}");
    }
}

#[tokio::test(start_paused = true)]
async fn setup_and_teardown_are_told_second_by_second_and_ask_for_nothing() {
    let bench = Bench::new();
    let scenario =
        "setup: [ { think: 3300ms } ]\nsteps: [ { think: 10ms } ]\nteardown: [ { think: 4s } ]";
    let run = bench.start(scenario, "{ rate: 10/s, for: 2s }");
    over(&run).await;
    let (samples, _) = run.samples(0);
    let told = |count: fn(&Sample) -> Option<u64>| -> Vec<u64> {
        samples
            .iter()
            .map(|sample| count(sample).unwrap())
            .collect()
    };
    assert_eq!(told(|sample| sample.due), [0, 0, 0, 8, 10, 2, 0, 0, 0, 0]);
    assert_eq!(
        told(|sample| Some(sample.started)),
        [0, 0, 0, 7, 10, 3, 0, 0, 0, 0]
    );
    let (_, whole) = samples.split_last().unwrap();
    for sample in whole {
        assert!((sample.seconds - 1.0).abs() < 0.15, "{sample:?}");
    }
}

fn any_order() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::Pause),
        Just(Order::Resume),
        (1_u32..=1_000).prop_map(|per_second| rate(f64::from(per_second))),
    ]
}

/// The samples of a run that was given these orders, each so many milliseconds after the one before, and how
/// many chats it started.
async fn ordered(orders: &[(u64, Order)], stop_after: u64) -> (Vec<Arc<Sample>>, u64) {
    let run = Bench::new().start(QUICK, "{ rate: 300/s, for: 3s }");
    for (after, order) in orders {
        sleep(ms(*after)).await;
        // It may be over.
        let _ = run.order(*order).await;
    }
    sleep(ms(stop_after)).await;
    let _ = run.order(by_operator(Stop::Finish)).await;
    let report = over(&run).await;
    let (samples, _) = run.samples(0);
    let length: f64 = samples.iter().map(|sample| sample.seconds).sum();
    assert!((length - report.elapsed_seconds).abs() < 1e-6);
    (samples, report.chats.started)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn whatever_the_orders_are_no_second_has_more_than_its_rate_and_all_have_what_there_was(
        orders in prop::collection::vec((0_u64..900, any_order()), 0..8),
        stop_after in 0_u64..2_000,
    ) {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (samples, started) = runtime.block_on(ordered(&orders, stop_after));
        let due: u64 = samples.iter().map(|sample| sample.due.unwrap()).sum();
        // One may be due at the very moment of the stop.
        prop_assert!(due == started || due == started + 1, "{} due, {} started", due, started);
        let counted: u64 = samples.iter().map(|sample| sample.started).sum();
        prop_assert_eq!(counted, started);
        let rates = orders.iter().filter_map(|(_, order)| match order {
            Order::Rate(rate) => Some(rate.as_per_second()),
            _ => None,
        });
        let highest = rates.fold(300.0, f64::max);
        let (last, whole) = samples.split_last().unwrap();
        for sample in whole {
            prop_assert!(sample.seconds >= 0.5, "{:?}", sample);
        }
        for sample in whole.iter().chain([last]) {
            let most = highest * sample.seconds + 2.0;
            for count in [sample.due.unwrap(), sample.started] {
                #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
                let count = count as f64;
                prop_assert!(count <= most, "{} of {}: {:?}", count, most, sample);
            }
        }
    }
}
