//! Probes see their target as somebody new does: each run looks up, connects and checks anew.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{ConnectInfo, Path},
    routing::get,
};
use tokio::net::TcpListener;

use crate::support::{ANY_HEALTH, Authority, Folder, SecureServer, Service, eventually};

const TWICE: &str = "
scenario: twice
steps:
  - step: first
    http: { get: '{{ target.url }}/{{ run.id }}' }
  - step: second
    http: { get: '{{ target.url }}/{{ run.id }}' }
";

/// The labels of the only probe.
const PROBE: [(&str, &str); 3] = [("scenario", "twice"), ("target", "desk"), ("mode", "probe")];

async fn probing(folder: Folder, target: &str) -> Service {
    folder.write("twice.yaml", TWICE);
    let configuration = format!(
        "targets: {{ desk: {{ {target} }} }}\n\
         scenarios: [twice.yaml]\n\
         probes: {{ p: {{ scenario: twice, target: desk, every: 100ms }} }}\n\
         listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}\n\
         {ANY_HEALTH}\n"
    );
    Service::start_in(folder, &configuration, &[], &[]).await
}

/// Where the requests of each run came from, after five runs.
async fn five_runs(connections: &str) -> BTreeMap<String, Vec<SocketAddr>> {
    let seen = Arc::new(Mutex::new(BTreeMap::<String, Vec<_>>::new()));
    let noted = seen.clone();
    let note = move |ConnectInfo(peer): ConnectInfo<SocketAddr>, Path(run): Path<String>| async move {
        noted.lock().unwrap().entry(run).or_default().push(peer);
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = Router::new()
        .route("/{run}", get(note))
        .into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let target = format!("url: 'http://{address}', connections: {connections}");
    let service = probing(Folder::new(), &target).await;
    service
        .when("five runs", |metrics| {
            metrics.count("chatprobe_chats_passed_total", &PROBE) >= 5
        })
        .await;
    let mut seen = seen.lock().unwrap().clone();
    // One may be in progress.
    seen.retain(|_, peers| peers.len() == 2);
    assert!(seen.len() >= 5);
    seen
}

#[tokio::test]
async fn each_run_of_a_probe_has_a_connection_of_its_own() {
    let seen = five_runs("{}").await;
    let mut connections: Vec<_> = seen.values().flatten().collect();
    connections.sort();
    connections.dedup();
    assert_eq!(connections.len(), seen.len(), "{seen:?}");
    assert!(seen.values().all(|peers| peers[0] == peers[1]), "{seen:?}");
}

#[tokio::test]
async fn runs_of_a_probe_reuse_a_connection_if_they_are_to() {
    let seen = five_runs("{ probe_reuse: true }").await;
    let mut connections: Vec<_> = seen.values().flatten().collect();
    connections.dedup();
    assert_eq!(connections.len(), 1, "{seen:?}");
}

#[tokio::test]
async fn a_probe_sees_a_certificate_that_has_expired_and_says_so_once_for_each_run() {
    let authority = Authority::new();
    let server = SecureServer::start(&authority, 4_000_000_000).await;
    let folder = Folder::new();
    authority.write_to(&folder.path(""));
    let target = format!("url: '{}', tls: {{ ca: certificates/ca.pem }}", server.url);
    let service = probing(folder, &target).await;
    let target = [("target", "desk")];
    let expiry = "chatprobe_target_certificate_expiry_timestamp_seconds";
    let metrics = service
        .when("a run that passed", |metrics| {
            metrics.count("chatprobe_chats_passed_total", &PROBE) >= 1
        })
        .await;
    assert_eq!(metrics.count(expiry, &target), 4_000_000_000);
    for phase in ["lookup", "connect", "tls", "first_byte"] {
        let labels = [&PROBE[..], &[("phase", phase)]].concat();
        let count = metrics.count("chatprobe_request_phase_seconds_count", &labels);
        assert!(count >= 1, "{phase}");
    }

    server.show(&authority, 1_000_000_000);
    let failed = [&PROBE[..], &[("reason", "tls")]].concat();
    let metrics = service
        .when("runs that failed", |metrics| {
            metrics.count("chatprobe_chats_failed_total", &failed) >= 3
        })
        .await;
    assert_eq!(metrics.count(expiry, &target), 1_000_000_000);
    let log = service.process.log();
    assert!(
        log.contains("certificate of the server has expired"),
        "{log}"
    );
    // That is what the library says, besides.
    assert!(!log.contains("failed to verify TLS certificate"), "{log}");

    let failures = eventually("a failure", async || {
        let failures = service.read("/api/v1/failures").await.body;
        failures["failures"][0]["id"].as_str().map(str::to_owned)
    });
    let path = format!("/api/v1/failures/{}", failures.await);
    let failure = service.read(&path).await.body;
    let phases = failure["steps"][0]["phases"].as_array().unwrap();
    let phases: Vec<_> = phases
        .iter()
        .map(|phase| (phase["phase"].as_str().unwrap(), phase["finished"] == true))
        .collect();
    assert_eq!(
        phases,
        [("lookup", true), ("connect", true), ("tls", false)]
    );
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_fails_chats_and_does_not_fill_the_log() {
    let server = SecureServer::start(&Authority::new(), 4_000_000_000).await;
    let service = probing(Folder::new(), &format!("url: '{}'", server.url)).await;
    let failed = [&PROBE[..], &[("reason", "tls")]].concat();
    service
        .when("twenty failed handshakes", |metrics| {
            metrics.count("chatprobe_chats_failed_total", &failed) >= 20
        })
        .await;
    let log = service.process.log();
    assert!(!log.contains("failed to verify TLS certificate"), "{log}");
    assert!(log.lines().count() < 40, "{log}");
}
