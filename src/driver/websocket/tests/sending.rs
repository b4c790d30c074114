//! What is sent: by the owner of a socket, in answer to a message, and by itself.

use futures_util::FutureExt;

use super::{
    server::{FIN, say},
    *,
};

/// A server that reads nothing and says nothing until it is told to say all this, and reads all when it is told again.
async fn reads_late() -> (Server, Arc<Notify>) {
    let reads = Arc::<Notify>::default();
    let told = reads.clone();
    let server = Server::start(move |mut peer| {
        let told = told.clone();
        async move {
            if !switch(&mut peer, "").await {
                return;
            }
            told.notified().await;
            for number in 0..100 {
                peer.write(say(&number.to_string())).await;
            }
            told.notified().await;
            let mut lengths = Vec::new();
            while let Some(frame) = peer.frame().await {
                if frame.first_byte == FIN | super::server::CLOSE {
                    peer.write(say(&lengths.join(","))).await;
                    peer.write(super::server::close(1000, "")).await;
                    return;
                }
                lengths.push(frame.payload.len().to_string());
            }
        }
    })
    .await;
    (server, reads)
}

#[tokio::test]
async fn a_target_that_does_not_read_makes_senders_wait_and_is_read_all_the_same() {
    let (server, reads) = reads_late().await;
    let limits = FrameLimits {
        waiting: 100_000,
        ..FrameLimits::default()
    };
    let notes = Notes::default();
    let asked = Opening {
        limits,
        ..opening(ws(&server))
    };
    let opened = open_with(&asked, notes.handler()).await;
    let message = |length: usize| SocketMessage::Binary(vec![0; length].into());
    // Until the kernels take no more.
    let mut taken = 0;
    let waiting = Duration::from_millis(300);
    while let Ok(sent) = timeout(waiting, opened.socket.send(message(50_000))).await {
        sent.unwrap();
        taken += 1;
    }
    // The one that was given up is on its way; there is space for one more, which nobody hears of.
    let mut announced = 0;
    let mut announce = || announced += 1;
    let sending = opened
        .socket
        .send_announced(message(40_000), PATIENCE, &mut announce);
    assert!(sending.now_or_never().is_none());
    // There is none for this one, so it is not sent when it is given up.
    let within = Duration::from_millis(10);
    let sending = opened
        .socket
        .send_announced(message(20_000), within, &mut announce);
    let failure = sending.await.unwrap_err();
    assert!(
        matches!(failure.kind, SocketFailureKind::Timeout),
        "{failure}"
    );
    assert_eq!(announced, 1);
    reads.notify_one();
    assert_eq!(notes.until_received(100).await.len(), 100);
    reads.notify_one();
    opened.socket.send(message(7)).await.unwrap();
    let closed = opened.socket.close(1000, "", PATIENCE).await.unwrap();
    assert_eq!(closed.why, ClosedWhy::Asked);
    let mut expected = vec!["50000"; taken + 1];
    expected.extend(["40000", "7"]);
    assert_eq!(notes.received()[100], text(&expected.join(",")));
    assert_eq!(notes.all().len(), 1 + 101 + expected.len() + 1);
}

