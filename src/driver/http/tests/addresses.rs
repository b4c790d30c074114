//! Names with several addresses, and what the time of a request goes into.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proptest::prelude::*;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

use super::{
    server::{Server, answer_all},
    *,
};
use crate::driver::{Phase, Phases, transport::interleaved};

/// A host of which every name has these addresses.
fn resolving(addresses: &[Ipv4Addr]) -> HttpClient {
    let addresses = addresses.iter().copied().map(IpAddr::V4).collect();
    with_resolver(Resolver::Fixed(addresses))
}

pub(super) fn with_resolver(resolver: Resolver) -> HttpClient {
    driver();
    let trust = ClientConfig::with_platform_verifier().unwrap();
    HttpDriver::with(trust, EnvironmentProxies::default(), resolver).client(&Endpoint::default())
}

const ALIVE: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn dead(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, number)
}

/// An address whose queue of connections is full: those who come are not answered.
pub(super) struct Dead {
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Dead {
    pub(super) async fn at(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(1).unwrap();
        let mut queued = Vec::new();
        let patience = Duration::from_millis(100);
        while let Ok(Ok(stream)) = timeout(patience, TcpStream::connect(address)).await {
            queued.push(stream);
        }
        Self {
            _listener: listener,
            _queued: queued,
        }
    }
}

async fn answering() -> Server {
    Server::start(answer_all).await
}

fn phase(phases: &Phases, wanted: Phase) -> Option<Duration> {
    let mut finished = phases.finished();
    finished
        .find(|(phase, _)| *phase == wanted)
        .map(|(_, took)| took)
}

#[tokio::test]
async fn a_dead_first_address_costs_a_moment_only() {
    let server = answering().await;
    let _dead = Dead::at((dead(1), server.port).into()).await;
    let client = resolving(&[dead(1), ALIVE]);
    let url = format!("http://some.host:{}/", server.port);
    let answer = client.send(get(url)).await.unwrap();
    let connect = phase(&answer.phases, Phase::Connect).unwrap();
    assert!(connect >= Duration::from_millis(250), "{connect:?}");
    assert!(connect < Duration::from_secs(2), "{connect:?}");
}

#[tokio::test]
async fn a_short_time_limit_is_divided_over_the_addresses() {
    let server = answering().await;
    let _first = Dead::at((dead(2), server.port).into()).await;
    let _second = Dead::at((dead(3), server.port).into()).await;
    let client = resolving(&[dead(2), dead(3), ALIVE]);
    let mut request = get(format!("http://some.host:{}/", server.port));
    request.timeout = Duration::from_millis(400);
    let answer = client.send(request).await.unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn an_address_that_refuses_is_passed_over_at_once() {
    let server = answering().await;
    let client = resolving(&[dead(4), ALIVE]);
    let mut request = get(format!("http://some.host:{}/", server.port));
    // The address that is tried alone would be for a minute.
    request.timeout = Duration::from_mins(3);
    let answer = client.send(request).await.unwrap();
    assert!(phase(&answer.phases, Phase::Connect) < Some(Duration::from_millis(250)));
}

#[tokio::test]
async fn no_connection_in_time_is_a_connect_failure_that_names_the_addresses() {
    let port = answering().await.port;
    let _first = Dead::at((dead(5), port).into()).await;
    let _second = Dead::at((dead(6), port).into()).await;
    let client = resolving(&[dead(5), dead(6)]);
    let mut request = get(format!("http://some.host:{port}/"));
    request.timeout = Duration::from_millis(300);
    let failure = client.send(request).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Connect);
    for address in [dead(5), dead(6)] {
        let tried = format!("{address}:{port}");
        assert!(failure.detail.contains(&tried), "{failure}");
    }
    let (unfinished, took) = failure.phases.unfinished().unwrap();
    assert_eq!(unfinished, Phase::Connect);
    assert!(took >= Duration::from_millis(200), "{took:?}");
    assert!(phase(&failure.phases, Phase::Lookup).is_some());
}

#[tokio::test]
async fn each_address_that_refuses_is_named() {
    let port = {
        let listener = TcpListener::bind((ALIVE, 0)).await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let client = resolving(&[dead(7), dead(8)]);
    let failure = client
        .send(get(format!("http://some.host:{port}/")))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Connect);
    assert_eq!(failure.detail.matches("refused").count(), 2, "{failure}");
}

#[tokio::test]
async fn a_lookup_that_does_not_end_is_a_dns_failure() {
    let client = with_resolver(Resolver::Silent);
    let mut request = get("http://some.host/");
    request.timeout = Duration::from_millis(50);
    let failure = client.send(request).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Dns);
    let unfinished = failure.phases.unfinished().map(|(phase, _)| phase);
    assert_eq!(unfinished, Some(Phase::Lookup));
}

