use super::*;
use crate::inbox::Duplicates;

#[tokio::test(start_paused = true)]
async fn a_waiting_chat_is_woken_by_its_event() {
    let bench = Bench::new();
    let mut run = bench.run();
    let mut chat = run.chat_with("a");
    let began = Instant::now();
    let arrival = began + Duration::from_secs(3);
    let (inbound, ()) = tokio::join!(reply(&mut chat, began), async {
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
    let mut chat = run.chat_with("a");
    bench.send(&run, &event("a", "reply"));
    tokio::time::advance(Duration::from_millis(1)).await;
    let sent = Instant::now();
    bench.send(&run, &event("a", "typing"));
    let error = reply(&mut chat, sent).await.unwrap_err();
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
    let mut chat = run.chat_with("a");
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
        duplicates: Duplicates::default(),
        fell_out: 0,
    };
    assert_eq!(chat.wait(sent, deadline, judge).await.unwrap_err(), timeout);
    drop(chat);
    run.end();
}

#[tokio::test(start_paused = true)]
async fn a_wait_fails_at_once_when_the_other_side_left() {
    let bench = Bench::new();
    let mut run = bench.run();
    let mut chat = run.chat_with("a");
    bench.send(&run, &event("a", "reply"));
    bench.send(&run, &event("a", "left"));
    let sent = Instant::now();
    reply(&mut chat, sent).await.unwrap();
    let error = reply(&mut chat, sent).await.unwrap_err();
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
    let mut chat = run.chat_with("a");
    let sent = Instant::now();
    let given_up = tokio::time::timeout(Duration::from_secs(1), reply(&mut chat, sent)).await;
    assert!(given_up.is_err());
    bench.send(&run, &event("a", "reply"));
    reply(&mut chat, sent).await.unwrap();
    drop(chat);
    run.end();
}

#[tokio::test(start_paused = true)]
async fn a_wait_looks_at_each_event_once() {
    let bench = Bench::new();
    let mut run = bench.run();
    let mut chat = run.chat_with("a");
    bench.send(&run, &event("a", "typing"));
    let sent = Instant::now();
    let mut looked_at = 0;
    let look = |inbound: &Inbound| {
        looked_at += 1;
        judge(inbound)
    };
    let deadline = sent + Duration::from_mins(1);
    let (inbound, ()) = tokio::join!(chat.wait(sent, deadline, look), async {
        for kind in ["typing", "typing", "typing", "reply"] {
            tokio::time::sleep(Duration::from_secs(1)).await;
            bench.send(&run, &event("a", kind));
        }
    });
    inbound.unwrap();
    assert_eq!(looked_at, 5);
    drop(chat);
    run.end();
}

#[tokio::test(start_paused = true)]
async fn a_wait_finds_its_event_among_more_than_a_chat_keeps() {
    let bench = Bench::new();
    let mut run = bench.run();
    let mut chat = run.chat_with("a");
    let sent = Instant::now();
    for _ in 0..900 {
        bench.send(&run, &event("a", "typing"));
    }
    let (inbound, ()) = tokio::join!(reply(&mut chat, sent), async {
        // Between two looks: those that were seen are given up, and the one that is wanted is not.
        tokio::time::sleep(Duration::from_secs(1)).await;
        bench.send(&run, &event("a", "reply"));
        for _ in 0..900 {
            bench.send(&run, &event("a", "typing"));
        }
    });
    inbound.unwrap();
    drop(chat);
    run.end();
}
