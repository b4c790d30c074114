use super::*;

#[tokio::test(start_paused = true)]
async fn an_event_on_the_path_of_another_run_is_one_of_the_run_whose_chat_it_is_for() {
    let bench = Bench::new();
    let (mut first, mut second) = (bench.run(), bench.run());
    let mut chat = first.chat_with("a");
    let sent = Instant::now();
    bench.send(&second, &event("a", "reply"));
    reply(&mut chat, sent).await.unwrap();
    drop(chat);
    bench.send(&second, &event("a", "reply"));
    second.end();
    first.end();
    assert_eq!(first.fates(), [Fate::Consumed, Fate::Late]);
    assert_eq!(second.fates(), []);
    assert_eq!((first.through(&second), second.through(&first)), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn what_a_target_sends_to_the_callback_of_an_earlier_run_too_is_told_from_a_redelivery() {
    let bench = Bench::new();
    let mut earlier = bench.run();
    earlier.end();
    let mut run = bench.run();
    let sent = Instant::now();
    let reply = |id: u32| json!({ "key": "a", "kind": "reply", "id": id });
    // The first of them before anybody has the key, and each of them in another order.
    bench.send(&earlier, &reply(1));
    bench.send(&run, &reply(1));
    let mut chat = run.chat_with("a");
    bench.send(&run, &reply(2));
    bench.send(&earlier, &reply(2));
    for _ in 0..2 {
        super::reply(&mut chat, sent).await.unwrap();
    }
    let (other, duplicate) = (Fate::OtherCallback, Fate::Duplicate);
    let consumed = Fate::Consumed;
    assert_eq!(run.fates(), [other, other, consumed, consumed]);
    for path in [&run, &earlier] {
        bench.send(path, &reply(1));
    }
    drop(chat);
    bench.send(&earlier, &reply(2));
    run.end();
    let after = [duplicate, duplicate, Fate::Late];
    assert_eq!(run.fates()[4..], after);
    assert_eq!(run.through(&earlier), 4);
    assert_eq!(earlier.fates(), []);
}

#[tokio::test(start_paused = true)]
async fn where_ids_identify_nothing_an_equal_event_through_another_callback_is_one_if_nothing_was_asked_since()
 {
    let bench = Bench::new();
    let (mut run, mut other) = (bench.run(), bench.run());
    let mut chat = run.chat_with("a");
    let reply = |text: &str| json!({ "key": "a", "kind": "reply", "id": 1, "text": text });
    let sent = Instant::now();
    for text in ["one", "two"] {
        bench.send(&run, &reply(text));
        super::reply(&mut chat, sent).await.unwrap();
    }
    bench.send(&other, &reply("two"));
    assert!(super::reply(&mut chat, sent).await.is_err());
    drop(chat);
    run.end();
    other.end();
    assert_eq!(run.fates()[2..], [Fate::OtherCallback]);
}

#[tokio::test(start_paused = true)]
async fn an_early_event_on_the_path_of_another_run_changes_over_when_it_is_claimed() {
    let bench = Bench::new();
    let (mut first, mut second) = (bench.run(), bench.run());
    let sent = Instant::now();
    bench.send(&second, &event("a", "reply"));
    assert_eq!((first.waiting(), second.waiting()), (0, 1));
    let mut chat = first.chat_with("a");
    assert_eq!((first.waiting(), second.waiting()), (1, 0));
    assert_eq!(bench.everybody.entries().taken_over, 1, "emitted once");
    reply(&mut chat, sent).await.unwrap();
    drop(chat);
    first.end();
    second.end();
    assert_eq!(first.fates(), [Fate::Consumed]);
    assert_eq!(second.fates(), []);
    assert_eq!((first.through(&second), second.through(&first)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_early_event_has_come_through_its_callback_whichever_runs_it_counted_for_since() {
    let bench = Bench::new();
    let (mut first, mut second, mut third) = (bench.run(), bench.run(), bench.run());
    bench.send(&first, &event("a", "reply"));
    first.end();
    assert_eq!((third.waiting(), third.through(&first)), (1, 1), "the heir");
    drop(second.chat_with("a"));
    assert_eq!((second.through(&first), third.through(&first)), (1, 0));
    second.end();
    third.end();
    assert_eq!(second.fates(), [Fate::Ignored]);
}

#[tokio::test(start_paused = true)]
async fn an_early_event_outlives_the_run_on_whose_path_it_came() {
    let bench = Bench::new();
    let (mut first, mut second) = (bench.run(), bench.run());
    let sent = Instant::now();
    bench.send(&second, &event("a", "reply"));
    second.end();
    bench.send(&second, &event("a", "reply"));
    let mut chat = first.chat_with("a");
    reply(&mut chat, sent).await.unwrap();
    reply(&mut chat, sent).await.unwrap();
    drop(chat);
    first.end();
    assert_eq!(first.fates(), [Fate::Consumed; 2]);
    assert_eq!(second.fates(), []);
    assert_eq!(bench.everybody.waiting(&first.id), 0);
    assert_eq!(bench.everybody.waiting(&second.id), 0);
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_a_run_ended_is_observed_by_everybody_but_the_run() {
    let bench = Bench::new();
    let mut run = bench.run();
    drop(run.chat_with("a"));
    run.end();
    bench.send(&run, &event("a", "reply"));
    bench.send(&run, &event("b", "reply"));
    bench.broken_off(&run.token);
    assert_eq!(run.ledger.received(&run.id), 0);
    run.check_counts();
    tokio::time::advance(CallbackLimits::default().early_for).await;
    bench.exchange.sweep(Instant::now());
    let expected = [Fate::Late, Fate::Rejected, Fate::EarlyExpired];
    assert_eq!(bench.everybody.fates(), expected);
    assert_eq!(bench.everybody.waiting(&run.id), 0);
}

#[tokio::test(start_paused = true)]
async fn paths_and_keys_are_forgotten_in_the_end() {
    let bench = Bench::new();
    let mut run = bench.run();
    drop(run.chat_with("a"));
    tokio::time::advance(CallbackLimits::default().remember_for).await;
    bench.exchange.sweep(Instant::now());
    bench.send(&run, &event("a", "reply"));
    assert_eq!(run.waiting(), 1, "nobody remembers the key");
    run.end();
    tokio::time::advance(CallbackLimits::default().remember_for).await;
    bench.exchange.sweep(Instant::now());
    assert_eq!(bench.request(&run, b"{}"), Err(CallbackRefusal::NoSuchPath));
    assert_eq!(bench.exchange.sizes(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_claimed_again_is_not_forgotten_with_its_first_chat() {
    let bench = Bench::new();
    let mut run = bench.run();
    drop(run.chat_with("a"));
    tokio::time::advance(Duration::from_secs(200)).await;
    let mut chat = run.chat_with("a");
    tokio::time::advance(Duration::from_secs(200)).await;
    bench.exchange.sweep(Instant::now());
    let sent = Instant::now();
    bench.send(&run, &event("a", "reply"));
    reply(&mut chat, sent).await.unwrap();
    drop(chat);
    tokio::time::advance(Duration::from_secs(200)).await;
    bench.exchange.sweep(Instant::now());
    bench.send(&run, &event("a", "reply"));
    run.end();
    assert_eq!(run.fates(), [Fate::Consumed, Fate::Late]);
}