#[tokio::test]
async fn only_a_request_that_opens_a_connection_has_the_phases_of_that() {
    let server = answering().await;
    let client = resolving(&[ALIVE]);
    let phases = async |url: String| -> Vec<Phase> {
        let answer = client.send(get(url)).await.unwrap();
        assert_eq!(answer.phases.unfinished(), None);
        answer.phases.finished().map(|(phase, _)| phase).collect()
    };
    let named = format!("http://some.host:{}/", server.port);
    assert_eq!(
        phases(named.clone()).await,
        [Phase::Lookup, Phase::Connect, Phase::FirstByte]
    );
    assert_eq!(phases(named).await, [Phase::FirstByte]);
    // Nothing has to be looked up.
    let numeric = server.url("/");
    assert_eq!(phases(numeric).await, [Phase::Connect, Phase::FirstByte]);
}

#[tokio::test]
async fn the_first_byte_is_that_of_the_answer() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        tokio::time::sleep(Duration::from_millis(60)).await;
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
            .await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        peer.write("ok").await;
    })
    .await;
    let answer = driver().send(get(server.url("/"))).await.unwrap();
    let first_byte = phase(&answer.phases, Phase::FirstByte).unwrap();
    assert!(first_byte >= Duration::from_millis(60), "{first_byte:?}");
    let body = answer.elapsed.saturating_sub(first_byte);
    assert!(body >= Duration::from_millis(190), "{body:?}");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_no_connection() {
    let server = Server::start(|peer| async move {
        let _held = peer;
        std::future::pending::<()>().await;
    })
    .await;
    let mut request = get(format!("https://127.0.0.1:{}/", server.port));
    request.timeout = Duration::from_millis(100);
    let failure = driver().send(request).await.unwrap_err();
    assert_eq!(failure.kind, HttpFailureKind::Connect);
    assert!(failure.detail.contains("TLS handshake"), "{failure}");
    let unfinished = failure.phases.unfinished().map(|(phase, _)| phase);
    assert_eq!(unfinished, Some(Phase::Tls));
}

proptest! {
    #[test]
    fn families_take_turns_and_no_address_is_lost(
        families in proptest::collection::vec(any::<bool>(), 0..12),
    ) {
        let addresses: Vec<SocketAddr> = (1..).zip(&families).map(|(number, &four)| {
            let text = if four { format!("10.0.0.{number}:80") } else { format!("[::{number}]:80") };
            text.parse().unwrap()
        }).collect();
        let ordered = interleaved(addresses.clone(), None);
        let family = |four: bool, all: &[SocketAddr]| -> Vec<SocketAddr> {
            all.iter().copied().filter(|address| address.is_ipv4() == four).collect()
        };
        // Within a family the resolver's order stays.
        for four in [true, false] {
            prop_assert_eq!(family(four, &ordered), family(four, &addresses));
        }
        prop_assert_eq!(ordered.first(), addresses.first());
        let fewer = family(true, &addresses).len().min(family(false, &addresses).len());
        for pair in ordered[..2 * fewer].chunks(2) {
            prop_assert_ne!(pair[0].is_ipv4(), pair[1].is_ipv4());
        }
        let from_here = interleaved(addresses.clone(), Some(IpAddr::V4(ALIVE)));
        prop_assert_eq!(from_here, family(true, &addresses));
    }
}
