//! The end of a socket: who ends it, and how long that may take.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{
    server::{CLOSE, FIN, PING, PONG, close, frame, say},
    *,
};

fn ended(notes: &Notes) -> usize {
    let all = notes.all().into_iter();
    all.filter(|told| matches!(told, Told::Closed(_))).count()
}

#[tokio::test]
async fn the_code_and_the_reason_of_the_target_are_told_after_its_messages() {
    let server = socket_server(|mut peer| async move {
        let mut all = say("wanted");
        all.extend(close(4000, "agent\nleft"));
        peer.write(all).await;
        let answer = peer.frame().await.unwrap();
        assert_eq!(answer.close().0, 4000);
    })
    .await;
    let (opened, notes) = open(&server).await;
    let closed = notes.until_closed().await;
    assert_eq!(closed.by, ClosedBy::Target);
    assert_eq!(closed.why, ClosedWhy::CloseFrame);
    assert_eq!(closed.code, Some(4000));
    assert_eq!(closed.reason, "agent left");
    assert_eq!(notes.received(), [text("wanted")]);
    let failure = opened.socket.close(1000, "", PATIENCE).await.unwrap_err();
    assert!(
        matches!(&failure.kind, SocketFailureKind::Closed(end) if **end == closed),
        "{failure}"
    );
    assert!(failure.detail.contains("4000"), "{failure}");
}

#[tokio::test]
async fn a_close_without_a_code_has_none() {
    let server = socket_server(|mut peer| async move {
        peer.write(frame(FIN | CLOSE, b"")).await;
        peer.until_gone().await;
    })
    .await;
    let (_opened, notes) = open(&server).await;
    let closed = notes.until_closed().await;
    assert_eq!((closed.by, closed.code), (ClosedBy::Target, None));
}

#[tokio::test]
async fn a_close_of_ours_comes_after_what_was_sent_and_waits_for_the_answer() {
    let server = socket_server(|mut peer| async move {
        let mut heard = Vec::new();
        while let Some(frame) = peer.frame().await {
            if frame.first_byte == FIN | CLOSE {
                assert_eq!(frame.close(), (4321, "enough".to_owned()));
                peer.write(say(&heard.join(","))).await;
                peer.write(close(4321, "")).await;
                return;
            }
            heard.push(String::from_utf8(frame.payload).unwrap());
        }
    })
    .await;
    let (opened, notes) = open(&server).await;
    let (one, two) = (
        opened.socket.send(text("one")),
        opened.socket.send(text("two")),
    );
    let (one, two, closed) = tokio::join!(one, two, opened.socket.close(4321, "enough", PATIENCE));
    assert!(one.is_ok() && two.is_ok());
    let closed = closed.unwrap();
    assert_eq!((closed.by, closed.code), (ClosedBy::Us, Some(4321)));
    assert_eq!(closed.why, ClosedWhy::Asked);
    // Messages that the target sent before its close frame are still delivered to the handler.
    assert_eq!(notes.received(), [text("one,two")]);
    let after = opened.socket.send(text("three")).await.unwrap_err();
    assert!(
        matches!(after.kind, SocketFailureKind::Closed(_)),
        "{after}"
    );
    assert_eq!(ended(&notes), 1);
}

#[tokio::test]
async fn a_close_that_cannot_be_sent_is_refused_and_leaves_the_socket_open() {
    let server = socket_server(|mut peer| async move { peer.echo().await }).await;
    let (opened, notes) = open(&server).await;
    for code in [0, 999, 1005, 1006, 1015, 2999, 5000] {
        let failure = opened.socket.close(code, "", PATIENCE).await.unwrap_err();
        assert!(
            matches!(failure.kind, SocketFailureKind::BadRequest),
            "{failure}"
        );
    }
    let failure = opened.socket.close(1000, &"x".repeat(124), PATIENCE).await;
    assert!(matches!(
        failure.unwrap_err().kind,
        SocketFailureKind::BadRequest
    ));
    opened.socket.send(text("still open")).await.unwrap();
    notes.until_received(1).await;
    let longest = "x".repeat(123);
    let closed = opened.socket.close(3000, &longest, PATIENCE).await.unwrap();
    assert_eq!(closed.code, Some(3000));
}

#[tokio::test]
async fn an_answer_to_a_close_that_does_not_come_is_waited_for_within_bounds() {
    let server = socket_server(Peer::ignore).await;
    let (opened, notes) = open(&server).await;
    tokio::time::pause();
    let asked = Instant::now();
    let within = Duration::from_secs(7);
    let failure = opened.socket.close(1000, "", within).await.unwrap_err();
    assert!(
        matches!(failure.kind, SocketFailureKind::Timeout),
        "{failure}"
    );
    assert_eq!(asked.elapsed().as_secs(), 7);
    assert!(failure.detail.contains("7 s"), "{failure}");
    let closed = notes.until_closed().await;
    assert_eq!((closed.by, closed.code), (ClosedBy::Us, Some(1000)));
    assert_eq!(closed.why, ClosedWhy::NoAnswer);
}

