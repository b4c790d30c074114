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

fn limit_of_bytes(early_bytes: usize) -> CallbackLimits {
    CallbackLimits {
        early_bytes,
        ..CallbackLimits::default()
    }
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_the_buffer_have_a_limit_too_and_the_oldest_goes_first() {
    let bench = Bench::with(CALLBACKS, limit_of_bytes(2_400));
    let mut run = bench.run();
    for key in 100..200 {
        // 226 bytes in memory, most of them for the object.
        bench.send(&run, &json!({ "key": key, "text": "x".repeat(79) }));
        assert!(run.waiting() <= 10);
    }
    assert_eq!(run.waiting(), 10);
    bench.send(&run, &json!({ "key": 200, "text": "x".repeat(8_000) }));
    assert_eq!(run.waiting(), 0, "larger than the buffer");
    bench.send(&run, &event("last", "reply"));
    let chat = run.chat_with("last");
    assert_eq!(run.waiting(), 1);
    drop(chat);
    run.end();
}

#[tokio::test(start_paused = true)]
async fn keys_and_ids_count_in_the_buffer_as_they_are_kept() {
    let long = |number: usize| format!("{number:05}{}", "x".repeat(9_995));
    let bench = Bench::with(CALLBACKS, limit_of_bytes(100_000));
    let mut run = bench.run();
    // Each is kept once in the event and once as its key.
    for number in 0..20 {
        bench.send(&run, &json!({ "key": long(number) }));
    }
    assert_eq!(run.waiting(), 4);
    drop(run.chat_with(&long(19)));
    // The chat has ignored its event.
    assert_eq!(run.waiting(), 3);
    for number in 0..20 {
        bench.send(&run, &json!({ "key": number, "id": long(number) }));
    }
    assert_eq!(run.waiting(), 4);
    for _ in 0..20 {
        bench.send(&run, &json!({ "key": long(20) }));
    }
    assert_eq!(run.waiting(), 8, "of one key, which is kept once for them");
    run.end();
    assert_eq!(bench.exchange.sizes(), (1, 0));
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
async fn an_inbox_counts_what_events_take_in_memory_and_not_their_text() {
    let bench = Bench::new();
    let mut run = bench.run();
    let chat = run.chat_with("a");
    let lists = vec![json!([]); 20_000];
    let event = json!({ "key": "a", "lists": lists });
    assert!(event.to_string().len() * 3 < crate::inbox::MOST_BYTES);
    for _ in 0..3 {
        bench.send(&run, &event);
    }
    assert_eq!(run.fates(), [Fate::Ignored; 2]);
    drop(chat);
    run.end();
}

/// A delivery with so many events for the chats `a` and `b`.
fn delivery(for_a: usize, for_b: usize) -> Value {
    let mut events = vec![event("a", "reply"); for_a];
    events.resize(for_a + for_b, event("b", "reply"));
    json!({ "list": events, "padding": "x".repeat(30_000) })
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_an_event_is_kept_with_counts_once_for_all_its_events() {
    let callbacks = "{ key: event.key, events: event.list, id: delivery.id }";
    let bench = Bench::with(callbacks, CallbackLimits::default());
    let mut run = bench.run();
    let (a, b) = (run.chat_with("a"), run.chat_with("b"));
    bench.send(&run, &delivery(300, 300));
    assert_eq!(run.fates(), []);
    for _ in 0..50 {
        bench.send(&run, &delivery(1, 0));
    }
    // Those of the first delivery fell out with it, and 50 deliveries of 30 KB are too many.
    let fell_out = run.fates().len();
    assert!((300..350).contains(&fell_out), "{fell_out}");
    assert!(run.waiting() < 300 + 40, "{}", run.waiting());
    drop((a, b));
    run.end();
}

#[tokio::test(start_paused = true)]
async fn a_large_delivery_is_kept_with_its_events_only_where_an_expression_looks_at_it() {
    let large = json!({
        "list": [event("a", "reply"), event("a", "reply"), event("a", "reply")],
        "padding": "x".repeat(2 * crate::inbox::MOST_BYTES),
    });
    let limits = CallbackLimits {
        max_body_bytes: 8 * crate::inbox::MOST_BYTES,
        ..CallbackLimits::default()
    };
    for (id, kept) in [("headers.id", 3), ("delivery.id", 1)] {
        let callbacks = format!("{{ key: event.key, events: event.list, id: {id} }}");
        let bench = Bench::with(&callbacks, limits);
        let mut run = bench.run();
        let chat = run.chat_with("a");
        bench.send(&run, &large);
        assert_eq!(run.waiting(), kept, "{id}");
        drop(chat);
        run.end();
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_counts_in_the_buffer_as_long_as_one_of_its_events_is_there() {
    let callbacks = "{ key: event.key, events: event.list, id: delivery.id }";
    let bench = Bench::with(callbacks, limit_of_bytes(105_000));
    let mut run = bench.run();
    bench.send(&run, &delivery(1, 1));
    bench.send(&run, &delivery(1, 1));
    bench.send(&run, &delivery(1, 1));
    assert_eq!(run.waiting(), 6);
    drop(run.chat_with("a"));
    assert_eq!(run.waiting(), 3, "whose deliveries take as much as before");
    bench.send(&run, &delivery(0, 1));
    assert_eq!(run.waiting(), 3);
    run.end();
}

#[tokio::test(start_paused = true)]
async fn events_that_were_claimed_are_not_kept_as_early_any_more() {
    let bench = Bench::new();
    let run = bench.run();
    for key in 0..1_000 {
        let key = key.to_string();
        bench.send(&run, &event(&key, "reply"));
        drop(run.chat_with(&key));
    }
    assert_eq!(bench.exchange.sizes(), (1, 0));
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
