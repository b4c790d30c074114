use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use futures_util::FutureExt as _;

use super::*;

/// The clock is not paused: an expression takes time of its own.
#[tokio::test]
async fn a_wait_that_judges_for_long_delays_no_other_chat() {
    const EVENTS: usize = 300;
    let (slow, other) = (Bench::new(), Bench::new());
    for _ in 0..EVENTS {
        slow.send("typing");
    }
    let judged = AtomicUsize::new(0);
    let judge = |_: &Inbound| {
        judged.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(2));
        Match::Other
    };
    let deadline = slow.since + Duration::from_millis(1);
    let slow_wait = slow
        .inbox
        .wait(WaitSources::Callbacks, slow.since, deadline, judge, |_| {});
    let (_, judged_before, ()) = tokio::join!(
        slow_wait,
        async {
            other.wait_for("reply").await.unwrap();
            judged.load(Ordering::Relaxed)
        },
        async { other.send("reply") },
    );
    assert!(judged_before < EVENTS / 10, "{judged_before}");
    assert_eq!(judged.load(Ordering::Relaxed), EVENTS);
}

#[tokio::test(start_paused = true)]
async fn an_inbox_receives_while_a_wait_judges() {
    let bench = Bench::new();
    bench.send("first");
    let sender = bench.sender.clone();
    let judge = |inbound: &Inbound| {
        if inbound.event.as_str() == Some("second") {
            return Match::Wanted;
        }
        let (sent, when_sent) = mpsc::channel();
        let sender = sender.clone();
        let mut incoming = Incoming {
            inbound: inbound.clone(),
            identity: None,
            through: sender.owner().clone(),
        };
        incoming.inbound.event = Value::from("second");
        thread::spawn(move || {
            sender.send(incoming, IdSpread::OneChat);
            sent.send(())
        });
        // A lock that is held here would hold up the other thread.
        when_sent.recv_timeout(Duration::from_secs(10)).unwrap();
        Match::Other
    };
    let wait = bench.inbox.wait(
        WaitSources::Callbacks,
        bench.since,
        bench.since,
        judge,
        |_| {},
    );
    assert_eq!(wait.await.unwrap().event, Value::from("second"));
}

#[tokio::test(start_paused = true)]
async fn a_wait_goes_on_where_another_took_the_event_that_it_was_judging() {
    let bench = Bench::new();
    bench.send("reply");
    let mut is_first = true;
    let judge = |inbound: &Inbound| {
        if std::mem::take(&mut is_first) {
            let other = bench.wait_for("reply").now_or_never();
            other.unwrap().unwrap();
            bench.send("reply");
        }
        wanting("reply")(inbound)
    };
    let wait = bench.inbox.wait(
        WaitSources::Callbacks,
        bench.since,
        bench.since,
        judge,
        |_| {},
    );
    wait.await.unwrap();
    assert_eq!(bench.ledger.count(Fate::Consumed), 2);
    // Each wait took one of the two events.
    bench.wait_for("reply").await.unwrap_err();
}
