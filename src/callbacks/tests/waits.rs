use super::*;

#[tokio::test(start_paused = true)]
async fn a_waiting_chat_is_woken_by_its_event() {
    let bench = Bench::new();
    let mut run = bench.run();
    let chat = run.chat_with("a");
    let began = Instant::now();
    let arrival = began + Duration::from_secs(3);
    let (inbound, ()) = tokio::join!(reply(&chat, began), async {
        tokio::time::sleep_until(arrival).await;
        bench.send(&run, &event("a", "typing"));
        bench.send(&run, &event("a", "reply"));
    });
    assert_eq!(inbound.unwrap().arrived, arrival);
    assert_eq!(Instant::now(), arrival);
    drop(chat);
    run.end();
    assert_eq!(run.fates(), [Fate::Consumed, Fate::Ignored]);
}

#[tokio::test(start_paused = true)]
async fn an_event_from_before_the_request_does_not_answer_it_and_the_error_says_so() {
    let bench = Bench::new();
    let mut run = bench.run();
    let chat = run.chat_with("a");
    bench.send(&run, &event("a", "reply"));
    tokio::time::advance(Duration::from_millis(1)).await;
    let sent = Instant::now();
    bench.send(&run, &event("a", "typing"));
    let error = reply(&chat, sent).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no such event in time; 1 other events came; 1 came before the latest request was sent \
         and cannot answer it (`since:` names an earlier step)"
    );
    drop(chat);
    run.end();
    assert_eq!(run.fates(), [Fate::Ignored; 2]);
}

#[tokio::test(start_paused = true)]
async fn what_counts_is_when_an_event_came_and_not_when_the_chat_woke() {
    let bench = Bench::new();
    let mut run = bench.run();
    let chat = run.chat_with("a");
    let sent = Instant::now();
    let deadline = sent + Duration::from_secs(5);
    tokio::time::advance(Duration::from_mins(1)).await;
    bench.send_at(&run, deadline, &event("a", "reply"));
    let inbound = chat.wait(sent, deadline, judge).await.unwrap();
    assert_eq!(inbound.arrived, deadline);

    let too_late = deadline + Duration::from_nanos(1);
    for kind in ["reply", "left"] {
        bench.send_at(&run, too_late, &event("a", kind));
    }
    let timeout = WaitError::Timeout {
        passed_over: 0,
        too_early: 0,
    };
    assert_eq!(chat.wait(sent, deadline, judge).await.unwrap_err(), timeout);
    drop(chat);
    run.end();
}

#[tokio::test(start_paused = true)]
async fn a_wait_fails_at_once_when_the_other_side_left() {
    let bench = Bench::new();
    let mut run = bench.run();
    let chat = run.chat_with("a");
    bench.send(&run, &event("a", "reply"));
    bench.send(&run, &event("a", "left"));
    let sent = Instant::now();
    reply(&chat, sent).await.unwrap();
    let error = reply(&chat, sent).await.unwrap_err();
    assert_eq!(error, WaitError::Disconnected);
    assert_eq!(Instant::now(), sent);
    drop(chat);
    run.end();
    assert_eq!(run.fates(), [Fate::Consumed; 2]);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_wait_takes_nothing() {
    let bench = Bench::new();
    let mut run = bench.run();
    let chat = run.chat_with("a");
    let sent = Instant::now();
    let given_up = tokio::time::timeout(Duration::from_secs(1), reply(&chat, sent)).await;
    assert!(given_up.is_err());
    bench.send(&run, &event("a", "reply"));
    reply(&chat, sent).await.unwrap();
    drop(chat);
    run.end();
}
