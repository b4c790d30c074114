use tokio::sync::{mpsc, watch};

use super::*;
use crate::{
    runner::{OrderError, RunState, Tally, control::OrderRequest},
    units::Rate,
};

const SLOW_SETUP: &str = "
setup: [ { think: 5s } ]
steps: [ { think: 1s } ]
teardown: [ { think: 5s } ]
";

#[tokio::test(start_paused = true)]
async fn a_pause_during_the_setup_holds_when_the_chats_would_start() {
    let bench = Bench::new();
    let run = bench.start(SLOW_SETUP, "{ rate: 1/s, for: 2s }");
    sleep(s(1)).await;
    assert_eq!(run.report().state, RunState::SettingUp);
    run.order(Order::Pause).await.unwrap();
    sleep(s(19)).await;
    assert_eq!(run.report().state, RunState::Paused);
    run.order(Order::Resume).await.unwrap();
    over(&run).await;
    assert_eq!(bench.heard.starts(), [20, 21].map(s));
    assert_eq!(bench.heard.lateness(), [s(0); 2]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_over_before_the_setup_is_leaves_no_trace() {
    let bench = Bench::new();
    let run = bench.start(SLOW_SETUP, "{ rate: 1/s, for: 2s }");
    run.order(Order::Pause).await.unwrap();
    sleep(s(2)).await;
    run.order(Order::Resume).await.unwrap();
    over(&run).await;
    assert_eq!(bench.heard.starts(), [5, 6].map(s));
}

#[tokio::test(start_paused = true)]
async fn a_change_during_the_setup_holds_from_the_first_chat() {
    let bench = Bench::new();
    let run = bench.start(SLOW_SETUP, "{ rate: 1/s, for: 2s }");
    sleep(s(3)).await;
    let rate = Rate::per_second(2.0).unwrap();
    run.order(Order::Rate(rate)).await.unwrap();
    over(&run).await;
    assert_eq!(bench.heard.starts(), [5_000, 5_500, 6_000, 6_500].map(ms));

    let bench = Bench::new();
    let run = bench.start(SLOW_SETUP, "{ customers: 1, for: 500ms }");
    sleep(s(3)).await;
    run.order(Order::Customers(3)).await.unwrap();
    over(&run).await;
    assert_eq!(bench.heard.starts(), [s(5); 3]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_during_its_setup_starts_no_chat() {
    for (stop, after) in [
        (Stop::Finish, 10),
        (
            Stop::End {
                answers: s(0),
                cleanup: s(1),
            },
            3,
        ),
    ] {
        let bench = Bench::new();
        let began = tokio::time::Instant::now();
        let run = bench.start(SLOW_SETUP, "{ rate: 1/s, for: 2s }");
        sleep(s(1)).await;
        run.order(by_operator(stop)).await.unwrap();
        assert_eq!(run.order(Order::Resume).await, Err(OrderError::Finishing));
        let report = over(&run).await;
        assert_eq!(report.chats.started, 0);
        assert_eq!(report.verdict, Some(Verdict::Stopped));
        assert_eq!(began.elapsed(), s(after), "{stop:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_ended_run_takes_no_orders() {
    let bench = Bench::new();
    let run = bench.start("steps: [ { think: 1s } ]", "{ chats: 1 }");
    assert!(!run.has_ended());
    over(&run).await;
    for order in [Order::Pause, by_operator(Stop::Finish)] {
        assert_eq!(run.order(order).await, Err(OrderError::Ended));
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_when_nobody_holds_its_handle() {
    let bench = Bench::new();
    drop(bench.start("steps: [ { think: 1s } ]", "{ chats: 2, ramp: 4s }"));
    sleep(s(10)).await;
    assert_eq!(bench.heard.run_ended(), (Verdict::Passed, true));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_starts_no_more_chats_has_nothing_to_pause_or_change() {
    let bench = Bench::new();
    let run = bench.start("steps: [ { think: 10s } ]", "{ rate: 1/s, for: 2s }");
    sleep(s(5)).await;
    let rate = Order::Rate(crate::units::Rate::per_second(5.0).unwrap());
    for order in [Order::Pause, Order::Resume, rate] {
        assert_eq!(run.order(order).await, Err(OrderError::Finishing));
    }
    assert_eq!(over(&run).await.chats.passed, 2);
}

#[tokio::test(start_paused = true)]
async fn a_rate_of_nothing_does_not_end_the_run() {
    let bench = Bench::new();
    let run = bench.start("steps: [ { think: 1s } ]", "{ rate: 1/s, for: 5s }");
    sleep(s(2)).await;
    let none = Order::Rate(crate::units::Rate::per_second(0.0).unwrap());
    assert_eq!(run.order(none).await, Err(OrderError::NoStarts));
    assert_eq!(over(&run).await.chats.passed, 5);
}

/// A run whose worker is this test: what it is asked, and its end.
struct Worker {
    run: RunHandle,
    orders: mpsc::Receiver<OrderRequest>,
    ended: watch::Sender<bool>,
}

impl Worker {
    fn new() -> Self {
        let spec = Bench::new().spec("steps: [ { think: 1s } ]", "{ chats: 1 }");
        let (order, orders) = mpsc::channel(1);
        let (ended, has_ended) = watch::channel(false);
        let run = RunHandle::new(Arc::new(Tally::new(&spec.into())), order, has_ended);
        Self { run, orders, ended }
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_sent_while_the_run_ends_is_answered() {
    for aborted in [false, true] {
        let Worker { run, orders, ended } = Worker::new();
        let asked = tokio::spawn(async move { run.order(Order::Pause).await });
        while orders.is_empty() {
            tokio::task::yield_now().await;
        }
        if aborted {
            drop(ended);
        } else {
            ended.send_replace(true);
        }
        let answer = tokio::time::timeout(s(60), asked).await;
        let answer = answer.expect("an answer without one from the worker");
        assert_eq!(answer.unwrap(), Err(OrderError::Ended), "{aborted}");
        drop(orders);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_order_that_a_run_follows_is_answered_with_what_came_of_it() {
    let Worker {
        run,
        mut orders,
        ended,
    } = Worker::new();
    let asked = tokio::spawn(async move { run.order(Order::Resume).await });
    let (order, answer) = orders.recv().await.unwrap();
    assert_eq!(order, Order::Resume);
    answer.send(Err(OrderError::Finishing)).unwrap();
    ended.send_replace(true);
    assert_eq!(asked.await.unwrap(), Err(OrderError::Finishing));
}
