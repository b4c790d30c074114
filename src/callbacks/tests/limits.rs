use super::*;

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_unknown_keys_leave_the_buffer_at_its_limit() {
    let bench = Bench::new();
    let mut run = bench.run();
    let most = i64::try_from(CallbackLimits::default().early_events).unwrap();
    for key in 0..100_000 {
        bench.send(&run, &json!({ "key": key }));
        assert_eq!(run.waiting(), most.min(key + 1));
    }
    let chat = run.chat_with("99999");
    assert_eq!(run.waiting(), most);
    drop(chat);
    run.end();
    assert_eq!(run.ledger.received(&run.id), 100_000);
    let expired = |fate: &&Fate| **fate == Fate::EarlyExpired;
    assert_eq!(run.fates().iter().filter(expired).count(), 99_999);
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_the_buffer_have_a_limit_too_and_the_oldest_goes_first() {
    let limits = CallbackLimits {
        early_bytes: 1_000,
        ..CallbackLimits::default()
    };
    let bench = Bench::with(CALLBACKS, limits);
    let mut run = bench.run();
    for key in 100..200 {
        let padding = "x".repeat(79);
        let event = json!({ "key": key, "text": padding });
        assert_eq!(event.to_string().len(), 100);
        bench.send(&run, &event);
        assert!(run.waiting() <= 10);
    }
    assert_eq!(run.waiting(), 10);
    bench.send(&run, &json!({ "key": 200, "text": "x".repeat(2_000) }));
    assert_eq!(run.waiting(), 0, "larger than the buffer");
    bench.send(&run, &event("last", "reply"));
    let chat = run.chat_with("last");
    assert_eq!(run.waiting(), 1);
    drop(chat);
    run.end();
}

#[tokio::test(start_paused = true)]
async fn what_was_claimed_or_gave_up_takes_no_room_in_the_buffer() {
    let limits = CallbackLimits {
        early_events: 3,
        ..CallbackLimits::default()
    };
    let bench = Bench::with(CALLBACKS, limits);
    let mut ended = bench.run();
    for key in 0..3 {
        bench.send(&ended, &json!({ "key": key }));
    }
    ended.end();
    let mut run = bench.run();
    for key in 0..10 {
        bench.send(&run, &json!({ "key": key }));
        drop(run.chat_with(&key.to_string()));
    }
    for key in 10..13 {
        bench.send(&run, &json!({ "key": key }));
    }
    assert_eq!(run.waiting(), 3);
    run.end();
}

#[tokio::test(start_paused = true)]
async fn keys_of_ended_chats_are_remembered_up_to_their_limit() {
    let limits = CallbackLimits {
        remember_keys: 3,
        ..CallbackLimits::default()
    };
    let bench = Bench::with(CALLBACKS, limits);
    let mut run = bench.run();
    for key in ["a", "b", "c", "d"] {
        drop(run.chat_with(key));
    }
    bench.send(&run, &event("a", "reply"));
    bench.send(&run, &event("b", "reply"));
    run.end();
    assert_eq!(run.fates(), [Fate::Late, Fate::EarlyExpired]);
}

#[tokio::test(start_paused = true)]
async fn an_inbox_gives_up_its_oldest_events_when_it_is_full() {
    let bench = Bench::new();
    let mut run = bench.run();
    let mut chat = run.chat_with("a");
    let sent = Instant::now();
    for n in 0..1_003 {
        bench.send(&run, &json!({ "key": "a", "kind": "reply", "n": n }));
    }
    assert_eq!(run.fates(), [Fate::Ignored; 3]);
    let oldest = reply(&mut chat, sent).await.unwrap();
    assert_eq!(oldest.event.get_attr("n").unwrap(), 3.into());
    drop(chat);
    run.end();
}

#[tokio::test(start_paused = true)]
async fn the_order_of_arrival_is_forgotten_with_the_events_that_were_claimed() {
    let bench = Bench::new();
    let run = bench.run();
    for key in 0..1_000 {
        let key = key.to_string();
        bench.send(&run, &event(&key, "reply"));
        drop(run.chat_with(&key));
    }
    let (_, order) = bench.exchange.sizes();
    assert!(order <= 66, "{order} entries for no event at all");
}

/// How long 20,000 events with one key that nobody claims take where as many as `kept` of them are kept.
fn time_of_hot_key(kept: usize) -> Duration {
    let limits = CallbackLimits {
        early_events: kept,
        ..CallbackLimits::default()
    };
    let bench = Bench::with("{ key: event.key }", limits);
    let mut run = bench.run();
    for _ in 0..kept {
        bench.send(&run, &event("hot", "reply"));
    }
    let began = Instant::now();
    for _ in 0..20_000 {
        bench.send(&run, &event("hot", "reply"));
    }
    let took = began.elapsed();
    assert_eq!(run.waiting(), i64::try_from(kept).unwrap());
    run.end();
    took
}

#[test]
fn an_event_with_a_key_that_nobody_claims_costs_the_same_however_many_wait() {
    let few = time_of_hot_key(100);
    let many = time_of_hot_key(50_000);
    // The older half of them has to move for each event where the oldest leaves a plain list.
    assert!(many < few * 4, "{many:?} after {few:?}");
}
