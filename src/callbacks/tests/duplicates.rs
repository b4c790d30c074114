use super::*;
use crate::inbox::Duplicates;

/// A bench whose scenario tells ids as the shipped one does.
fn bench() -> Bench {
    let callbacks = "{ key: event.key, id: \"event.kind ~ ':' ~ event.id if event.id else none\" }";
    Bench::with(callbacks, CallbackLimits::default())
}

fn message(key: &str, id: &str, text: &str) -> Value {
    json!({ "key": key, "kind": "reply", "id": id, "text": text })
}

fn joined(key: &str, role: &str) -> Value {
    json!({ "key": key, "kind": "joined", "id": "participant", "role": role })
}

async fn next_request() -> Instant {
    tokio::time::advance(Duration::from_secs(1)).await;
    Instant::now()
}

fn duplicates(error: WaitError) -> Duplicates {
    match error {
        WaitError::Timeout { duplicates, .. } => duplicates,
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_differs_in_content_is_no_duplicate() {
    let bench = Bench::new();
    let mut run = bench.run();
    let mut chat = run.chat_with("a");
    let sent = Instant::now();
    let replies = ["one", "two", "two"].map(|text| message("a", "7", text));
    for event in &replies {
        bench.send(&run, event);
    }
    for text in ["one", "two"] {
        let inbound = reply(&mut chat, sent).await.unwrap();
        assert_eq!(inbound.event.get_attr("text").unwrap(), text.into());
    }
    assert!(reply(&mut chat, sent).await.is_err());
    drop(chat);
    run.end();
    let (duplicate, consumed) = (Fate::Duplicate, Fate::Consumed);
    assert_eq!(run.fates(), [consumed, consumed, duplicate]);
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_is_a_duplicate_however_late_it_comes() {
    let bench = Bench::new();
    let mut run = bench.run();
    let mut chat = run.chat_with("a");
    let sent = Instant::now();
    bench.send(&run, &message("a", "7", "hello"));
    reply(&mut chat, sent).await.unwrap();
    let sent = next_request().await;
    bench.send(&run, &message("a", "7", "hello"));
    let error = reply(&mut chat, sent).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("earlier events: 1, of which 1 with the id") && text.contains("`7`"),
        "{text}"
    );
    drop(chat);
    run.end();
    assert_eq!(run.fates(), [Fate::Consumed, Fate::Duplicate]);
    assert_eq!(bench.everybody.entries().repeated_ids, 0);
}

#[tokio::test(start_paused = true)]
async fn one_chat_of_a_server_whose_ids_identify_nothing_passes() {
    let bench = bench();
    let mut run = bench.run();
    let mut chat = run.chat_with("a");
    for event in [joined("a", "customer"), joined("a", "agent")] {
        bench.send(&run, &event);
    }
    // Both answers are equal to the last byte.
    for _ in 0..2 {
        let sent = next_request().await;
        bench.send(&run, &message("a", "message", "hello"));
        reply(&mut chat, sent).await.unwrap();
    }
    drop(chat);
    run.end();
    let (consumed, ignored) = (Fate::Consumed, Fate::Ignored);
    assert_eq!(run.fates(), [consumed, consumed, ignored, ignored]);
    assert_eq!(bench.everybody.entries().repeated_ids, 1, "the agent's");
    assert_eq!(bench.exchange.findings().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_id_that_came_for_another_chat_identifies_nothing() {
    let bench = bench();
    let mut run = bench.run();
    let (mut one, mut two) = (run.chat_with("a"), run.chat_with("b"));
    let sent = Instant::now();
    for key in ["a", "b"] {
        bench.send(&run, &message(key, "message", "hello"));
    }
    for chat in [&mut one, &mut two] {
        reply(chat, sent).await.unwrap();
    }
    for _ in 0..3 {
        let sent = next_request().await;
        for key in ["b", "a"] {
            bench.send(&run, &message(key, "message", "hello"));
        }
        for chat in [&mut one, &mut two] {
            reply(chat, sent).await.unwrap();
        }
    }
    drop((one, two));
    run.end();
    assert_eq!(run.fates(), [Fate::Consumed; 8]);
    assert_eq!(bench.everybody.entries().repeated_ids, 7);
}

#[tokio::test(start_paused = true)]
async fn where_ids_count_within_a_chat_redeliveries_are_still_duplicates() {
    let bench = bench();
    let mut run = bench.run();
    for key in ["a", "b", "c"] {
        let mut chat = run.chat_with(key);
        for number in ["1", "2"] {
            let sent = next_request().await;
            bench.send(&run, &message(key, number, "hello"));
            bench.send(&run, &message(key, number, "hello"));
            reply(&mut chat, sent).await.unwrap();
            let error = reply(&mut chat, sent).await.unwrap_err();
            let duplicates = duplicates(error);
            let id = format!("reply:{number}");
            assert!(
                duplicates
                    .ids
                    .iter()
                    .any(|(known, times)| **known == *id && *times == 1)
            );
        }
    }
    run.end();
    let fates = run.fates();
    let count = |fate| fates.iter().filter(|known| **known == fate).count();
    assert_eq!((count(Fate::Consumed), count(Fate::Duplicate)), (6, 6));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_names_a_bounded_number_of_dropped_ids() {
    let bench = Bench::new();
    let mut run = bench.run();
    let mut chat = run.chat_with("a");
    for number in 0..50 {
        let typing = json!({ "key": "a", "kind": "typing", "id": format!("{number}-{}", "x".repeat(1_000)) });
        bench.send(&run, &typing);
        bench.send(&run, &typing);
    }
    let error = reply(&mut chat, Instant::now()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.len() < 600, "{text}");
    let duplicates = duplicates(error);
    assert_eq!((duplicates.count, duplicates.ids.len()), (50, 3));
    drop(chat);
    run.end();
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_may_differ_in_volatile_fields() {
    let callbacks =
        "{ key: event.key, id: event.id, volatile: [event.attempt, event.meta.sent_at] }";
    let bench = Bench::with(callbacks, CallbackLimits::default());
    let mut run = bench.run();
    let chat = run.chat_with("a");
    for attempt in 1..4 {
        bench.send(
            &run,
            &json!({ "key": "a", "id": "7", "attempt": attempt, "meta": { "sent_at": attempt } }),
        );
    }
    bench.send(
        &run,
        &json!({ "key": "a", "id": "7", "attempt": 1, "meta": { "by": "b" } }),
    );
    drop(chat);
    run.end();
    let (duplicate, ignored) = (Fate::Duplicate, Fate::Ignored);
    assert_eq!(run.fates(), [duplicate, duplicate, ignored, ignored]);
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_ids_outlives_the_run() {
    let bench = bench();
    for key in ["a", "b"] {
        let mut run = bench.run();
        let mut chat = run.chat_with(key);
        bench.send(&run, &message(key, "message", "hello"));
        let sent = Instant::now();
        reply(&mut chat, sent).await.unwrap();
        drop(chat);
        run.end();
        tokio::time::advance(CallbackLimits::default().remember_for / 2).await;
        bench.exchange.sweep(Instant::now());
    }
    assert_eq!(bench.everybody.entries().repeated_ids, 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_edited_says_nothing_about_the_ids_of_others() {
    let bench = bench();
    let mut run = bench.run();
    let mut chat = run.chat_with("a");
    for event in [
        message("a", "1", "helo"),
        message("a", "1", "hello"),
        message("a", "2", "anything else?"),
    ] {
        let sent = next_request().await;
        bench.send(&run, &event);
        reply(&mut chat, sent).await.unwrap();
    }
    bench.send(&run, &message("a", "3", "bye"));
    let sent = next_request().await;
    bench.send(&run, &message("a", "2", "anything else?"));
    let duplicates = duplicates(reply(&mut chat, sent).await.unwrap_err());
    assert_eq!(duplicates.ids, [("reply:2".into(), 1)]);
    drop(chat);
    run.end();
}
