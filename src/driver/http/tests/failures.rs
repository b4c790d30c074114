use std::future::pending;

use tokio::net::TcpListener;

use super::{
    server::{OK, Server},
    *,
};

async fn fail(request: HttpRequest) -> HttpFailure {
    let before = Instant::now();
    let failure = driver().send(request).await.unwrap_err();
    assert!(failure.sent_at >= before);
    assert!(!failure.detail.is_empty());
    assert!(!failure.detail.contains(char::is_control), "{failure}");
    assert!(!failure.detail.contains("s3cret"), "{failure}");
    assert!(!failure.detail.contains("?token"), "{failure}");
    failure
}

/// What a client gets whose requests are all answered with these bytes, and then a close.
async fn answered(answer: impl Into<Vec<u8>>) -> HttpFailure {
    let answer = answer.into();
    let server = Server::start(move |mut peer| {
        let answer = answer.clone();
        async move {
            peer.request().await;
            peer.write(answer).await;
        }
    })
    .await;
    let failure = fail(get(server.url("/?token=s3cret"))).await;
    assert_eq!(server.arrivals().len(), 1, "{failure}");
    failure
}

#[tokio::test]
async fn an_unknown_host_is_a_dns_failure() {
    let failure = fail(get("http://user:s3cret@no-such-host.invalid/?token=s3cret")).await;
    assert_eq!(failure.kind, HttpFailureKind::Dns);
    assert!(
        failure.detail.contains("`no-such-host.invalid`"),
        "{failure}"
    );
    assert!(
        failure.detail.starts_with("no-such-host.invalid:80: "),
        "{failure}"
    );
}

#[tokio::test]
async fn a_closed_port_is_a_connect_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://user:s3cret@{host}:{port}/?token=s3cret");
        let failure = fail(get(url)).await;
        assert_eq!(failure.kind, HttpFailureKind::Connect);
        assert!(failure.detail.contains("refused"), "{failure}");
        let at = format!("{host}:{port}: ");
        assert!(failure.detail.starts_with(&at), "{failure}");
    }
}

#[tokio::test]
async fn a_silent_server_is_a_timeout() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        pending::<()>().await;
    })
    .await;
    let mut request = get(server.url("/?token=s3cret"));
    request.timeout = Duration::from_millis(50);
    let failure = fail(request).await;
    assert_eq!(failure.kind, HttpFailureKind::Timeout);
    assert!(failure.sent_at.elapsed() >= Duration::from_millis(50));
    let host = server.url("");
    let host = host.trim_start_matches("http://").trim_end_matches('/');
    assert_eq!(
        failure.detail,
        format!("{host}: no complete answer within 50 ms")
    );
}

#[tokio::test]
async fn the_timeout_covers_the_body() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
            .await;
        pending::<()>().await;
    })
    .await;
    let mut request = get(server.url("/"));
    request.timeout = Duration::from_millis(50);
    assert_eq!(fail(request).await.kind, HttpFailureKind::Timeout);
}

#[tokio::test]
async fn the_longest_timeout_is_no_problem() {
    let server = Server::start(|mut peer| async move { peer.answer(1).await }).await;
    let mut request = get(server.url("/"));
    request.timeout = Duration::MAX;
    assert_eq!(driver().send(request).await.unwrap().status, 200);
}

#[tokio::test]
async fn an_endless_head_is_too_large() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        peer.write("HTTP/1.1 200 OK\r\nx-endless: ").await;
        let filler = "x".repeat(65536);
        while peer.write(&filler).await {}
    })
    .await;
    let failure = fail(get(server.url("/"))).await;
    assert_eq!(failure.kind, HttpFailureKind::AnswerTooLarge);
}

#[tokio::test]
async fn a_wrong_content_length_is_a_connect_failure() {
    let claims = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\nshort",
        u64::MAX / 2
    );
    assert_eq!(answered(claims).await.kind, HttpFailureKind::Connect);
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_a_connect_failure() {
    let failure = answered("SSH-2.0-OpenSSH_9.6\r\n").await;
    assert_eq!(failure.kind, HttpFailureKind::Connect);
}

#[tokio::test]
async fn what_cannot_be_sent_is_a_bad_request() {
    for url in [
        "ht!tp://s3cret/",
        "/s3cret",
        "",
        "http://",
        "http://[::s3cret]/",
        "http://host:99999/?token=s3cret",
        "ftp://host/?token=s3cret",
    ] {
        let failure = fail(get(url)).await;
        assert_eq!(
            failure.kind,
            HttpFailureKind::BadRequest,
            "{url}: {failure}"
        );
    }
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_a_bad_request() {
    let server = Server::start(|mut peer| async move { peer.answer(1).await }).await;
    let cases = [
        (
            pair("X-Token", "s3cret\r\nX-Other: 1"),
            "the value of header `x-token`",
        ),
        (pair("Authorization: s3cret", ""), "the name of header 2"),
        (pair("", "s3cret"), "the name of header 2"),
    ];
    for (header, expected) in cases {
        let mut request = get(server.url("/"));
        request.headers = vec![pair("Accept", "*/*"), header];
        let failure = fail(request).await;
        assert_eq!(failure.kind, HttpFailureKind::BadRequest);
        assert!(failure.detail.contains(expected), "{failure}");
    }
    assert!(server.arrivals().is_empty());
}

#[tokio::test]
async fn a_failure_is_an_error_of_one_line() {
    let failure: Box<dyn std::error::Error + Send + Sync> = fail(get("nonsense")).await.into();
    let expected = "bad request: the URL is not valid: relative URL without a base";
    assert_eq!(failure.to_string(), expected);
}

#[tokio::test]
async fn a_driver_survives_its_failures() {
    let server = Server::start(|mut peer| async move {
        if peer.connection == 0 {
            peer.request().await;
            peer.reset();
        } else {
            peer.answer(1).await;
        }
    })
    .await;
    let driver = driver();
    let failure = driver.send(get(server.url("/"))).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Connect);
    let answer = driver.send(get(server.url("/"))).await.unwrap();
    assert_eq!(answer.body, OK[OK.len() - 2..]);
}