#[tokio::test]
async fn a_message_is_written_within_the_turn_of_whoever_sends_it() {
    let server = socket_server(|mut peer| async move {
        peer.write(say("welcome")).await;
        peer.echo().await;
    })
    .await;
    let (opened, notes) = open(&server).await;
    notes.until_received(1).await;
    // No task has a turn meanwhile.
    let mut told = Vec::new();
    let mut announce = || told.push(notes.all().len());
    for number in ["one", "two"] {
        let sending = opened
            .socket
            .send_announced(text(number), PATIENCE, &mut announce);
        assert!(matches!(sending.now_or_never(), Some(Ok(_))));
    }
    let [sent_one, sent_two] = ["one", "two"].map(|number| Told::Sent(text(number)));
    assert_eq!(notes.all()[2..], [sent_one, sent_two]);
    assert_eq!(told, [2, 3], "each is announced before it is written");
    let received = notes.until_received(3).await;
    assert_eq!(received[1..], ["one", "two"].map(text));
    let closing = opened.socket.close(1000, "", PATIENCE);
    let late = async { opened.socket.send(text("late")).await };
    let (closed, late) = tokio::join!(closing, late);
    assert_eq!(closed.unwrap().why, ClosedWhy::Asked);
    assert!(late.is_err(), "nothing is sent behind a close");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_sent_and_what_is_answered_meanwhile_stays_whole_and_in_order() {
    const COUNT: usize = 500;
    let server = socket_server(|mut peer| async move {
        let mut heard = Vec::new();
        for number in 0..COUNT {
            peer.write(say(&format!("answer {number}"))).await;
            if number % 3 == 0 {
                heard.push(peer.frame().await.unwrap().payload);
            }
        }
        while heard.len() < 2 * COUNT {
            heard.push(peer.frame().await.unwrap().payload);
        }
        peer.write(say(&String::from_utf8(heard.join(&b',')).unwrap()))
            .await;
        peer.echo().await;
    })
    .await;
    let notes = Notes::default();
    let answers = notes.replying(|message| match message {
        SocketMessage::Text(text) if text.starts_with("answer") => vec![message.clone()],
        _ => Vec::new(),
    });
    let opened = open_with(&opening(ws(&server)), answers).await;
    let sending = tokio::spawn(async move {
        for number in 0..COUNT {
            opened
                .socket
                .send(text(&format!("send {number}")))
                .await
                .unwrap();
        }
        opened
    });
    let _opened = sending.await.unwrap();
    let received = notes.until_received(COUNT + 1).await;
    let heard = std::str::from_utf8(received[COUNT].bytes()).unwrap();
    for what in ["send", "answer"] {
        let of_them = heard.split(',').filter(|text| text.starts_with(what));
        let expected = (0..COUNT).map(|number| format!("{what} {number}"));
        assert!(of_them.eq(expected), "{heard}");
    }
}

#[tokio::test]
async fn a_message_that_never_fits_is_refused() {
    let server = socket_server(|mut peer| async move { peer.echo().await }).await;
    let limits = FrameLimits {
        waiting: 10,
        waiting_messages: 1,
        ..FrameLimits::default()
    };
    let notes = Notes::default();
    let asked = Opening {
        limits,
        ..opening(ws(&server))
    };
    let opened = open_with(&asked, notes.handler()).await;
    let failure = opened.socket.send(text("0123456789a")).await.unwrap_err();
    assert!(
        matches!(failure.kind, SocketFailureKind::BadRequest),
        "{failure}"
    );
    for _ in 0..3 {
        opened.socket.send(text("0123456789")).await.unwrap();
    }
    notes.until_received(3).await;
}

#[tokio::test]
async fn many_senders_have_their_turns_within_the_limits() {
    let server = socket_server(|mut peer| async move { peer.echo().await }).await;
    let limits = FrameLimits {
        waiting: 30,
        waiting_messages: 2,
        ..FrameLimits::default()
    };
    let notes = Notes::default();
    let asked = Opening {
        limits,
        ..opening(ws(&server))
    };
    let opened = open_with(&asked, notes.handler()).await;
    let senders = (0..100).map(|_| opened.socket.send(text("0123456789")));
    let sent = timeout(PATIENCE, futures_util::future::join_all(senders)).await;
    assert!(sent.unwrap().iter().all(Result::is_ok));
    notes.until_received(100).await;
}

#[tokio::test]
async fn answers_are_sent_in_the_order_of_what_they_answer_and_told() {
    let server = socket_server(|mut peer| async move {
        for number in 0..10 {
            peer.write(say(&number.to_string())).await;
        }
        let mut heard = Vec::new();
        for _ in 0..20 {
            let frame = peer.frame().await.unwrap();
            heard.push(String::from_utf8(frame.payload).unwrap());
        }
        peer.write(say(&heard.concat())).await;
        peer.echo().await;
    })
    .await;
    let notes = Notes::default();
    let mut answered = 0;
    let twice = notes.replying(move |message| {
        answered += 1;
        if answered > 10 {
            return Vec::new();
        }
        vec![message.clone(), text("-")]
    });
    let _opened = open_with(&opening(ws(&server)), twice).await;
    let received = notes.until_received(11).await;
    assert_eq!(received[10], text("0-1-2-3-4-5-6-7-8-9-"));
    let all = notes.all().into_iter();
    let sent = all.filter(|told| matches!(told, Told::Sent(_)));
    assert_eq!(sent.count(), 20);
}

#[tokio::test]
async fn answers_to_a_target_that_does_not_read_end_the_socket() {
    let server =
        socket_server(|mut peer| async move { while peer.write(say("answer me")).await {} }).await;
    let notes = Notes::default();
    let large = notes.replying(|_| vec![SocketMessage::Binary(vec![0; 400_000].into())]);
    let _opened = open_with(&opening(ws(&server)), large).await;
    let closed = notes.until_closed().await;
    assert_eq!(closed.why, ClosedWhy::Unread);
    assert_eq!(closed.by, ClosedBy::Us);
    assert!(closed.reason.contains("bytes"), "{closed}");
}

#[tokio::test]
async fn heartbeats_are_sent_at_their_intervals_each() {
    let server = socket_server(|mut peer| async move { peer.echo().await }).await;
    let notes = Notes::default();
    let mut handler = notes.handler();
    handler.heartbeat = Some(text("2"));
    let asked = Opening {
        heartbeats: vec![Duration::from_millis(20), Duration::from_millis(50)],
        ..opening(ws(&server))
    };
    let opened = open_with(&asked, handler).await;
    notes.until_received(7).await;
    let since = opened.sent_at.elapsed();
    let count = |position| {
        let all = notes.all().into_iter();
        all.filter(|told| *told == Told::Heartbeat(position))
            .count()
    };
    let (often, seldom) = (count(0), count(1));
    // Each at its interval, and none before its time; a busy machine may miss some.
    assert!(often > seldom && seldom > 0, "{often} and {seldom}");
    assert!(since >= Duration::from_millis(20) * u32::try_from(often).unwrap());
    opened.socket.close(1000, "", PATIENCE).await.unwrap();
    let after = notes.all().len();
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(notes.all().len(), after, "nothing is told after the end");
}
