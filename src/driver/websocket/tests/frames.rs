//! What a server may send, and what it must not.

use proptest::prelude::*;

use super::{
    server::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, close, frame, say},
    *,
};

/// A server that sends these bytes, and then hears what the client says until it goes; what it says at last.
async fn sending(bytes: Vec<u8>) -> (Server, Arc<Mutex<Vec<(u16, String)>>>) {
    let heard = Arc::<Mutex<Vec<_>>>::default();
    let noted = heard.clone();
    let server = Server::start(move |mut peer| {
        let (bytes, noted) = (bytes.clone(), noted.clone());
        async move {
            if !switch(&mut peer, "").await {
                return;
            }
            peer.write(bytes).await;
            if let Some(frame) = peer.frame_like(FIN | CLOSE).await {
                noted.lock().unwrap().push(frame.close());
            }
        }
    })
    .await;
    (server, heard)
}

/// What the server has heard at last.
async fn last_of(heard: &Mutex<Vec<(u16, String)>>) -> (u16, String) {
    let waiting = async {
        loop {
            if let Some(last) = heard.lock().unwrap().last() {
                return last.clone();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap()
}

#[tokio::test]
async fn messages_are_whole_whatever_their_kind_size_and_fragments() {
    let long = "0123456789".repeat(20_000);
    let mut bytes = say("");
    bytes.extend(frame(FIN | BINARY, &[0, 255]));
    bytes.extend(frame(TEXT, "grü".as_bytes()));
    bytes.extend(frame(CONTINUATION, b""));
    bytes.extend(frame(FIN | PING, b"between"));
    // The first byte of a character of two.
    bytes.extend(frame(CONTINUATION, &[0xc3]));
    bytes.extend(frame(FIN | CONTINUATION, &[0xa4, b'!']));
    bytes.extend(say(&long));
    bytes.extend(frame(FIN | BINARY, &[7; 126]));
    bytes.extend(close(1000, ""));
    let (server, heard) = sending(bytes).await;
    let (_opened, notes) = open(&server).await;
    notes.until_closed().await;
    let expected = [
        text(""),
        SocketMessage::Binary(vec![0, 255].into()),
        text("grüä!"),
        text(&long),
        SocketMessage::Binary(vec![7; 126].into()),
    ];
    assert_eq!(notes.received(), expected);
    assert_eq!(last_of(&heard).await, (1000, String::new()));
}

#[tokio::test]
async fn a_ping_is_answered_with_its_content_even_within_a_message() {
    let server = socket_server(|mut peer| async move {
        peer.write(frame(TEXT, b"half")).await;
        peer.write(frame(FIN | PING, b"still there?")).await;
        let pong = peer.frame().await.unwrap();
        assert_eq!(pong.first_byte, FIN | PONG);
        peer.write(frame(FIN | CONTINUATION, &pong.payload)).await;
        peer.until_gone().await;
    })
    .await;
    let (_opened, notes) = open(&server).await;
    assert_eq!(notes.until_received(1).await, [text("halfstill there?")]);
}

/// Frames that a client must refuse if messages may have 1,000 bytes, by the reason.
fn illegal_frames() -> Vec<(&'static str, Vec<u8>, ClosedWhy)> {
    let header = |first: u8, length: u64| {
        let mut frame = vec![first, 127];
        frame.extend(length.to_be_bytes());
        frame
    };
    let two = |one: Vec<u8>, other: Vec<u8>| [one, other].concat();
    let masked = vec![FIN | TEXT, 0x80 | 1, 0, 0, 0, 0, b'a'];
    let bad_within = two(frame(TEXT, b"a\xc3"), frame(FIN | CONTINUATION, b"("));
    let cut_off = two(frame(TEXT, b"a"), frame(FIN | CONTINUATION, b"\xe2\x82"));
    let in_fragments = two(frame(TEXT, &[b'a'; 600]), frame(CONTINUATION, &[b'a'; 600]));
    vec![
        (
            "a length of 2^63",
            header(FIN | TEXT, 1 << 63),
            ClosedWhy::TooLarge,
        ),
        (
            "the longest length",
            header(FIN | BINARY, u64::MAX),
            ClosedWhy::TooLarge,
        ),
        (
            "a long message",
            say(&"a".repeat(1001)),
            ClosedWhy::TooLarge,
        ),
        ("long in fragments", in_fragments, ClosedWhy::TooLarge),
        (
            "a reserved bit",
            frame(FIN | 0x40 | TEXT, b"a"),
            ClosedWhy::Protocol,
        ),
        (
            "reserved bits of a ping",
            frame(FIN | 0x30 | PING, b""),
            ClosedWhy::Protocol,
        ),
        ("a masked frame", masked, ClosedWhy::Protocol),
        (
            "an unknown kind of data",
            frame(FIN | 0x3, b"a"),
            ClosedWhy::Protocol,
        ),
        (
            "an unknown kind of control",
            frame(FIN | 0xb, b"a"),
            ClosedWhy::Protocol,
        ),
        (
            "a ping in fragments",
            frame(PING, b"a"),
            ClosedWhy::Protocol,
        ),
        (
            "a long ping",
            frame(FIN | PING, &[0; 126]),
            ClosedWhy::Protocol,
        ),
        (
            "an end without a beginning",
            frame(FIN | CONTINUATION, b""),
            ClosedWhy::Protocol,
        ),
        (
            "a beginning in a message",
            two(frame(TEXT, b"a"), say("b")),
            ClosedWhy::Protocol,
        ),
        (
            "a close of one byte",
            frame(FIN | CLOSE, &[3]),
            ClosedWhy::Protocol,
        ),
        (
            "text that is none",
            frame(FIN | TEXT, &[0xff]),
            ClosedWhy::NotText,
        ),
        (
            "text that is none, over fragments",
            bad_within,
            ClosedWhy::NotText,
        ),
        ("text that breaks off", cut_off, ClosedWhy::NotText),
        (
            "a reason that is no text",
            frame(FIN | CLOSE, b"\x03\xe8\xff"),
            ClosedWhy::NotText,
        ),
    ]
}

#[tokio::test]
async fn an_illegal_frame_ends_the_socket_with_the_code_of_the_standard() {
    let small = FrameLimits {
        message: 1000,
        ..FrameLimits::default()
    };
    for (name, bytes, why) in illegal_frames() {
        let code = match why {
            ClosedWhy::Protocol => 1002,
            ClosedWhy::NotText => 1007,
            _ => 1009,
        };
        let (server, heard) = sending([say("before"), bytes].concat()).await;
        let notes = Notes::default();
        let asked = Opening {
            limits: small,
            ..opening(ws(&server))
        };
        let opened = open_with(&asked, notes.handler()).await;
        let closed = notes.until_closed().await;
        assert_eq!(
            (closed.by, closed.why),
            (ClosedBy::Us, why),
            "{name}: {closed}"
        );
        assert_eq!(closed.code, Some(code), "{name}");
        assert_eq!(notes.received(), [text("before")], "{name}");
        let failure = opened.socket.send(text("more")).await.unwrap_err();
        let SocketFailureKind::Closed(end) = failure.kind else {
            panic!("{name}: {failure}");
        };
        assert_eq!(*end, closed);
        assert_eq!(why.is_violation(), why != ClosedWhy::TooLarge);
        // The server hears why before the connection ends.
        assert_eq!(last_of(&heard).await.0, code, "{name}");
    }
}

#[tokio::test]
async fn the_code_of_the_target_is_told_as_it_was_sent() {
    let allowed = (1000..=1003)
        .chain(1007..=1013)
        .chain([3000, 3999, 4000, 4999]);
    let answered = allowed.map(|code| (code, code));
    // The answer is one of the library, which knows no 1014.
    let violations = [0, 999, 1004, 1005, 1006, 1014, 1015, 2000, 5000, u16::MAX];
    for (code, answer) in answered.chain(violations.map(|code| (code, 1002))) {
        let (server, heard) = sending([say("before"), close(code, "od\nd")].concat()).await;
        let (_opened, notes) = open(&server).await;
        let closed = notes.until_closed().await;
        assert_eq!((closed.by, closed.code), (ClosedBy::Target, Some(code)));
        assert_eq!(closed.why, ClosedWhy::CloseFrame);
        assert_eq!(closed.reason, "od d");
        drop(server);
        assert_eq!(last_of(&heard).await.0, answer);
    }
}

#[tokio::test]
async fn fragments_without_end_do_not_keep_the_socket_from_closing() {
    let server = socket_server(|mut peer| async move {
        peer.write(frame(TEXT, b"")).await;
        let endless = frame(CONTINUATION, b"").repeat(1000);
        while peer.write(&endless).await {}
    })
    .await;
    let (opened, notes) = open(&server).await;
    opened.socket.send(text("a")).await.unwrap();
    drop(opened);
    let closed = notes.until_closed().await;
    assert_eq!(closed.why, ClosedWhy::NoAnswer);
    assert_eq!(notes.received(), []);
}

#[tokio::test]
async fn a_flood_of_pings_hinders_neither_messages_nor_the_end() {
    let server = socket_server(|peer| async move {
        let flood = frame(FIN | PING, &[1; 125]).repeat(100);
        let (mut reading, mut writing) = tokio::io::split(peer.stream);
        let read = async { tokio::io::copy(&mut reading, &mut tokio::io::sink()).await };
        let write = async {
            use tokio::io::AsyncWriteExt;
            for _ in 0..200 {
                writing.write_all(&flood).await?;
            }
            writing.write_all(&say("at last")).await?;
            std::future::pending::<std::io::Result<()>>().await
        };
        tokio::select! { _ = read => {}, _ = write => {} }
    })
    .await;
    let (opened, notes) = open(&server).await;
    opened.socket.send(text("amid pings")).await.unwrap();
    assert_eq!(notes.until_received(1).await, [text("at last")]);
    drop(opened);
    notes.until_closed().await;
}

#[tokio::test]
async fn pings_of_a_server_that_reads_no_pongs_are_ignored_at_last_and_messages_are_not() {
    let server = socket_server(|mut peer| async move {
        let flood = frame(FIN | PING, &[1; 125]).repeat(100);
        // Far more than the buffers of both kernels hold of the answers, which nobody reads.
        for _ in 0..2000 {
            peer.write(&flood).await;
        }
        peer.write(say("still read")).await;
        peer.ignore().await;
    })
    .await;
    let limits = FrameLimits {
        waiting: 1000,
        ..FrameLimits::default()
    };
    let notes = Notes::default();
    let asked = Opening {
        limits,
        ..opening(ws(&server))
    };
    let _opened = open_with(&asked, notes.handler()).await;
    assert_eq!(notes.until_received(1).await, [text("still read")]);
}

#[tokio::test]
async fn a_slow_handler_loses_nothing() {
    let server = socket_server(|mut peer| async move {
        for number in 0..200 {
            peer.write(say(&number.to_string())).await;
        }
        peer.write(close(1000, "")).await;
        peer.until_gone().await;
    })
    .await;
    let notes = Notes::default();
    let slow = notes.replying(|_| {
        std::thread::sleep(Duration::from_micros(500));
        Vec::new()
    });
    let _opened = open_with(&opening(ws(&server)), slow).await;
    notes.until_closed().await;
    let expected: Vec<_> = (0..200).map(|number| text(&number.to_string())).collect();
    assert_eq!(notes.received(), expected);
}

/// Bytes that are frames almost, or not at all.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let valid = (any::<u8>(), prop::collection::vec(any::<u8>(), 0..200))
        .prop_map(|(first, payload)| frame(first, &payload));
    let likely = prop::sample::select(vec![
        say("text"),
        frame(TEXT, b"begun"),
        frame(CONTINUATION, b"\xc3"),
        frame(FIN | CONTINUATION, b"ended"),
        frame(FIN | PING, b"ping"),
        frame(FIN | PONG, b"pong"),
        vec![
            FIN | TEXT,
            127,
            0x7f,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
        ],
        vec![FIN | BINARY, 126, 0xff, 0xff],
        close(1000, "done"),
        frame(FIN | CLOSE, b""),
    ]);
    let noise = prop::collection::vec(any::<u8>(), 0..40);
    let part = prop_oneof![2 => valid, 4 => likely, 1 => noise];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever a server sends, in whatever pieces, and whether it closes or breaks the connection then.
    #[test]
    fn no_bytes_of_a_server_keep_a_socket_from_its_end(
        bytes in frames(),
        piece in 1_usize..400,
        resets in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Server::start(move |mut peer| {
                let bytes = bytes.clone();
                async move {
                    if !switch(&mut peer, "").await {
                        return;
                    }
                    for piece in bytes.chunks(piece) {
                        peer.write(piece).await;
                        tokio::task::yield_now().await;
                    }
                    if resets {
                        peer.reset();
                    }
                }
            }).await;
            let notes = Notes::default();
            let echo = notes.replying(|message| vec![message.clone()]);
            let client = client();
            let opening = opening(ws(&server));
            let opened = client.open(&opening, Box::new(echo), &OnWire::default()).await.unwrap();
            notes.until_closed().await;
            let ends = notes.all().into_iter().filter(|told| matches!(told, Told::Closed(_)));
            assert_eq!(ends.count(), 1);
            assert!(opened.socket.send(text("more")).await.is_err());
            assert_eq!(client.all_closed(PATIENCE).await, 0);
        });
    }
}