#[tokio::test]
async fn a_target_that_answers_a_close_with_the_end_of_the_connection_is_told() {
    for resets in [false, true] {
        let server = Server::start(move |mut peer| async move {
            switch(&mut peer, "").await;
            peer.frame_like(FIN | CLOSE).await;
            if resets {
                peer.reset();
            }
        })
        .await;
        let (opened, _) = open(&server).await;
        let failure = opened.socket.close(1000, "", PATIENCE).await.unwrap_err();
        let SocketFailureKind::Closed(closed) = failure.kind else {
            panic!("{failure}");
        };
        let why = if resets {
            ClosedWhy::Broken
        } else {
            ClosedWhy::EndOfFile
        };
        assert_eq!((closed.by, closed.why), (ClosedBy::Us, why));
        assert_eq!(closed.code, Some(1000));
    }
}

#[tokio::test]
async fn the_end_of_the_connection_without_a_close_is_that_of_the_network() {
    for resets in [false, true] {
        let server = Server::start(move |mut peer| async move {
            switch(&mut peer, "").await;
            peer.write(say("last words")).await;
            peer.frame().await;
            if resets {
                peer.reset();
            }
        })
        .await;
        let (opened, notes) = open(&server).await;
        notes.until_received(1).await;
        opened.socket.send(text("go")).await.unwrap();
        let closed = notes.until_closed().await;
        assert_eq!((closed.by, closed.code), (ClosedBy::Network, None));
        let why = if resets {
            ClosedWhy::Broken
        } else {
            ClosedWhy::EndOfFile
        };
        assert_eq!(closed.why, why);
        assert!(!closed.to_string().contains("os error"), "{closed}");
    }
}

#[tokio::test]
async fn what_the_target_said_at_last_counts_more_than_what_could_not_be_sent() {
    let gone = Arc::<Notify>::default();
    let told = gone.clone();
    let server = Server::start(move |mut peer| {
        let told = told.clone();
        async move {
            switch(&mut peer, "").await;
            peer.frame().await;
            peer.write(close(1008, "not allowed")).await;
            peer.reset();
            told.notify_one();
        }
    })
    .await;
    let (opened, notes) = open(&server).await;
    opened.socket.send(text("once")).await.unwrap();
    gone.notified().await;
    // Nobody has read the close yet.
    assert!(opened.socket.send(text("more")).await.is_err());
    let closed = notes.until_closed().await;
    assert_eq!((closed.by, closed.code), (ClosedBy::Target, Some(1008)));
}

