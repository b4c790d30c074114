use std::sync::Arc;

use tokio::{net::TcpStream, sync::Barrier};

use super::{
    server::{OK, Peer, Server},
    *,
};

fn message(server: &Server, path: &str) -> HttpRequest {
    post(server.url(path), HttpBody::Json("{\"text\":\"hi\"}".into()))
}

fn seen(arrivals: &[(usize, &str)]) -> Vec<(usize, String)> {
    let owned = arrivals
        .iter()
        .map(|(n, target)| (*n, (*target).to_owned()));
    owned.collect()
}

/// Connection 0 answers one request and does this with the second; later ones answer all.
async fn second_request<F: Future<Output = ()> + Send + 'static>(
    meets: impl Fn(Peer<TcpStream>) -> F + Copy + Send + Sync + 'static,
) -> Server {
    Server::start(move |mut peer| async move {
        if peer.connection == 0 {
            peer.answer(1).await;
            peer.request().await;
            meets(peer).await;
        } else {
            peer.answer(usize::MAX).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_request_that_meets_a_closing_idle_connection_is_sent_once_more() {
    let closing = second_request(|peer| async { drop(peer) }).await;
    let resetting = second_request(|peer| async { peer.reset() }).await;
    for server in [closing, resetting] {
        let driver = driver();
        let first = driver.send(message(&server, "/1")).await.unwrap();
        assert_eq!(first.resent, 0);
        let before = Instant::now();
        let second = driver.send(message(&server, "/2")).await.unwrap();
        assert_eq!(second.resent, 1);
        assert_eq!(second.body, "ok");
        assert!(second.sent_at >= before);
        assert!(second.elapsed <= before.elapsed());
        assert_eq!(server.arrivals(), seen(&[(0, "/1"), (0, "/2"), (1, "/2")]));
    }
}

#[tokio::test]
async fn the_resend_goes_past_all_idle_connections() {
    let both_open = Arc::new(Barrier::new(2));
    let server = Server::start(move |mut peer| {
        let both_open = Arc::clone(&both_open);
        async move {
            peer.request().await;
            if peer.connection < 2 {
                both_open.wait().await;
                peer.write(OK).await;
                peer.request().await;
            } else {
                peer.write(OK).await;
            }
        }
    })
    .await;
    let driver = driver();
    let (one, two) = tokio::join!(
        driver.send(message(&server, "/open")),
        driver.send(message(&server, "/open"))
    );
    assert_eq!((one.unwrap().resent, two.unwrap().resent), (0, 0));
    let third = driver.send(message(&server, "/3")).await.unwrap();
    assert_eq!(third.resent, 1);
    let arrivals = server.arrivals();
    let third: Vec<usize> = arrivals.iter().skip(2).map(|(n, _)| *n).collect();
    assert!(matches!(third[..], [0 | 1, 2]), "{arrivals:?}");
}

#[tokio::test]
async fn a_fresh_connection_that_closes_is_a_failure() {
    let closing = Server::start(|mut peer| async move {
        peer.request().await;
    })
    .await;
    let resetting = Server::start(|mut peer| async move {
        peer.request().await;
        peer.reset();
    })
    .await;
    for server in [closing, resetting] {
        let failure = driver().send(message(&server, "/1")).await.unwrap_err();
        assert_eq!(failure.kind, HttpFailureKind::Connect);
        assert_eq!(server.arrivals(), seen(&[(0, "/1")]));
    }
}

#[tokio::test]
async fn a_fresh_connection_beside_busy_ones_is_fresh() {
    let server = Server::start(|mut peer| async move {
        match peer.connection {
            0 => {
                peer.request().await;
                std::future::pending::<()>().await;
            }
            _ => peer.reset(),
        }
    })
    .await;
    let driver = driver();
    let mut slow = std::pin::pin!(driver.send(message(&server, "/slow")));
    while server.arrivals().is_empty() {
        tokio::select! {
            _ = &mut slow => panic!("never answered"),
            () = tokio::task::yield_now() => {}
        }
    }
    let failure = driver.send(message(&server, "/2")).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Connect);
    assert!(!failure.detail.contains("sent again"), "{failure}");
}

#[tokio::test]
async fn a_resend_that_fails_is_not_sent_a_third_time() {
    let server = Server::start(|mut peer| async move {
        if peer.connection == 0 {
            peer.answer(1).await;
        }
        peer.request().await;
    })
    .await;
    let driver = driver();
    driver.send(message(&server, "/1")).await.unwrap();
    let failure = driver.send(message(&server, "/2")).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Connect);
    assert!(failure.detail.contains(": sent again"), "{failure}");
    assert_eq!(server.arrivals(), seen(&[(0, "/1"), (0, "/2"), (1, "/2")]));
}

#[tokio::test]
async fn a_close_after_part_of_an_answer_is_a_failure() {
    const PART: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
    let closing = second_request(|mut peer| async move {
        peer.write(PART).await;
    })
    .await;
    let resetting = second_request(|mut peer| async move {
        peer.write(PART).await;
        peer.reset();
    })
    .await;
    for server in [closing, resetting] {
        let driver = driver();
        driver.send(message(&server, "/1")).await.unwrap();
        let failure = driver.send(message(&server, "/2")).await.unwrap_err();
        assert_eq!(failure.kind, HttpFailureKind::Connect);
        assert_eq!(server.arrivals()[1..], seen(&[(0, "/2")]));
    }
}

#[tokio::test]
async fn a_close_after_part_of_a_head_is_a_failure_whatever_the_method() {
    let server = second_request(|mut peer| async move {
        peer.write("HTTP/1.1 200 OK\r\nx-part: ").await;
    })
    .await;
    let driver = driver();
    driver.send(message(&server, "/1")).await.unwrap();
    let failure = driver.send(get(server.url("/2"))).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Connect);
    assert_eq!(server.arrivals()[1..], seen(&[(0, "/2")]));
}

/// A server that takes the second request and closes after a while.
async fn taking_and_closing(reset: bool) -> Server {
    second_request(move |peer| async move {
        tokio::time::sleep(Duration::from_millis(150)).await;
        if reset {
            peer.reset();
        }
    })
    .await
}

#[tokio::test]
async fn a_request_that_the_server_may_have_acted_on_is_not_sent_again() {
    for (method, reset) in [
        (Method::POST, true),
        (Method::POST, false),
        (Method::PATCH, true),
        (Method::from_bytes(b"SEND").unwrap(), false),
    ] {
        let server = taking_and_closing(reset).await;
        let driver = driver();
        driver.send(message(&server, "/1")).await.unwrap();
        let mut request = message(&server, "/2");
        request.method = method.clone();
        let mut customer = driver.session();
        let failure = customer.send(&request).await.unwrap_err();
        assert_eq!(failure.kind, HttpFailureKind::Connect, "{method}");
        assert_eq!(customer.take_resent(), 0);
        assert!(failure.detail.contains("not sent twice"), "{failure}");
        assert_eq!(server.arrivals(), seen(&[(0, "/1"), (0, "/2")]));
    }
}

#[tokio::test]
async fn an_idempotent_request_is_sent_again_however_late_the_close() {
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
        let server = taking_and_closing(true).await;
        let driver = driver();
        driver.send(message(&server, "/1")).await.unwrap();
        let mut request = get(server.url("/2"));
        request.method = method.clone();
        let mut customer = driver.session();
        // The answer to HEAD has a body here, which closes that connection.
        assert_eq!(customer.send(&request).await.unwrap().status, 200);
        assert_eq!(customer.take_resent(), 1, "{method}");
        assert_eq!(server.arrivals(), seen(&[(0, "/1"), (0, "/2"), (1, "/2")]));
    }
}

#[tokio::test]
async fn the_timeout_covers_the_resend() {
    let server = Server::start(|mut peer| async move {
        if peer.connection == 0 {
            peer.answer(1).await;
            peer.request().await;
        } else {
            peer.request().await;
            std::future::pending::<()>().await;
        }
    })
    .await;
    let driver = driver();
    driver.send(message(&server, "/1")).await.unwrap();
    let mut request = message(&server, "/2");
    request.timeout = Duration::from_millis(100);
    let mut customer = driver.session();
    let failure = customer.send(&request).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Timeout);
    assert_eq!(server.arrivals(), seen(&[(0, "/1"), (0, "/2"), (1, "/2")]));
    // It was given up, and was sent twice all the same.
    assert_eq!((customer.take_resent(), customer.take_resent()), (1, 0));
}

/// The close races with the next request, so every order of the two is met.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_closes_after_every_answer_is_no_failure() {
    let server = Server::start(|mut peer| async move { peer.answer(1).await }).await;
    let driver = driver();
    for _ in 0..500 {
        let answer = driver.send(message(&server, "/")).await.unwrap();
        assert_eq!(answer.body, "ok");
    }
    // A request that met the close never arrived, so none is there twice.
    assert_eq!(server.arrivals().len(), 500);
}
