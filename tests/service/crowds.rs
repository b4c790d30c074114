//! More connections than the process may have: those that are needed are there all the same.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::AsyncReadExt as _,
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::support::{Centre, Metrics, PATIENCE, QUICK, Service, eventually, get, plain};

const FILES: &str = "-n 256";
/// Half of the files.
const MOST: u64 = 128;
const CALLBACKS: [(&str, &str); 1] = [("listener", "callbacks")];

/// Where the service takes events.
async fn callbacks(service: &mut Service) -> String {
    let line = service.process.line("callbacks http://").await;
    let (_, address) = line.split_once("http://").unwrap();
    address.trim_end_matches('/').to_owned()
}

fn closed(metrics: &Metrics, reason: &str) -> u64 {
    let labels = [CALLBACKS[0], ("reason", reason)];
    metrics.count("chatprobe_listener_closed_total", &labels)
}

#[tokio::test]
async fn silent_connections_to_the_callback_port_make_no_outage() {
    let centre = Centre::start("{}").await;
    let mut service = Service::start_limited(FILES, &plain(&centre.url, "")).await;
    let address = callbacks(&mut service).await;
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(TcpStream::connect(&address).await.unwrap());
    }
    // The first that came are the first that go.
    for client in &mut crowd[..72] {
        let closed = timeout(PATIENCE, client.read(&mut [0])).await.unwrap();
        assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    }
    let id = service.burst("{ chats: 5 }", QUICK, "").await;
    let path = format!("/api/v1/runs/{id}");
    let report = eventually("the end of the burst", async || {
        let report = service.read(&path).await.body;
        (report["state"] == "ended").then_some(report)
    });
    let report = report.await;
    assert_eq!(report["chats"]["passed"], 5, "{report}");
    assert_eq!(report["verdict"], "passed", "{report}");
    let metrics = service
        .when("the listener's own figures", |metrics| {
            closed(metrics, "capacity") > 72
        })
        .await;
    let limit = metrics.count("chatprobe_listener_max_connections", &CALLBACKS);
    assert_eq!(limit, MOST);
    assert!(metrics.count("chatprobe_listener_connections", &CALLBACKS) <= MOST);
    let said = service.process.lines("to make room for another", 10).await;
    assert!(said[0].contains("listener=\"callbacks\""), "{}", said[0]);
    // One a second after the first ten.
    assert!(said.len() < 20, "{}", said.len());
    // The others have their time.
    let last = crowd.last_mut().unwrap();
    assert!(
        timeout(Duration::from_millis(10), last.read(&mut [0]))
            .await
            .is_err()
    );
    service.process.finish().await;
}

#[tokio::test]
async fn chats_that_want_every_file_leave_some_for_the_web() {
    let slow = "faults: { slow: [{ probability: 1, by: 2s }] }";
    let centre = Centre::start(slow).await;
    let mut service = Service::start_limited(FILES, &plain(&centre.url, "")).await;
    let id = service.burst("{ chats: 400 }", QUICK, "").await;
    let path = format!("/api/v1/runs/{id}");
    eventually("chats without a connection", async || {
        let report = service.read(&path).await.body;
        (report["chats"]["failed"].as_u64()? > 200).then_some(())
    })
    .await;
    // Twenty browsers, none of which has a connection yet.
    for page in ["/healthz", "/readyz", "/metrics", "/", &path].repeat(4) {
        let began = Instant::now();
        let answer = get(&format!("{}{page}", service.web)).await;
        assert!(answer.is_some(), "{page}");
        assert!(began.elapsed() < Duration::from_secs(1), "{page}");
    }
    let stop = format!("{path}/stop");
    service.order("POST", &stop, "{ now: true }").await;
    let report = eventually("the end of the burst", async || {
        let report = service.read(&path).await.body;
        (report["state"] == "ended").then_some(report)
    });
    let report = report.await;
    let failed = &report["chats"]["failed_by_reason"];
    let reasons: Vec<_> = failed.as_object().unwrap().keys().collect();
    assert_eq!(reasons, ["internal"], "{report}");
    assert_eq!(report["verdict"], json!("invalid"), "{report}");
    assert!(!service.process.log().contains("not accepted"));
    service.process.finish().await;
}
