//! `chatprobe run --url`: one address without a scenario.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Folder, Process};

#[derive(Debug, Clone)]
struct Seen {
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: Bytes,
}

type Requests = Arc<Mutex<Vec<Seen>>>;

/// A server that answers with the status that the path names, or with 200.
async fn server() -> (Requests, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Requests::default();
    let router = Router::new().fallback(answer).with_state(requests.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (requests, url)
}

async fn answer(
    State(requests): State<Requests>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let status = uri.path().trim_start_matches('/').parse();
    requests.lock().unwrap().push(Seen {
        method,
        uri: uri.to_string(),
        headers,
        body,
    });
    status.unwrap_or(StatusCode::OK)
}

struct Came {
    code: i32,
    output: String,
    log: String,
    report: Value,
}

/// There is no configuration.
async fn run(arguments: &[&str]) -> Came {
    let folder = Folder::new();
    let (file, nowhere) = (folder.argument("report.json"), folder.argument("none.yaml"));
    let mut all = vec!["run", "--config", &nowhere, "--json", &file];
    all.extend(arguments);
    let mut process = Process::start(&all);
    let code = process.ended().await;
    let report = std::fs::read_to_string(folder.path("report.json"));
    Came {
        code,
        output: process.output(),
        log: process.log(),
        report: report.map_or(Value::Null, |text| {
            serde_json::from_str(&text).unwrap_or_default()
        }),
    }
}

#[tokio::test]
async fn customers_hit_one_address_without_a_scenario_and_a_configuration() {
    let (requests, url) = server().await;
    let url = format!("{url}/health?full=1");
    let load = "{ customers: 4, for: 1s }";
    let came = run(&["--url", &url, "--load", load]).await;
    assert!([0, 3].contains(&came.code), "{}{}", came.output, came.log);
    let seen = requests.lock().unwrap().clone();
    assert!(seen.len() > 20, "{}", seen.len());
    assert!(seen.iter().all(|one| one.method == Method::GET));
    assert!(seen.iter().all(|one| one.uri == "/health?full=1"));
    let report = &came.report;
    assert_eq!(report["requests"]["count"], seen.len());
    assert_eq!(report["chats"]["passed"], seen.len());
    let elapsed = report["elapsed_seconds"].as_f64().unwrap();
    let rate = report["requests"]["per_second"].as_f64().unwrap();
    let expected = f64::from(u32::try_from(seen.len()).unwrap()) / elapsed;
    assert!(
        (rate - expected).abs() < 0.01 * expected,
        "{rate} {expected}"
    );
    assert_eq!(report["steps"][0]["step"], "request");
    for quantile in ["p50", "p90", "p95", "p99", "max"] {
        let value = report["steps"][0]["latency"][quantile].as_f64();
        assert!(value.unwrap() > 0.0, "{quantile}");
    }
    let shown = format!("requests: {}, ", seen.len());
    assert!(came.output.contains(&shown), "{}", came.output);
    assert_eq!(report["inputs"], json!({ "method": "GET", "url": url }));
    assert_eq!(report["most_in_progress"], Value::Null);
    assert_eq!(report["chats"]["most_in_progress"], 4);
}

#[tokio::test]
async fn what_stands_on_the_command_line_is_sent_as_it_is() {
    let (requests, url) = server().await;
    let address = format!("{url}/a?b={{{{c}}}}");
    let came = run(&[
        "--url",
        &address,
        "--method",
        "put",
        "--header",
        "X-One: {{ target.url }} # 1",
        "-H",
        "X-One: 007",
        "--body",
        "{\"id\": {{ chat.number }} {% x",
    ])
    .await;
    assert_eq!(came.code, 0, "{}{}", came.output, came.log);
    let seen = requests.lock().unwrap().remove(0);
    assert_eq!(seen.method, Method::PUT);
    assert_eq!(seen.uri, "/a?b={{c}}");
    let values: Vec<_> = seen.headers.get_all("x-one").iter().collect();
    assert_eq!(values, ["{{ target.url }} # 1", "007"]);
    assert_eq!(seen.body, "{\"id\": {{ chat.number }} {% x");
    let came = run(&["--url", &url, "--body", "@007"]).await;
    assert_eq!(came.code, 0);
    let seen = requests.lock().unwrap().remove(0);
    assert_eq!((seen.method, &seen.body[..]), (Method::POST, &b"@007"[..]));
}

#[tokio::test]
async fn a_body_may_come_from_a_file_whatever_is_in_it() {
    let (requests, url) = server().await;
    let folder = Folder::new();
    let bytes = b"\x00\xff{{ x }}\r\n";
    std::fs::write(folder.path("body"), bytes).unwrap();
    let came = run(&["--url", &url, "--body-file", &folder.argument("body")]).await;
    assert_eq!(came.code, 0, "{}", came.log);
    let seen = requests.lock().unwrap().remove(0);
    assert_eq!(&seen.body[..], bytes);
    assert_eq!(seen.headers["content-type"], "application/octet-stream");
}

#[tokio::test]
async fn anything_but_2xx_fails_and_thresholds_decide() {
    let (_requests, url) = server().await;
    let url = format!("{url}/503");
    let came = run(&["--url", &url, "--load", "{ chats: 5 }"]).await;
    assert_eq!(came.code, 1, "{}", came.output);
    assert_eq!(came.report["steps"][0]["failed_by_reason"]["status"], 5);
    assert_eq!(came.report["orphans_total"], 0);
    for (threshold, code) in [
        ("{ failed: 100% }", 0),
        ("{ step: request, failed: 50% }", 1),
        ("{ step: request, p95: 10s }", 1),
    ] {
        let load = ["--load", "{ chats: 5 }", "--threshold", threshold];
        let came = run(&[&["--url", &url], &load[..]].concat()).await;
        assert_eq!(came.code, code, "{threshold}: {}", came.output);
    }
}

#[tokio::test]
async fn what_does_not_go_together_is_refused_and_nothing_is_sent() {
    let (requests, url) = server().await;
    for (arguments, says) in [
        (&["contact-center-chat", "--url", &url][..], "--url"),
        (&["--url", &url, "--target", "t"], "--target"),
        (&["--url", &url, "--input", "a=1"], "--input"),
        (&["--url", &url, "--variable", "a=1"], "--variable"),
        (
            &["--url", &url, "--body", "a", "--body-file", "b"],
            "--body-file",
        ),
        (&["--url", &url, "--body-file", "/none"], "/none"),
        (&["--url", "127.0.0.1:1/x"], "http://127.0.0.1:1/x"),
        (&["--url", &url, "--method", "a b"], "--method"),
        (&["--url", &url, "--header", "nonsense"], "--header"),
        (&["contact-center-chat", "--method", "GET"], "--method"),
        (&["--method", "GET"], "--url"),
        (
            &["--url", &url, "--threshold", "{ step: x, p50: 1s }"],
            "--threshold",
        ),
        (&[], "<SCENARIO>"),
    ] {
        let came = run(arguments).await;
        assert_eq!(came.code, 2, "{arguments:?}: {}", came.log);
        assert!(came.log.contains(says), "{arguments:?}: {}", came.log);
    }
    assert!(requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn credentials_and_tokens_of_an_address_are_sent_and_not_shown() {
    let (requests, url) = server().await;
    let address = url.replace("http://", "http://me:s3cretword@") + "/503?token=t0kenvalue&a=1";
    let came = run(&["--url", &address]).await;
    let seen = requests.lock().unwrap().remove(0);
    assert_eq!(seen.uri, "/503?token=t0kenvalue&a=1");
    assert!(seen.headers.contains_key("authorization"));
    let shown = format!("{}{}{}", came.output, came.log, came.report);
    assert!(
        !shown.contains("s3cretword") && !shown.contains("t0kenvalue"),
        "{shown}"
    );
}