#[tokio::test]
async fn the_target_closes_the_connection_first() {
    let was_open = Arc::<AtomicBool>::default();
    let seen = was_open.clone();
    let server = Server::start(move |mut peer| {
        let seen = seen.clone();
        async move {
            switch(&mut peer, "").await;
            peer.write(close(1000, "")).await;
            peer.frame_like(FIN | CLOSE).await;
            let after = timeout(Duration::from_millis(100), peer.frame()).await;
            seen.store(after.is_err(), Ordering::Relaxed);
        }
    })
    .await;
    let client = client();
    let handler = Box::new(Notes::default().handler());
    let asked = opening(ws(&server));
    let opened = client.open(&asked, handler, &OnWire::default()).await;
    // The task of the socket has its first turn when this one waits.
    opened
        .unwrap()
        .socket
        .close(1000, "", PATIENCE)
        .await
        .unwrap();
    assert_eq!(client.all_closed(PATIENCE).await, 0);
    assert!(was_open.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_ping_is_answered_in_time_or_the_socket_has_ended() {
    let ping = |every, within| {
        Some(PingSettings {
            every: Duration::from_millis(every),
            within: Duration::from_millis(within),
        })
    };
    // Pongs that nobody asked for, and one with another content, answer nothing.
    let server = socket_server(|mut peer| async move {
        for _ in 0..3 {
            peer.write(frame(FIN | PONG, b"unasked")).await;
            let ping = peer.frame_like(FIN | PING).await.unwrap();
            peer.write(frame(FIN | PONG, &ping.payload)).await;
        }
        peer.frame_like(FIN | PING).await;
        peer.write(frame(FIN | PONG, b"another")).await;
        peer.until_gone().await;
    })
    .await;
    let notes = Notes::default();
    let asked = Opening {
        ping: ping(5, 1000),
        ..opening(ws(&server))
    };
    let _opened = open_with(&asked, notes.handler()).await;
    let closed = notes.until_closed().await;
    assert_eq!((closed.by, closed.code), (ClosedBy::Network, None));
    assert_eq!(closed.why, ClosedWhy::NoPong);
    assert_eq!(closed.reason, "no pong within 1 s");
    let all = notes.all().into_iter();
    assert_eq!(all.filter(|told| *told == Told::Ponged).count(), 3);
}

#[tokio::test]
async fn a_black_hole_is_noticed_by_a_ping_even_while_much_waits_to_be_sent() {
    let server = socket_server(Peer::ignore).await;
    let notes = Notes::default();
    let asked = Opening {
        ping: Some(PingSettings {
            every: Duration::from_millis(20),
            within: Duration::from_millis(50),
        }),
        ..opening(ws(&server))
    };
    let opened = open_with(&asked, notes.handler()).await;
    let large = SocketMessage::Binary(vec![0; 1024 * 1024].into());
    while opened.socket.send(large.clone()).await.is_ok() {}
    assert_eq!(notes.until_closed().await.why, ClosedWhy::NoPong);
}

#[tokio::test]
async fn a_socket_that_is_dropped_goes_away_within_a_second() {
    let server = socket_server(|mut peer| async move { peer.echo().await }).await;
    let client = client();
    let notes = Notes::default();
    let asked = opening(ws(&server));
    let on_wire = OnWire::default();
    let opened = client
        .open(&asked, Box::new(notes.handler()), &on_wire)
        .await;
    drop(opened);
    let closed = notes.until_closed().await;
    assert_eq!((closed.by, closed.code), (ClosedBy::Us, Some(1001)));
    assert_eq!(closed.why, ClosedWhy::Dropped);
    assert_eq!(client.all_closed(PATIENCE).await, 0);

    let silent = socket_server(Peer::ignore).await;
    let asked = opening(ws(&silent));
    let opened = client
        .open(&asked, Box::new(notes.handler()), &on_wire)
        .await;
    tokio::time::pause();
    let dropped = Instant::now();
    drop(opened);
    assert_eq!(client.all_closed(PATIENCE).await, 0);
    assert_eq!(dropped.elapsed().as_secs(), 1);
    assert_eq!(ended(&notes), 2);
}

#[tokio::test]
async fn a_connection_that_the_target_keeps_after_its_close_is_closed_within_a_second() {
    let server = socket_server(|mut peer| async move {
        peer.write(close(1000, "")).await;
        peer.frame().await;
        // It neither closes nor is quiet.
        while peer.write(say("still here")).await {}
    })
    .await;
    let client = client();
    let notes = Notes::default();
    let asked = opening(ws(&server));
    let on_wire = OnWire::default();
    let opened = client
        .open(&asked, Box::new(notes.handler()), &on_wire)
        .await;
    notes.until_closed().await;
    let since = Instant::now();
    assert_eq!(client.all_closed(PATIENCE).await, 0);
    assert!(since.elapsed() < PATIENCE);
    assert_eq!(notes.received(), [], "nothing is told after the end");
    drop(opened);
}

#[tokio::test]
async fn whoever_waits_for_all_sockets_hears_how_many_are_left() {
    let server = socket_server(|mut peer| async move { peer.echo().await }).await;
    let client = client();
    let asked = opening(ws(&server));
    let mut opened = Vec::new();
    for _ in 0..50 {
        let handler = Box::new(Notes::default().handler());
        opened.push(client.open(&asked, handler, &OnWire::default()).await);
    }
    let moment = Duration::from_millis(1);
    assert_eq!(client.clone().all_closed(moment).await, 50);
    opened.truncate(20);
    let closing = async { while client.all_closed(moment).await > 20 {} };
    timeout(PATIENCE, closing).await.unwrap();
    drop(opened);
    assert_eq!(client.all_closed(PATIENCE).await, 0);
}

#[tokio::test]
async fn a_handler_that_panics_leaves_nobody_waiting() {
    let server = socket_server(|mut peer| async move { peer.echo().await }).await;
    let notes = Notes::default();
    let panics = notes.replying(|_| panic!("a test of panics"));
    let opened = open_with(&opening(ws(&server)), panics).await;
    opened.socket.send(text("a")).await.unwrap();
    let ended = async { while opened.socket.send(text("b")).await.is_ok() {} };
    timeout(PATIENCE, ended).await.unwrap();
    assert!(opened.socket.close(1000, "", PATIENCE).await.is_err());
}

#[test]
fn a_socket_ends_with_its_runtime() {
    let notes = Notes::default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let opened = runtime.block_on(async {
        let server = socket_server(|mut peer| async move { peer.echo().await }).await;
        open_with(&opening(ws(&server)), notes.handler()).await
    });
    drop(runtime);
    assert!(opened.socket.closed().is_some());
    assert_eq!(ended(&notes), 1);
}
