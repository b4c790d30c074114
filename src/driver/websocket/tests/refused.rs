//! Sockets that are not opened.

use super::{server::switching, *};
use crate::{
    body::KEPT_BYTES,
    driver::{http::tests::connected, transport::MAX_BYTES},
};

/// Opens a socket that is not opened.
async fn refused(opening: &Opening) -> (SocketFailure, Notes) {
    let notes = Notes::default();
    let handler = Box::new(notes.handler());
    let failure = client().open(opening, handler, &OnWire::default()).await;
    (failure.unwrap_err(), notes)
}

/// A server that answers every request with this.
async fn answering(answer: &'static str) -> Server {
    Server::start(move |mut peer| async move {
        peer.request().await;
        peer.write(answer).await;
    })
    .await
}

#[tokio::test]
async fn another_status_is_a_failure_with_the_answer_and_no_redirect_is_followed() {
    for (answer, status, body) in [
        (
            "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n",
            302,
            "",
        ),
        (
            "HTTP/1.1 401 Unauthorized\r\nset-cookie: a=b\r\ncontent-length: 5\r\n\r\nlogin",
            401,
            "login",
        ),
        ("HTTP/1.1 400 Bad Request\r\n\r\nno key", 400, "no key"),
        (
            "HTTP/1.1 503 Unavailable\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfull\r\n0\r\n\r\n",
            503,
            "full",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
            200,
            "short",
        ),
    ] {
        let server = answering(answer).await;
        let asked = Opening {
            cookies: Some(Arc::default()),
            ..opening(ws(&server))
        };
        let (failure, notes) = refused(&asked).await;
        let SocketFailureKind::Status(answer) = &failure.kind else {
            panic!("{failure}");
        };
        assert_eq!(answer.status, status);
        assert_eq!(answer.body.as_whole().unwrap(), body.as_bytes());
        let kept = answer.cookies.as_ref().unwrap().by_name().len();
        assert_eq!(kept, usize::from(status == 401));
        assert!(failure.detail.contains(&status.to_string()), "{failure}");
        assert!(failure.detail.starts_with("127.0.0.1:"), "{failure}");
        assert_eq!(server.arrivals().len(), 1, "{failure}");
        assert_eq!(notes.all(), [], "a refused opening calls no handler");
    }
}

#[tokio::test]
async fn of_the_endless_body_of_a_refusal_the_beginning_is_read() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        peer.write("HTTP/1.1 500 Broken\r\n\r\n").await;
        while peer.write([b'x'; 4096]).await {}
    })
    .await;
    let (failure, _) = refused(&opening(ws(&server))).await;
    let SocketFailureKind::Status(answer) = failure.kind else {
        panic!("{failure}");
    };
    assert_eq!(answer.status, 500);
    assert!(answer.body.as_whole().is_none());
    // No more than one piece beyond what is kept.
    let most = u64::try_from(KEPT_BYTES + MAX_BYTES).unwrap();
    assert!(answer.body.length() <= most, "{}", answer.body.length());
}

/// A server that says only half of why it refuses its first socket, and opens the others.
async fn half_refusing() -> Server {
    Server::start(|mut peer| async move {
        if peer.connection > 0 {
            switch(&mut peer, "").await;
            peer.echo().await;
            return;
        }
        peer.request().await;
        peer.write("HTTP/1.1 503 Unavailable\r\ncontent-length: 9\r\n\r\nfull")
            .await;
        peer.ignore().await;
    })
    .await
}

#[tokio::test]
async fn the_status_of_a_refusal_is_told_though_its_body_stalls() {
    for patience in [PATIENCE, Duration::from_millis(500)] {
        let server = half_refusing().await;
        let asked = Opening {
            timeout: patience,
            ..opening(ws(&server))
        };
        let (failure, _) = refused(&asked).await;
        let SocketFailureKind::Status(answer) = &failure.kind else {
            panic!("{failure}");
        };
        assert_eq!(answer.status, 503);
        assert_eq!(answer.body.as_whole().unwrap(), &b"full"[..]);
        assert!(failure.sent_at.elapsed() < PATIENCE);
    }
}

