//! When waits are woken.

use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Wake, Waker},
};

use super::*;

/// How often it was woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn every_wait_is_woken_however_many_tasks_wait() {
    let bench = Arc::new(Bench::new());
    let deadline = bench.since + Duration::from_mins(1);
    let waiting = (0..40).map(|number| {
        let bench = bench.clone();
        tokio::spawn(async move {
            let judge = wanting_number(number);
            let wait =
                bench
                    .inbox
                    .wait(WaitSources::Callbacks, bench.since, deadline, judge, |_| {});
            wait.await.map(drop)
        })
    });
    let waiting: Vec<_> = waiting.collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for number in (0..40).rev() {
        bench.send(&number.to_string());
    }
    for wait in waiting {
        wait.await.unwrap().unwrap();
    }
    // Nobody had to wait for a deadline.
    assert_eq!(bench.since.elapsed(), Duration::from_secs(1));
}

fn wanting_number(number: i32) -> impl FnMut(&Inbound) -> Match + Send {
    let text = number.to_string();
    move |inbound| {
        if inbound.event.as_str() == Some(&text) {
            Match::Wanted
        } else {
            Match::Other
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_own_deadline_whatever_the_waits_before_had() {
    let bench = Bench::new();
    let within = |seconds| {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        (bench.inbox).wait(
            WaitSources::Callbacks,
            bench.since,
            deadline,
            |_| Match::Wanted,
            |_| {},
        )
    };
    // Each is passed by an event, or ends in time, however early or late the one before was to end.
    for (deadline, comes_after) in [
        (10, 1),
        (2, 3),
        (100, 50),
        (5, 6),
        (1, 2),
        (60, 59),
        (60, 61),
    ] {
        let began = Instant::now();
        let (waited, ()) = tokio::join!(
            async { (within(deadline).await.is_ok(), began.elapsed().as_secs()) },
            async {
                tokio::time::sleep(Duration::from_secs(comes_after)).await;
                bench.send("event");
            }
        );
        let expected = (comes_after < deadline, comes_after.min(deadline));
        assert_eq!(waited, expected, "{deadline} and {comes_after}");
        if comes_after > deadline {
            within(1).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_woken_for_what_comes_and_not_for_what_its_task_puts_in() {
    let bench = Bench::new();
    let counter = Arc::<Wakes>::default();
    let waker = Waker::from(counter.clone());
    let woken = || counter.0.swap(0, Ordering::Relaxed);
    let mut context = Context::from_waker(&waker);
    let deadline = bench.since + Duration::from_secs(10);
    let puts_in = AtomicUsize::new(0);
    let read = |_: &Context<'_>| match puts_in.swap(0, Ordering::Relaxed) {
        0 => {}
        number => bench.send(&number.to_string()),
    };
    let wait = bench.inbox.wait(
        WaitSources::Callbacks,
        bench.since,
        deadline,
        wanting_number(3),
        read,
    );
    let mut wait = pin!(wait);
    assert!(wait.as_mut().poll(&mut context).is_pending());
    bench.send("1");
    bench.send("1");
    assert_eq!(woken(), 1, "it is awake for the second one");
    for number in [0, 2, 0] {
        puts_in.store(number, Ordering::Relaxed);
        assert!(wait.as_mut().poll(&mut context).is_pending());
        assert_eq!(woken(), 0);
    }
    puts_in.store(3, Ordering::Relaxed);
    assert!(matches!(wait.poll(&mut context), Poll::Ready(Ok(_))));
    assert_eq!(woken(), 0);
}

/// Two waits of one task: what one of them puts in is for the other too.
#[tokio::test(start_paused = true)]
async fn a_wait_is_woken_for_what_another_one_of_its_task_puts_in() {
    let bench = Bench::new();
    let deadline = bench.since + Duration::from_mins(1);
    let turns = AtomicUsize::new(0);
    let read = |_: &Context<'_>| {
        if turns.fetch_add(1, Ordering::Relaxed) == 0 {
            bench.send("1");
        }
    };
    let wait = |number| {
        let judge = wanting_number(number);
        (bench.inbox).wait(WaitSources::Callbacks, bench.since, deadline, judge, |_| {})
    };
    let reading = bench.inbox.wait(
        WaitSources::Callbacks,
        bench.since,
        deadline,
        wanting_number(2),
        read,
    );
    let (first, second, ()) = tokio::join!(wait(1), reading, async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        bench.send("2");
    });
    first.unwrap();
    second.unwrap();
    assert_eq!(bench.since.elapsed(), Duration::from_secs(1));
}
