use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// Sizes of events and how many of each come in a row.
fn sizes() -> impl Strategy<Value = Vec<(usize, usize)>> {
    let size = prop_oneof![
        4 => 0..200_usize,
        2 => 1_000..100_000_usize,
        1 => 500_000..2_000_000_usize,
    ];
    prop::collection::vec((size, 1..300_usize), 1..12)
}

/// The numbers and sizes of the events that should be kept of those that came.
fn kept(sizes: &[usize]) -> VecDeque<(usize, usize)> {
    let mut kept = VecDeque::new();
    for sized in sizes.iter().copied().enumerate() {
        kept.push_back(sized);
        let bytes =
            |kept: &VecDeque<(usize, usize)>| kept.iter().map(|(_, size)| size).sum::<usize>();
        while kept.len() > MOST_EVENTS || (bytes(&kept) > MOST_BYTES && kept.len() > 1) {
            kept.pop_front();
        }
    }
    kept
}

async fn take_all(bench: &Bench) -> Vec<usize> {
    let mut taken = Vec::new();
    loop {
        let now = Instant::now();
        let wait = bench
            .inbox
            .wait(
                WaitSources::Callbacks,
                bench.since,
                now,
                |_| Match::Wanted,
                |_| {},
            )
            .await;
        let Ok(inbound) = wait else {
            return taken;
        };
        taken.push(inbound.event.as_str().unwrap().parse().unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn an_inbox_keeps_the_latest_events_and_bytes_and_counts_what_falls_out(sizes in sizes()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let repeated = sizes.iter().map(|(size, times)| std::iter::repeat_n(*size, *times));
            let sizes: Vec<_> = repeated.flatten().collect();
            let bench = Bench::new();
            for (number, size) in sizes.iter().enumerate() {
                bench.send_sized(&number.to_string(), *size);
            }
            let kept = kept(&sizes);
            let fell_out = sizes.len() - kept.len();
            assert_eq!(bench.ledger.count(Fate::Ignored), fell_out);
            assert_eq!(bench.ledger.settled(), fell_out);
            let now = Instant::now();
            let error = bench.inbox.wait(WaitSources::Callbacks, now, now, |_| Match::Other, |_| {}).await.unwrap_err();
            assert!(matches!(error, WaitError::Timeout { fell_out: told, .. } if told == fell_out));
            let expected: Vec<_> = kept.iter().map(|(number, _)| *number).collect();
            assert_eq!(take_all(&bench).await, expected);
            assert_eq!(bench.ledger.settled(), bench.ledger.received());
        });
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_larger_than_an_inbox_is_kept_until_the_next_one_comes() {
    let bench = Bench::new();
    bench.send_sized("1", MOST_BYTES * 2);
    assert_eq!(bench.ledger.settled(), 0);
    bench.send_sized("2", 1);
    assert_eq!(bench.ledger.count(Fate::Ignored), 1);
    assert_eq!(take_all(&bench).await, [2]);
    // What was taken takes no room.
    bench.send_sized("3", MOST_BYTES);
    assert_eq!(take_all(&bench).await, [3]);
}

#[test]
fn a_redelivery_is_recognized_however_many_events_came_before() {
    let bench = Bench::new();
    for number in 0..3_000 {
        bench.send_identified(&number.to_string());
    }
    let ignored = bench.ledger.count(Fate::Ignored);
    for number in [2_999, 2_500, 2_001] {
        bench.send_identified(&number.to_string());
    }
    assert_eq!(bench.ledger.count(Fate::Duplicate), 3);
    assert_eq!(bench.ledger.count(Fate::Ignored), ignored);
}

/// A fresh event, or one that came so many fresh events ago.
fn redelivery() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![
        4 => Just(None),
        1 => (0..1_300_usize).prop_map(Some),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_redelivery_is_a_duplicate_if_its_event_is_among_the_latest_thousand(
        redeliveries in prop::collection::vec(redelivery(), 1_500..2_000)
    ) {
        let bench = Bench::new();
        let (mut remembered, mut fresh, mut duplicates) = (VecDeque::new(), 0, 0);
        for redelivery in redeliveries {
            let number = if let Some(back) = redelivery {
                fresh - back.min(fresh)
            } else {
                fresh += 1;
                fresh
            };
            if remembered.contains(&number) {
                duplicates += 1;
            } else {
                remembered.push_back(number);
            }
            if remembered.len() > 1_000 {
                remembered.pop_front();
            }
            bench.send_identified(&number.to_string());
            assert_eq!(bench.ledger.count(Fate::Duplicate), duplicates);
        }
    }
}

#[test]
fn each_event_is_settled_once_however_many_send_while_the_chat_ends() {
    const SENDERS: usize = 4;
    const EVENTS: usize = 2_000;
    let bench = Bench::new();
    let incoming = bench.incoming("a", 1);
    let Bench {
        ledger,
        sender,
        inbox,
        ..
    } = bench;
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            let (sender, incoming) = (sender.clone(), incoming.clone());
            scope.spawn(move || {
                for _ in 0..EVENTS {
                    sender.send(incoming.clone(), IdSpread::OneChat);
                }
            });
        }
        while ledger.received() < EVENTS {
            std::thread::yield_now();
        }
        drop(inbox);
    });
    let all = SENDERS * EVENTS;
    assert_eq!((ledger.received(), ledger.settled()), (all, all));
}

#[test]
fn an_event_that_is_sent_after_the_chat_ended_is_late() {
    let bench = Bench::new();
    bench.send("a");
    let Bench {
        ledger,
        sender,
        inbox,
        ..
    } = bench;
    drop(inbox);
    let incoming = || Incoming {
        inbound: Inbound {
            arrived: Instant::now(),
            source: InboundSource::Callback,
            event: Value::from("b"),
            delivery: None,
            bytes: 1,
        },
        identity: None,
        through: sender.owner().clone(),
    };
    sender.clone().send(incoming(), IdSpread::OneChat);
    assert_eq!((ledger.received(), ledger.settled()), (2, 2));
    // It was received before, when nobody knew its chat.
    sender.intake().send_all([(incoming(), IdSpread::OneChat)]);
    assert_eq!((ledger.received(), ledger.settled()), (2, 3));
    assert_eq!(ledger.count(Fate::Late), 2);
}

/// A hundred thousand chats wait at a time.
#[tokio::test(start_paused = true)]
async fn an_inbox_takes_little_room() {
    let bytes = size_of::<super::sender::SharedInbox>();
    assert!(bytes <= 184, "{bytes} bytes");
    let bench = Bench::new();
    bench.send("a");
    bench.wait_for("a").await.unwrap();
    assert_eq!(bench.inbox.capacity(), 0);
    let now = Instant::now();
    let wait = bench
        .inbox
        .wait(WaitSources::Callbacks, now, now, |_| Match::Other, |_| {});
    let bytes = size_of_val(&wait);
    assert!(bytes <= 296, "{bytes} bytes");
}