#[tokio::test]
async fn the_next_socket_is_opened_while_the_body_of_a_refusal_is_read() {
    let server = half_refusing().await;
    driver();
    let http = crate::driver::HttpDriver::new().unwrap();
    let client = WebSocketClient::beside(&http.client(&connected("{ most: 1, opening: 1 }")));
    let asked = opening(ws(&server));
    let open = || async {
        let handler = Box::new(Notes::default().handler());
        let opened = client.open(&asked, handler, &OnWire::default()).await;
        (opened.is_ok(), Instant::now())
    };
    let ((refused, refused_at), (opened, opened_at)) = tokio::join!(open(), open());
    assert!(!refused && opened);
    assert!(opened_at < refused_at);
}

#[tokio::test]
async fn a_101_that_is_not_the_answer_to_the_request_is_a_handshake_failure() {
    for (spoilt, instead, says) in [
        ("Accept: ", "Accept: x", "Sec-WebSocket-Accept"),
        (
            "Sec-WebSocket-Accept: ",
            "X-Accept: ",
            "Sec-WebSocket-Accept",
        ),
        ("Upgrade: WebSocket", "Upgrade: h2c", "Upgrade: websocket"),
        (
            "Connection: Upgrade",
            "Connection: close",
            "Connection: Upgrade",
        ),
        (
            "Connection: Upgrade",
            "Sec-WebSocket-Extensions: permessage-deflate\r\nConnection: Upgrade",
            "extension",
        ),
        (
            "Connection: Upgrade",
            "Sec-WebSocket-Protocol: other\r\nConnection: Upgrade",
            "subprotocol",
        ),
        (
            "Connection: Upgrade",
            "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\nConnection: Upgrade",
            "subprotocol",
        ),
    ] {
        let server = Server::start(move |mut peer| async move {
            let request = peer.request().await.unwrap();
            let answer = switching(&request, "").replace(spoilt, instead);
            peer.write(answer).await;
            peer.until_gone().await;
        })
        .await;
        let asked = Opening {
            protocols: vec!["chat".to_owned()],
            ..opening(ws(&server))
        };
        let (failure, notes) = refused(&asked).await;
        let SocketFailureKind::Handshake(answer) = &failure.kind else {
            panic!("{instead}: {failure}");
        };
        assert_eq!(answer.status, 101);
        assert!(failure.detail.contains(says), "{failure}");
        assert_eq!(notes.all(), []);
    }
}

#[tokio::test]
async fn a_server_that_is_no_server_of_sockets_is_a_connect_failure() {
    for answer in ["", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 101 Switching"] {
        let server = answering(answer).await;
        let (failure, _) = refused(&opening(ws(&server))).await;
        assert!(
            matches!(failure.kind, SocketFailureKind::Connect),
            "{failure}"
        );
    }
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        peer.reset();
    })
    .await;
    let (failure, _) = refused(&opening(ws(&server))).await;
    assert!(
        matches!(failure.kind, SocketFailureKind::Connect),
        "{failure}"
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_a_timeout_and_may_have_seen_the_request() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        peer.ignore().await;
    })
    .await;
    let asked = Opening {
        timeout: Duration::from_millis(50),
        ..opening(ws(&server))
    };
    let on_wire = OnWire::default();
    let handler = Box::new(Notes::default().handler());
    let failure = client().open(&asked, handler, &on_wire).await.unwrap_err();
    assert!(
        matches!(failure.kind, SocketFailureKind::Timeout),
        "{failure}"
    );
    assert!(on_wire.is_set());
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_anything_is_and_quotes_nothing() {
    let asked = opening("ws://127.0.0.1:1/s3cret");
    let with_header = |name: &str, value: &str| Opening {
        headers: vec![(name.to_owned(), value.to_owned())],
        ..asked.clone()
    };
    for wrong in [
        opening("ftp://127.0.0.1:1/s3cret"),
        opening("s3cret"),
        with_header("Sec-WebSocket-Key", "s3cret"),
        with_header("sec-websocket-protocol", "s3cret"),
        with_header("Upgrade", "s3cret"),
        with_header("s3cret: a", "b"),
        with_header("a", "s3cret\n"),
        Opening {
            protocols: vec!["s3cret ".to_owned()],
            ..asked.clone()
        },
    ] {
        let on_wire = OnWire::default();
        let handler = Box::new(Notes::default().handler());
        let failure = client().open(&wrong, handler, &on_wire).await.unwrap_err();
        assert!(
            matches!(failure.kind, SocketFailureKind::BadRequest),
            "{failure}"
        );
        assert!(!failure.to_string().contains("s3cret"), "{failure}");
        assert!(!on_wire.is_set());
    }
}
