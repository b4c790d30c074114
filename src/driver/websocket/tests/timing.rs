//! What comes at the same time as something else, or is read late.

use std::thread;

use tokio::io::AsyncReadExt;

use super::{
    server::{CLOSE, FIN, PING, PONG, close, frame, say, switching},
    *,
};

/// How long an answer may take.
const WITHIN: Duration = Duration::from_millis(500);

/// How long the only thread of the runtime is busy behind an answer.
const STALL: Duration = Duration::from_millis(700);

/// Longer than what is read at once.
const LONGER: usize = 5000;

/// Two messages and this, in one segment.
fn behind_messages(last: &[u8]) -> Vec<u8> {
    let mut all = say("first");
    all.extend(say(&"x".repeat(LONGER)));
    all.extend(last);
    all
}

#[tokio::test]
async fn a_pong_that_arrived_in_time_counts_though_it_is_read_late() {
    let server = socket_server(|mut peer| async move {
        let ping = peer.frame_like(FIN | PING).await.unwrap();
        let answer = frame(FIN | PONG, &ping.payload);
        peer.write(behind_messages(&answer)).await;
        thread::sleep(STALL);
        peer.echo().await;
    })
    .await;
    let notes = Notes::default();
    let asked = Opening {
        ping: Some(PingSettings {
            every: Duration::from_millis(5),
            within: WITHIN,
        }),
        ..opening(ws(&server))
    };
    let _opened = open_with(&asked, notes.handler()).await;
    let is_end = |told: &Told| matches!(told, Told::Ponged | Told::Closed(_));
    notes.until(|told| told.iter().any(is_end)).await;
    let first = notes.all().into_iter().find(is_end);
    assert_eq!(first, Some(Told::Ponged));
    assert_eq!(notes.received().len(), 2);
}

#[tokio::test]
async fn an_answer_to_a_close_that_arrived_in_time_counts_though_it_is_read_late() {
    let server = socket_server(|mut peer| async move {
        peer.frame_like(FIN | CLOSE).await.unwrap();
        peer.write(behind_messages(&close(1000, "bye"))).await;
        thread::sleep(STALL);
        peer.until_gone().await;
    })
    .await;
    let notes = Notes::default();
    let opened = open_with(&opening(ws(&server)), notes.handler()).await;
    let closed = opened.socket.close(1000, "", WITHIN).await.unwrap();
    assert_eq!((closed.why, &*closed.reason), (ClosedWhy::Asked, "bye"));
    assert_eq!(notes.received().len(), 2);
}

#[tokio::test]
async fn a_target_that_goes_on_talking_does_not_put_the_end_off() {
    // As much as the kernels hold is always there to be read.
    let server = socket_server(|mut peer| async move {
        let more = say(&"x".repeat(1000)).repeat(100);
        while peer.write(&more).await {}
    })
    .await;
    let (opened, notes) = open(&server).await;
    notes.until_received(1).await;
    let closing = opened.socket.close(1000, "", Duration::from_millis(50));
    let failure = timeout(PATIENCE, closing).await.unwrap().unwrap_err();
    assert!(
        matches!(failure.kind, SocketFailureKind::Timeout),
        "{failure}"
    );
}

#[tokio::test]
async fn a_frame_that_had_begun_is_whole_though_large_buffers_were_given_back_meanwhile() {
    let server = socket_server(|mut peer| async move {
        let next = say("the next");
        let (begun, rest) = next.split_at(4);
        let mut all = say(&"x".repeat(10 * LONGER));
        all.extend(begun);
        peer.write(all).await;
        // The client answers the large message, and has nothing more to read then.
        peer.frame().await;
        peer.write(rest).await;
        peer.until_gone().await;
    })
    .await;
    let notes = Notes::default();
    let answers = notes.replying(|_| vec![text("heard")]);
    let _opened = open_with(&opening(ws(&server)), answers).await;
    assert_eq!(notes.until_received(2).await[1], text("the next"));
}

#[tokio::test]
async fn a_ping_that_is_due_while_the_socket_is_being_closed_is_no_longer_sent() {
    let server = socket_server(|mut peer| async move {
        while let Some(heard) = peer.frame().await {
            if heard.first_byte == FIN | CLOSE {
                tokio::time::sleep(3 * WITHIN).await;
                peer.write(close(1000, "")).await;
                return;
            }
            peer.write(frame(FIN | PONG, &heard.payload)).await;
        }
    })
    .await;
    let notes = Notes::default();
    let asked = Opening {
        ping: Some(PingSettings {
            every: WITHIN,
            within: WITHIN,
        }),
        heartbeats: vec![WITHIN],
        ..opening(ws(&server))
    };
    let opened = open_with(&asked, notes.handler()).await;
    let closed = opened.socket.close(1000, "", PATIENCE).await.unwrap();
    assert_eq!((closed.by, closed.why), (ClosedBy::Us, ClosedWhy::Asked));
    assert!(!notes.all().contains(&Told::Heartbeat(0)));
}

#[tokio::test]
async fn closes_that_cross_are_one_though_ours_was_not_written_yet() {
    let server = socket_server(|mut peer| async move {
        // A message has begun, and the kernel takes no more of it.
        peer.stream.read_u8().await.unwrap();
        peer.write(close(1000, "bye")).await;
        peer.ignore().await;
    })
    .await;
    let notes = Notes::default();
    let length = 64 * 1024 * 1024;
    let asked = Opening {
        limits: FrameLimits {
            waiting: length,
            ..FrameLimits::default()
        },
        ..opening(ws(&server))
    };
    let opened = open_with(&asked, notes.handler()).await;
    let large = SocketMessage::Binary(vec![0; length].into());
    let closing = opened.socket.close(4000, "", PATIENCE);
    let (sent, closed) = tokio::join!(opened.socket.send(large), closing);
    assert!(sent.is_err());
    let closed = closed.unwrap();
    assert_eq!((closed.by, closed.why), (ClosedBy::Us, ClosedWhy::Asked));
    assert_eq!((closed.code, &*closed.reason), (Some(4000), "bye"));
}

#[tokio::test]
async fn a_close_that_nobody_had_read_when_ours_was_asked_for_is_its_answer() {
    let server = Server::start(|mut peer| async move {
        let request = peer.request().await.unwrap();
        let mut all = switching(&request, "").into_bytes();
        all.extend(close(1000, "bye"));
        peer.write(all).await;
        peer.until_gone().await;
    })
    .await;
    // The task of the socket has its first turn when this one waits.
    let (opened, notes) = open(&server).await;
    let closed = opened.socket.close(4000, "", PATIENCE).await.unwrap();
    assert_eq!((closed.by, closed.code), (ClosedBy::Us, Some(4000)));
    assert_eq!(notes.until_closed().await.why, ClosedWhy::Asked);
}

#[tokio::test]
async fn a_close_that_nobody_waits_for_any_more_ends_within_a_second() {
    let server = socket_server(Peer::ignore).await;
    let client = client();
    let asked = opening(ws(&server));
    let handler = Box::new(Notes::default().handler());
    let opened = client.open(&asked, handler, &OnWire::default()).await;
    let opened = opened.unwrap();
    tokio::time::pause();
    let since = Instant::now();
    let moment = Duration::from_millis(1);
    let closing = opened.socket.close(1000, "", PATIENCE);
    assert!(timeout(moment, closing).await.is_err());
    drop(opened);
    assert_eq!(client.all_closed(PATIENCE).await, 0);
    assert_eq!(since.elapsed().as_secs(), 1);
}
