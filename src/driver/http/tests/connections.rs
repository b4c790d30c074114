use std::{
    future::pending,
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::{Notify, mpsc},
    task::JoinSet,
};

use super::{
    server::{OK, Server},
    *,
};
use crate::descriptors::Reclaim as _;

fn client(connections: &str) -> HttpClient {
    driver();
    HttpDriver::new().unwrap().client(&connected(connections))
}

pub(super) fn at_most(most: usize) -> HttpClient {
    client(&format!("{{ most: {most} }}"))
}

async fn answering() -> Server {
    Server::start(|mut peer| async move { peer.answer(usize::MAX).await }).await
}

fn within(milliseconds: u64, mut request: HttpRequest) -> HttpRequest {
    request.timeout = Duration::from_millis(milliseconds);
    request
}

#[tokio::test]
async fn no_more_connections_are_open_than_allowed_and_everybody_is_served() {
    let open = Arc::new(AtomicUsize::new(0));
    let counted = open.clone();
    let server = Server::start(move |mut peer| {
        let open = counted.clone();
        async move {
            assert!(open.fetch_add(1, Ordering::SeqCst) < 3);
            peer.answer(usize::MAX).await;
            open.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await;
    let client = at_most(3);
    let mut sends = JoinSet::new();
    for n in 0..100 {
        let (client, url) = (client.clone(), server.url(&format!("/{n}")));
        sends.spawn(async move { client.send(get(url)).await.unwrap() });
    }
    assert_eq!(sends.join_all().await.len(), 100);
    assert_eq!(server.arrivals().len(), 100);
    assert!(
        server
            .arrivals()
            .iter()
            .all(|(connection, _)| *connection < 3)
    );
}

#[tokio::test]
async fn who_waits_for_a_connection_is_served_in_order() {
    let server = answering().await;
    let client = at_most(1);
    let sends = (0..10).map(|n| client.send(get(server.url(&format!("/{n}")))));
    futures_util::future::join_all(sends).await;
    let expected: Vec<_> = (0..10).map(|n| (0, format!("/{n}"))).collect();
    assert_eq!(server.arrivals(), expected);
}

#[tokio::test]
async fn a_wait_that_was_too_long_says_so_and_loses_nothing() {
    let go_on = Arc::new(Notify::new());
    let told = go_on.clone();
    let server = Server::start(move |mut peer| {
        let go_on = told.clone();
        async move {
            peer.request().await;
            go_on.notified().await;
            peer.write(OK).await;
            peer.answer(usize::MAX).await;
        }
    })
    .await;
    let client = at_most(1);
    let slow = client.send(get(server.url("/slow")));
    let others = async {
        while server.arrivals().is_empty() {
            tokio::task::yield_now().await;
        }
        let mut gave_up = JoinSet::new();
        for _ in 0..20 {
            let (client, request) = (client.clone(), within(20, get(server.url("/never"))));
            gave_up.spawn(async move { client.send(request).await.unwrap_err() });
        }
        let failures = gave_up.join_all().await;
        go_on.notify_one();
        failures
    };
    let (slow, failures) = tokio::join!(slow, others);
    assert_eq!(slow.unwrap().status, 200);
    for failure in failures {
        assert_eq!(failure.kind, HttpFailureKind::Timeout);
        let expected = "no connection was free for 20 ms: all 1 to this server are in use; \
                        `connections` of the target allows more";
        assert!(failure.detail.ends_with(expected), "{failure}");
        assert!(failure.waited >= Duration::from_millis(20));
    }
    client.send(get(server.url("/next"))).await.unwrap();
    let expected = [(0, "/slow"), (0, "/next")].map(|(n, t)| (n, t.to_owned()));
    assert_eq!(server.arrivals(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_given_up_at_any_moment_cost_no_place() {
    let server = answering().await;
    let client = at_most(4);
    for _ in 0..10 {
        let mut sends = JoinSet::new();
        for n in 0..100 {
            let (client, mut request) = (client.clone(), get(server.url("/")));
            request.timeout = Duration::from_micros(fastrand::u64(0..3_000));
            sends.spawn(async move {
                let failed = client.send(request).await.err();
                let in_time = [HttpFailureKind::Timeout, HttpFailureKind::Connect];
                assert!(
                    failed.is_none_or(|failure| in_time.contains(&failure.kind)),
                    "{n}"
                );
            });
        }
        sends.join_all().await;
    }
    // As many as there are places, all at once.
    let all = (0..4).map(|_| client.send(get(server.url("/last"))));
    let all = futures_util::future::join_all(all).await;
    assert!(all.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_server_that_opens_no_connection_is_to_blame_for_the_wait() {
    // It accepts, and leaves the handshake of TLS unanswered.
    let server = Server::start(|peer| async move {
        let _held = peer;
        pending::<()>().await;
    })
    .await;
    let client = driver();
    let url = format!("https://127.0.0.1:{}/", server.port);
    let (mut first, asked) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for _ in 0..256 {
        let (client, asked) = (client.clone(), asked.clone());
        let request = within(10_000, get(url.as_str()));
        first.spawn(async move {
            asked.fetch_add(1, Ordering::SeqCst);
            client.send(request).await
        });
    }
    while asked.load(Ordering::SeqCst) < 256 {
        tokio::task::yield_now().await;
    }
    let failure = client
        .send(within(50, get(url.as_str())))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Connect);
    assert!(
        failure
            .detail
            .contains("256 to this server are being opened"),
        "{failure}"
    );
}

#[tokio::test]
async fn each_customer_may_have_a_connection_of_its_own() {
    let server = answering().await;
    let client = client("{ per_customer: true }");
    let (mut one, mut two) = (client.session(), client.session());
    for _ in 0..3 {
        one.send(&get(server.url("/one"))).await.unwrap();
        two.send(&get(server.url("/two"))).await.unwrap();
    }
    let expected = ["/one", "/two"].map(str::to_owned);
    for (connection, path) in server.arrivals() {
        assert_eq!(path, expected[connection]);
    }
    assert_eq!(server.arrivals().len(), 6);
}

#[tokio::test]
async fn the_connection_of_a_customer_ends_with_it() {
    let (ended, mut end) = mpsc::unbounded_channel();
    let server = Server::start(move |mut peer| {
        let ended = ended.clone();
        async move {
            peer.answer(usize::MAX).await;
            ended.send(peer.connection).unwrap();
        }
    })
    .await;
    let client = client("{ per_customer: true }");
    let mut customer = client.session();
    customer.send(&get(server.url("/"))).await.unwrap();
    assert!(end.try_recv().is_err());
    drop(customer);
    assert_eq!(end.recv().await, Some(0));
}

/// The local addresses of so many connections, each with one request.
async fn seen_from(from: &[&str], connections: usize) -> Vec<IpAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = client(&format!(
        "{{ per_customer: true, from: [{}] }}",
        from.join(", ")
    ));
    let mut seen = Vec::new();
    for _ in 0..connections {
        let request = get(format!("http://127.0.0.1:{port}/"));
        let answered = async {
            let (mut stream, peer): (_, SocketAddr) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            stream.write_all(OK.as_bytes()).await.unwrap();
            peer.ip()
        };
        let (answer, peer) = tokio::join!(client.send(request), answered);
        answer.unwrap();
        seen.push(peer);
    }
    seen
}

#[tokio::test]
async fn connections_leave_from_the_addresses_in_turn() {
    let expected =
        ["127.0.0.2", "127.0.0.3", "127.0.0.2"].map(|text| text.parse::<IpAddr>().unwrap());
    assert_eq!(seen_from(&["127.0.0.2", "127.0.0.3"], 3).await, expected);
    let usual: IpAddr = "127.0.0.1".parse().unwrap();
    assert_eq!(seen_from(&[], 1).await, [usual]);
}

#[tokio::test]
async fn an_address_that_this_machine_does_not_have_is_its_own_fault() {
    let client = client("{ from: [192.0.2.1] }");
    let failure = client.send(get("http://127.0.0.1:9/")).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Exhausted, "{failure}");
}

#[tokio::test(start_paused = true)]
async fn what_was_idle_for_long_is_closed() {
    let server = answering().await;
    driver();
    let driver = HttpDriver::new().unwrap();
    let client = driver.common_client(&Endpoint::default());
    client.send(get(server.url("/1"))).await.unwrap();
    tokio::time::advance(Duration::from_secs(29)).await;
    driver.close_expired();
    client.send(get(server.url("/2"))).await.unwrap();
    tokio::time::advance(Duration::from_secs(31)).await;
    driver.close_expired();
    assert!(lock(&client.0.pools).is_empty());
    client.send(get(server.url("/3"))).await.unwrap();
    let expected = [(0, "/1"), (0, "/2"), (1, "/3")].map(|(n, t)| (n, t.to_owned()));
    assert_eq!(server.arrivals(), expected);
}

#[tokio::test]
async fn an_idle_connection_can_be_given_up_for_another_server_and_one_in_use_cannot() {
    let closed = Arc::new(Notify::new());
    let told = closed.clone();
    let server = Server::start(move |mut peer| {
        let closed = told.clone();
        async move {
            peer.answer(1).await;
            assert_eq!(peer.stream.read(&mut [0]).await.unwrap(), 0);
            closed.notify_one();
        }
    })
    .await;
    let client = client("{ most: 1 }");
    client.send(get(server.url("/1"))).await.unwrap();
    let pool = lock(&client.0.pools).values().next().unwrap().clone();
    assert!(pool.idle_since().is_some());
    assert!(pool.close_idle());
    closed.notified().await;
    assert_eq!(pool.idle_since(), None);
    assert!(!pool.close_idle());
    // Its place is free for another connection.
    client.send(get(server.url("/2"))).await.unwrap();
    let expected = [(0, "/1"), (1, "/2")].map(|(n, t)| (n, t.to_owned()));
    assert_eq!(server.arrivals(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_old_takes_no_further_request() {
    let server = answering().await;
    let client = client("{ max_age: 10s }");
    for (path, seconds) in [("/1", 7), ("/2", 4), ("/3", 0), ("/4", 0)] {
        client.send(get(server.url(path))).await.unwrap();
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }
    let expected = [(0, "/1"), (0, "/2"), (1, "/3"), (1, "/4")].map(|(n, t)| (n, t.to_owned()));
    assert_eq!(server.arrivals(), expected);
}

#[tokio::test]
async fn a_connection_that_is_never_idle_grows_old_too() {
    let server = answering().await;
    let client = client("{ most: 1, max_age: 20ms }");
    let began = Instant::now();
    let mut sends = JoinSet::new();
    // Somebody always waits for the only connection.
    for _ in 0..4 {
        let (client, url) = (client.clone(), server.url("/"));
        sends.spawn(async move {
            while began.elapsed() < Duration::from_millis(200) {
                let answer = client.send(get(url.as_str())).await.unwrap();
                assert_eq!(answer.resent, 0);
            }
        });
    }
    sends.join_all().await;
    let last = server.arrivals().last().unwrap().0;
    assert!(last >= 4, "{last}");
}

#[tokio::test]
async fn there_is_an_end_to_the_servers_that_one_client_talks_to() {
    let client = driver();
    let to = |n: usize| client.pool_to(&format!("http://host-{n}"));
    // Those that nobody uses any more make room.
    assert!((0..3 * MOST_POOLS).all(|n| to(n).is_ok()));
    let used: Vec<_> = (0..MOST_POOLS).map(|n| to(n).ok().unwrap()).collect();
    let more = client.send(get("http://one-more/")).await.unwrap_err();
    assert_eq!(more.kind, HttpFailureKind::BadRequest);
    assert!(more.detail.contains("more than 1024 servers"), "{more}");
    assert!(Arc::ptr_eq(&used[0], &to(0).ok().unwrap()));
}

#[tokio::test]
async fn clients_of_bursts_share_nothing_with_others() {
    driver();
    let server = answering().await;
    let driver = HttpDriver::new().unwrap();
    let wanted = connected("{ most: 1 }");
    let (common, same) = (driver.common_client(&wanted), driver.common_client(&wanted));
    for client in [&common, &same, &driver.client(&wanted)] {
        client.send(get(server.url("/"))).await.unwrap();
    }
    let connections: Vec<_> = server.arrivals().into_iter().map(|(n, _)| n).collect();
    assert_eq!(connections, [0, 0, 1]);
}

/// A server that accepts and lets the handshake of TLS wait; the most that waited at the same time.
async fn stalling(answered: usize) -> (Server, Arc<AtomicUsize>) {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = most.clone();
    let server = Server::start(move |mut peer| {
        let (now, most) = (now.clone(), counted.clone());
        async move {
            if peer.connection < answered {
                peer.answer(1).await;
                return;
            }
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // Until the client gives up.
            while peer.stream.read_u8().await.is_ok() {}
            now.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await;
    (server, most)
}

#[tokio::test]
async fn only_so_many_connections_are_being_opened_at_once() {
    let (server, most) = stalling(0).await;
    let client = client("{ opening: 3 }");
    let mut sends = JoinSet::new();
    for n in 0..30 {
        let url = format!("https://127.0.0.1:{}/", server.port);
        let (client, request) = (client.clone(), within(100 + 5 * n, get(url)));
        sends.spawn(async move { client.send(request).await.unwrap_err() });
    }
    let failures = sends.join_all().await;
    assert!(
        failures
            .iter()
            .all(|failure| failure.kind == HttpFailureKind::Connect)
    );
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_answer_that_closes_its_connection_is_followed_by_another_connection() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
            .await;
    })
    .await;
    let client = at_most(3);
    let mut sends = JoinSet::new();
    for n in 0..50 {
        let (client, url) = (client.clone(), server.url(&format!("/{n}")));
        sends.spawn(async move { client.send(get(url)).await.unwrap() });
    }
    let answers = sends.join_all().await;
    assert!(answers.iter().all(|answer| answer.resent == 0));
    assert_eq!(server.arrivals().len(), 50);
}

/// The first connection is answered before its request has been read, which it never is.
async fn answering_early() -> Server {
    Server::start(|mut peer| async move {
        if peer.connection > 0 {
            peer.answer(usize::MAX).await;
            return;
        }
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(peer.stream.read_u8().await.unwrap());
        }
        peer.write("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
            .await;
        pending::<()>().await;
    })
    .await
}

#[tokio::test]
async fn a_server_that_answers_early_does_not_hold_up_the_next_request() {
    for connections in ["{ most: 1 }", "{ per_customer: true }"] {
        let server = answering_early().await;
        let mut customer = client(connections).session();
        let long = HttpBody::Text(vec![b'x'; 64 << 20].into());
        let answer = customer.send(&post(server.url("/long"), long)).await;
        assert_eq!(answer.unwrap().status, 413);
        let next = within(5_000, get(server.url("/next")));
        let next = customer.send(&next).await.unwrap();
        assert_eq!((next.status, customer.take_resent()), (200, 0));
    }
}

#[tokio::test]
async fn what_comes_before_an_answer_is_passed_over() {
    let server = Server::start(|mut peer| async move {
        while peer.request().await.is_some() {
            peer.write(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
            )
            .await;
            peer.write(OK).await;
        }
    })
    .await;
    let client = driver();
    for _ in 0..2 {
        assert_eq!(client.send(get(server.url("/"))).await.unwrap().body, "ok");
    }
    assert!(
        server
            .arrivals()
            .iter()
            .all(|(connection, _)| *connection == 0)
    );
}

#[test]
fn what_is_written_is_read() {
    let read =
        |text| serde_json::from_str::<ConnectionSettings>(text).map_err(|error| error.to_string());
    assert_eq!(read("{}"), Ok(ConnectionSettings::default()));
    let own = read(r#"{"per_customer": true, "from": ["10.0.0.1", "10.0.0.2"]}"#).unwrap();
    assert_eq!((own.sharing, own.from.len()), (Sharing::PerCustomer, 2));
    for (text, says) in [
        (r#"{"per_customer": true, "most": 5}"#, "shared"),
        (r#"{"per_customer": true, "max_age": "5s"}"#, "shared"),
        (r#"{"max_age": "0s"}"#, "above zero"),
        (r#"{"most": 0}"#, "nonzero"),
        (r#"{"from": ["10.0.0.1", "::1"]}"#, "IPv4 and of IPv6"),
        (r#"{"from": ["10.0.0.1", "10.0.0.1"]}"#, "twice"),
        (r#"{"from": ["0.0.0.0"]}"#, "not from any"),
    ] {
        let refused = read(text).unwrap_err();
        assert!(refused.contains(says), "{text}: {refused}");
    }
}
