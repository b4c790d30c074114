use super::*;

#[tokio::test(start_paused = true)]
async fn an_event_that_came_before_its_key_was_claimed_is_not_lost() {
    let bench = Bench::new();
    let mut run = bench.run();
    let sent = Instant::now();
    bench.send(&run, &event("a", "reply"));
    let mut chat = run.chat_with("a");
    let inbound = reply(&mut chat, sent).await.unwrap();
    assert_eq!(inbound.arrived, sent);
    drop(chat);
    run.end();
    assert_eq!(run.fates(), [Fate::Consumed]);
}

#[tokio::test(start_paused = true)]
async fn two_events_before_the_wait_serve_two_waits_in_their_order() {
    let bench = Bench::new();
    let mut run = bench.run();
    let sent = Instant::now();
    bench.send(&run, &json!({ "key": "a", "kind": "reply", "n": 1 }));
    let mut chat = run.chat_with("a");
    bench.send(&run, &json!({ "key": "a", "kind": "reply", "n": 2 }));
    for n in [1, 2] {
        let inbound = reply(&mut chat, sent).await.unwrap();
        assert_eq!(inbound.event.get_attr("n").unwrap(), n.into());
    }
    drop(chat);
    run.end();
    assert_eq!(run.fates(), [Fate::Consumed; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_is_a_duplicate_if_the_scenario_can_tell() {
    let bench = Bench::new();
    let mut run = bench.run();
    let sent = Instant::now();
    let first = json!({ "key": "a", "kind": "reply", "id": 7 });
    bench.send(&run, &first);
    bench.send(&run, &first);
    let mut chat = run.chat_with("a");
    reply(&mut chat, sent).await.unwrap();
    bench.send(&run, &json!({ "key": "a", "kind": "reply", "id": "7" }));
    assert!(reply(&mut chat, sent).await.is_err());
    bench.send(&run, &json!({ "key": "a", "kind": "reply", "id": 8 }));
    reply(&mut chat, sent).await.unwrap();
    drop(chat);
    run.end();
    let (duplicate, consumed) = (Fate::Duplicate, Fate::Consumed);
    assert_eq!(run.fates(), [duplicate, consumed, duplicate, consumed]);
}

#[tokio::test(start_paused = true)]
async fn without_an_identity_equal_events_are_two() {
    for (callbacks, id) in [("{ key: event.key }", json!(7)), (CALLBACKS, Value::Null)] {
        let bench = Bench::with(callbacks, CallbackLimits::default());
        let mut run = bench.run();
        let mut chat = run.chat_with("a");
        let sent = Instant::now();
        for _ in 0..2 {
            bench.send(&run, &json!({ "key": "a", "kind": "reply", "id": id }));
        }
        reply(&mut chat, sent).await.unwrap();
        reply(&mut chat, sent).await.unwrap();
        drop(chat);
        run.end();
        assert_eq!(run.fates(), [Fate::Consumed; 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_the_chat_ended_is_late_and_what_it_left_is_ignored() {
    let bench = Bench::new();
    let mut run = bench.run();
    let chat = run.chat_with("a");
    bench.send(&run, &event("a", "typing"));
    drop(chat);
    bench.send(&run, &event("a", "reply"));
    run.end();
    assert_eq!(run.fates(), [Fate::Ignored, Fate::Late]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_finds_the_inbox_of_its_chat_closed_is_late() {
    let bench = Bench::new();
    let mut run = bench.run();
    let Chat { inbox, claims } = run.chat_with("a");
    drop(inbox);
    bench.send(&run, &event("a", "reply"));
    drop(claims);
    bench.send(&run, &event("a", "reply"));
    run.end();
    assert_eq!(run.fates(), [Fate::Late; 2]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_nobody_claims_expires_when_its_time_is_over() {
    let bench = Bench::new();
    let mut run = bench.run();
    bench.send(&run, &event("nobody", "reply"));
    tokio::time::advance(Duration::from_millis(29_999)).await;
    bench.exchange.sweep(Instant::now());
    assert_eq!(run.waiting(), 1);
    tokio::time::advance(Duration::from_millis(1)).await;
    bench.exchange.sweep(Instant::now());
    assert_eq!(run.fates(), [Fate::EarlyExpired]);
    run.end();
    assert_eq!(run.fates(), [Fate::EarlyExpired]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_nobody_claims_expires_with_its_run() {
    let bench = Bench::new();
    let mut run = bench.run();
    bench.send(&run, &event("nobody", "reply"));
    bench.send(&run, &event("somebody", "reply"));
    drop(run.chat_with("somebody"));
    run.end();
    assert_eq!(run.fates(), [Fate::Ignored, Fate::EarlyExpired]);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_the_same_as_a_number_and_as_text() {
    let bench = Bench::new();
    let mut run = bench.run();
    let sent = Instant::now();
    bench.send(&run, &json!({ "key": 123, "kind": "reply" }));
    let mut chat = run.chat_with("123");
    bench.send(&run, &json!({ "key": "123", "kind": "reply" }));
    bench.send(&run, &json!({ "key": 123.0, "kind": "reply" }));
    for _ in 0..3 {
        reply(&mut chat, sent).await.unwrap();
    }
    drop(chat);
    run.end();
}

#[tokio::test(start_paused = true)]
async fn an_event_without_a_key_is_unknown_and_one_that_is_no_json_is_rejected() {
    let bench = Bench::new();
    let mut run = bench.run();
    for nothing in [json!({}), json!({ "key": "" }), json!([1]), json!(null)] {
        bench.send(&run, &nothing);
    }
    for body in ["key=a&kind=reply", &"[".repeat(10_000)] {
        let refused = bench.request(&run, body.as_bytes()).unwrap_err();
        assert_eq!(refused.status(), 400, "{refused}");
    }
    bench.broken_off(&run.token);
    run.end();
    let mut expected = vec![Fate::Unknown; 4];
    expected.extend([Fate::Rejected; 3]);
    assert_eq!(run.fates(), expected);
}

#[tokio::test(start_paused = true)]
async fn an_event_on_a_path_that_no_run_has_is_unknown_to_everybody() {
    let bench = Bench::new();
    let mut run = bench.run();
    let headers = HeaderMap::new();
    let request = Request::post(&headers, "{}");
    let refused = (bench.exchange).deliver("nowhere", Arrival::unstamped(), &request);
    assert_eq!(refused, Err(CallbackRefusal::NoSuchPath));
    bench.broken_off("nowhere");
    run.end();
    assert_eq!(run.fates(), []);
    let entries = bench.everybody.entries();
    assert_eq!(entries.settled[""], [Fate::Unknown, Fate::Rejected]);
    let findings = bench.exchange.findings().join("\n");
    assert!(
        findings.contains("the callback of an earlier run"),
        "{findings}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_belongs_to_one_chat_at_a_time() {
    let bench = Bench::new();
    let mut run = bench.run();
    let sent = Instant::now();
    let mut first = run.chat_with("a");
    first.claim("a".to_owned()).unwrap();
    let mut second = run.chat();
    let refused = second.claim("a".to_owned()).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("another chat holds the key `a`")
    );
    drop(second);
    bench.send(&run, &event("a", "reply"));
    reply(&mut first, sent).await.unwrap();
    drop(first);
    let mut third = run.chat_with("a");
    bench.send(&run, &event("a", "reply"));
    reply(&mut third, sent).await.unwrap();
    drop(third);
    run.end();
    assert_eq!(run.fates(), [Fate::Consumed; 2]);
}
