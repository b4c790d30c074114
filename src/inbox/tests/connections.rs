//! Frames and ends of connections in an inbox.

use super::*;

/// Waits a second for the frame with this text.
async fn receive(bench: &Bench, sources: WaitSources, text: &str) -> Result<Inbound, WaitError> {
    let deadline = Instant::now() + Duration::from_secs(1);
    let wait = bench
        .inbox
        .wait(sources, bench.since, deadline, wanting(text), |_| {});
    wait.await
}

fn text(inbound: Result<Inbound, WaitError>) -> Value {
    inbound.unwrap().event
}

#[tokio::test(start_paused = true)]
async fn a_wait_sees_what_comes_from_its_sources_only() {
    let bench = Bench::new();
    bench.send("a");
    bench.send_frame(1, "a", 10);
    bench.send_frame(2, "b", 10);
    let timeout = |passed_over| WaitError::Timeout {
        passed_over,
        too_early: 0,
        duplicates: Duplicates::default(),
        fell_out: 0,
    };
    for (sources, wanted, passed_over) in [
        (WaitSources::Callbacks, "b", 1),
        (WaitSources::Connection(1), "b", 1),
        (WaitSources::Connection(2), "a", 1),
        (WaitSources::Connection(3), "a", 0),
        (WaitSources::Connections([1, 2].into()), "c", 2),
    ] {
        let error = receive(&bench, sources, wanted).await.unwrap_err();
        assert_eq!(error, timeout(passed_over));
    }
    let several = WaitSources::Connections([1, 2].into());
    assert_eq!(text(receive(&bench, several, "b").await), "b".into());
    let one = WaitSources::Connection(1);
    assert_eq!(text(receive(&bench, one, "a").await), "a".into());
    let Bench { ledger, inbox, .. } = bench;
    drop(inbox);
    // The event of the callback alone is recorded, and nobody waited for it.
    assert_eq!((ledger.received(), ledger.settled()), (1, 1));
    assert_eq!((ledger.count(Fate::Ignored), ledger.dropped()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_connection_stands_behind_its_frames_and_every_wait_meets_it() {
    let bench = Bench::new();
    let one = || WaitSources::Connection(1);
    bench.send_frame(1, "other", 10);
    bench.send_frame(1, "wanted", 10);
    bench.end(1);
    let began = Instant::now();
    assert_eq!(
        text(receive(&bench, one(), "wanted").await),
        "wanted".into()
    );
    for _ in 0..2 {
        let error = receive(&bench, one(), "wanted").await.unwrap_err();
        assert_eq!(
            error,
            WaitError::Ended {
                reason: Reason::Closed,
                how: "socket `s` broke".into(),
            }
        );
    }
    assert_eq!(Instant::now(), began, "nothing is waited for");
    assert_eq!(text(receive(&bench, one(), "other").await), "other".into());
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_goes_on_is_over_when_the_last_of_its_connections_ends() {
    let bench = Bench::new();
    let began = Instant::now();
    let both = WaitSources::Connections([1, 2].into());
    let tenth = Duration::from_millis(100);
    let (waited, of_callbacks, ()) = tokio::join!(
        receive(&bench, both, "wanted"),
        bench.wait_for("wanted"),
        async {
            for connection in [3, 1, 2] {
                tokio::time::sleep(tenth).await;
                bench.end(connection);
            }
            assert_eq!(began.elapsed(), tenth * 3);
        }
    );
    assert!(matches!(waited, Err(WaitError::Ended { .. })), "{waited:?}");
    // No connection is any business of a wait for events.
    assert!(
        matches!(of_callbacks, Err(WaitError::Timeout { .. })),
        "{of_callbacks:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_falls_out_is_counted_as_dropped_and_the_end_of_its_connection_stays() {
    let bench = Bench::new();
    bench.send_frame(1, "wanted", 10);
    bench.end(1);
    for _ in 0..MOST_EVENTS {
        bench.send_frame(2, "other", 10);
    }
    assert_eq!(bench.ledger.dropped(), 2);
    let error = receive(&bench, WaitSources::Connection(1), "wanted").await;
    assert!(matches!(error, Err(WaitError::Ended { .. })), "{error:?}");
    // Of a chat that connects again and again, the latest ends are known.
    for connection in 10..40 {
        bench.end(connection);
    }
    let ended = |connection| receive(&bench, WaitSources::Connection(connection), "wanted");
    for (connection, is_known) in [(1, false), (23, false), (24, true), (39, true)] {
        let error = ended(connection).await.unwrap_err();
        assert_eq!(
            matches!(error, WaitError::Ended { .. }),
            is_known,
            "{connection}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn frames_push_no_event_of_a_callback_out() {
    let bench = Bench::new();
    bench.send("first");
    for _ in 0..MOST_EVENTS {
        bench.send_frame(1, "other", 10);
    }
    bench.send_frame(1, "large", MOST_BYTES * 2);
    assert_eq!(
        (bench.ledger.dropped(), bench.ledger.settled()),
        (MOST_EVENTS, 0)
    );
    assert_eq!(text(bench.wait_for("first").await), "first".into());
    let one = WaitSources::Connection(1);
    assert_eq!(text(receive(&bench, one, "large").await), "large".into());
}

#[tokio::test(start_paused = true)]
async fn where_events_of_callbacks_fill_the_inbox_the_latest_frame_stays_until_the_next_entry() {
    let bench = Bench::new();
    for _ in 0..MOST_EVENTS {
        bench.send("event");
    }
    let dropped_and_ignored = || (bench.ledger.dropped(), bench.ledger.count(Fate::Ignored));
    bench.send_frame(1, "old", 10);
    bench.send_frame(1, "wanted", 10);
    assert_eq!(dropped_and_ignored(), (1, 0));
    let one = || WaitSources::Connection(1);
    assert_eq!(
        text(receive(&bench, one(), "wanted").await),
        "wanted".into()
    );
    bench.send_frame(1, "wanted", 10);
    bench.send("latest");
    assert_eq!(dropped_and_ignored(), (2, 1));
    let error = receive(&bench, one(), "wanted").await;
    assert!(matches!(error, Err(WaitError::Timeout { .. })), "{error:?}");
    assert_eq!(text(bench.wait_for("latest").await), "latest".into());
}

#[tokio::test(start_paused = true)]
async fn the_latest_frame_stays_however_large_it_is_also_before_an_end() {
    let bench = Bench::new();
    bench.send_frame(1, "old", 10);
    bench.send_frame(1, "large", MOST_BYTES * 2);
    bench.end(1);
    assert_eq!(bench.ledger.dropped(), 1);
    let one = WaitSources::Connection(1);
    assert_eq!(text(receive(&bench, one, "large").await), "large".into());
}

#[test]
fn a_frame_that_comes_after_the_chat_ended_is_for_nobody() {
    let bench = Bench::new();
    let frame = Inbound {
        source: InboundSource::Connection(1),
        ..bench.incoming("a", 10).inbound
    };
    let Bench {
        ledger,
        sender,
        inbox,
        ..
    } = bench;
    drop(inbox);
    for _ in 0..=MOST_EVENTS {
        sender.send_of_connection(frame.clone());
    }
    assert_eq!(
        (ledger.received(), ledger.settled(), ledger.dropped()),
        (0, 0, 0)
    );
}
