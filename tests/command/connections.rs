//! Whose connections the requests of customers go over, as the server sees it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{ConnectInfo, Path, State},
};
use tokio::net::TcpListener;

use crate::support::{ANY_HEALTH, Folder, Process};

const SCENARIO: &str = "
scenario: three-requests
steps:
  - repeat: 3
    steps:
      - step: ask
        http: { get: '{{ target.url }}/{{ chat.number }}' }
      - think: 100ms
";

/// For every customer, where its requests came from.
type Seen = Arc<Mutex<BTreeMap<u64, BTreeSet<SocketAddr>>>>;

async fn note(
    State(seen): State<Seen>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(customer): Path<u64>,
) {
    seen.lock()
        .unwrap()
        .entry(customer)
        .or_default()
        .insert(peer);
}

/// Ten customers with three requests each, over `connections`.
async fn ten_customers(connections: &str) -> BTreeMap<u64, BTreeSet<SocketAddr>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let router = Router::new().route("/{customer}", axum::routing::get(note));
    let service = router
        .with_state(seen.clone())
        .into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let folder = Folder::new();
    let scenario = folder.write("three-requests.yaml", SCENARIO);
    let configuration = folder.write(
        "chatprobe.yaml",
        &format!(
            "targets: {{ desk: {{ url: 'http://{address}', connections: {connections} }} }}\n\
             scenarios: ['{scenario}']\n\
             {ANY_HEALTH}\n"
        ),
    );
    let arguments = [
        "run",
        "three-requests",
        "--config",
        &configuration,
        "--load",
        "{ chats: 10 }",
    ];
    let mut process = Process::start(&arguments);
    assert_eq!(process.ended().await, 0, "{}", process.log());
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 10);
    seen
}

#[tokio::test]
async fn few_connections_are_enough_for_many_customers() {
    let seen = ten_customers("{ most: 2 }").await;
    let all: BTreeSet<_> = seen.values().flatten().collect();
    assert!(all.len() <= 2, "{seen:?}");
}

#[tokio::test]
async fn each_customer_has_its_own_connection_from_one_of_the_addresses() {
    let seen = ten_customers("{ per_customer: true, from: [127.0.0.2, 127.0.0.3] }").await;
    assert!(seen.values().all(|peers| peers.len() == 1), "{seen:?}");
    let all: BTreeSet<_> = seen.values().flatten().collect();
    assert_eq!(all.len(), 10);
    for address in ["127.0.0.2", "127.0.0.3"] {
        let from = all.iter().filter(|peer| peer.ip().to_string() == address);
        assert_eq!(from.count(), 5);
    }
}
