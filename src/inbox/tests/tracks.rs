//! Tracks of a chat that wait for the same events.

use super::*;

/// What a wait of a track for this event comes to.
async fn wait(bench: &Bench, track: Option<TrackWait>, text: &str) -> bool {
    let (since, now) = (bench.since, Instant::now());
    let deadline = now + Duration::from_secs(1);
    let sources = WaitSources::Callbacks;
    let waiting =
        (bench.inbox).wait_in_track(track, sources, since, deadline, wanting(text), |_| {});
    waiting.await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn each_track_has_an_event_once_and_it_is_settled_once() {
    let bench = Bench::new();
    let all = TrackSet::default().with(0).with(1);
    let [customer, agent] = [0, 1].map(|position| Some(TrackWait::new(position, all)));
    for text in ["joined", "typing", "kept"] {
        bench.send(text);
    }
    assert!(wait(&bench, customer, "joined").await);
    assert_eq!(bench.ledger.count(Fate::Consumed), 1);
    assert!(!wait(&bench, customer, "joined").await, "it had it");
    assert!(!wait(&bench, None, "joined").await, "the chat had it");
    assert!(wait(&bench, agent, "joined").await);
    assert!(!wait(&bench, agent, "joined").await);
    assert_eq!(bench.ledger.settled(), 1);
    // What one track has taken is for nobody once both are over.
    assert!(wait(&bench, agent, "typing").await);
    bench.inbox.drop_taken();
    assert!(!wait(&bench, customer, "typing").await);
    assert!(wait(&bench, None, "kept").await);
    bench.send("left over");
    bench.send("taken");
    assert!(wait(&bench, customer, "taken").await);
    let ledger = bench.ledger.clone();
    drop(bench);
    assert_eq!((ledger.received(), ledger.settled()), (5, 5));
    assert_eq!(
        (ledger.count(Fate::Consumed), ledger.count(Fate::Ignored)),
        (4, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_track_has_taken_does_not_count_as_fallen_out() {
    let bench = Bench::new();
    let all = TrackSet::default().with(0).with(1);
    let customer = Some(TrackWait::new(0, all));
    bench.send("joined");
    assert!(wait(&bench, customer, "joined").await);
    for _ in 0..MOST_EVENTS {
        bench.send("more");
    }
    assert_eq!(bench.ledger.settled(), 1);
    bench.send("more");
    assert_eq!(bench.ledger.count(Fate::Ignored), 1);
}
