use std::{
    future::pending,
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
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

fn client(connections: &Connections) -> HttpClient {
    driver();
    HttpDriver::new().unwrap().client(connections)
}

fn at_most(most: usize) -> HttpClient {
    let most = NonZeroUsize::new(most).unwrap();
    client(&Connections {
        sharing: Sharing::Shared { most },
        from: Vec::new(),
    })
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
        assert_eq!(failure.kind, HttpFailureKind::Exhausted);
        let expected = "no connection was free for 20ms: all 1 are in use; \
                        `connections: { most: ... }` of the target allows more";
        assert_eq!(failure.detail, expected);
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
                assert!(
                    failed.is_none_or(|failure| matches!(
                        failure.kind,
                        HttpFailureKind::Timeout | HttpFailureKind::Exhausted
                    )),
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
    assert_eq!(failure.kind, HttpFailureKind::Timeout);
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
    let client = client(&Connections {
        sharing: Sharing::PerCustomer,
        from: Vec::new(),
    });
    let (mut one, mut two) = (client.customer(), client.customer());
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
    let client = client(&Connections {
        sharing: Sharing::PerCustomer,
        from: Vec::new(),
    });
    let mut customer = client.customer();
    customer.send(&get(server.url("/"))).await.unwrap();
    assert!(end.try_recv().is_err());
    drop(customer);
    assert_eq!(end.recv().await, Some(0));
}

/// The local addresses of so many connections, each with one request.
async fn seen_from(from: &[&str], connections: usize) -> Vec<IpAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = client(&Connections {
        sharing: Sharing::PerCustomer,
        from: from
            .iter()
            .map(|address| address.parse().unwrap())
            .collect(),
    });
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
    let client = client(&Connections {
        sharing: Sharing::default(),
        from: vec!["192.0.2.1".parse().unwrap()],
    });
    let failure = client.send(get("http://127.0.0.1:9/")).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Exhausted, "{failure}");
}

#[tokio::test(start_paused = true)]
async fn what_was_idle_for_long_is_closed() {
    let server = answering().await;
    driver();
    let driver = HttpDriver::new().unwrap();
    let client = driver.client(&Connections::default());
    client.send(get(server.url("/1"))).await.unwrap();
    tokio::time::advance(Duration::from_secs(29)).await;
    driver.close_expired();
    client.send(get(server.url("/2"))).await.unwrap();
    tokio::time::advance(Duration::from_secs(31)).await;
    driver.close_expired();
    assert!(lock(&client.0.lanes).is_empty());
    client.send(get(server.url("/3"))).await.unwrap();
    let expected = [(0, "/1"), (0, "/2"), (1, "/3")].map(|(n, t)| (n, t.to_owned()));
    assert_eq!(server.arrivals(), expected);
}

#[tokio::test]
async fn no_more_servers_are_remembered_than_a_configuration_has() {
    let client = driver();
    let used: Vec<_> = (0..10)
        .map(|n| client.lane_to(&format!("http://used-{n}")).ok().unwrap())
        .collect();
    for number in 0..1_000 {
        assert!(client.lane_to(&format!("http://host-{number}")).is_ok());
    }
    let lanes = lock(&client.0.lanes);
    assert!(lanes.len() <= MOST_LANES);
    assert!((0..used.len()).all(|n| lanes.contains_key(format!("http://used-{n}").as_str())));
}

#[test]
fn what_is_written_is_read() {
    let read = |text| serde_json::from_str::<Connections>(text).map_err(|error| error.to_string());
    assert_eq!(read("{}"), Ok(Connections::default()));
    let own = read(r#"{"per_customer": true, "from": ["10.0.0.1", "::1"]}"#).unwrap();
    assert_eq!((own.sharing, own.from.len()), (Sharing::PerCustomer, 2));
    assert!(
        read(r#"{"per_customer": true, "most": 5}"#)
            .unwrap_err()
            .contains("shared")
    );
    assert!(read(r#"{"most": 0}"#).is_err());
}
