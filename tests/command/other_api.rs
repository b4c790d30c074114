//! Another chat product needs another scenario file and nothing else.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{patch, put},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{ANY_HEALTH, Folder, Process, Service, install_crypto};

const KEY: &str = "desk-key-42";

/// A support desk that keeps rooms and calls back with PUT.
#[derive(Default)]
struct Desk {
    rooms: Mutex<BTreeMap<u64, String>>,
    /// What was asked of it, and everything that it did not like.
    counts: Mutex<BTreeMap<&'static str, u64>>,
    complaints: Mutex<Vec<String>>,
}

type Shared = State<Arc<Desk>>;

impl Desk {
    async fn start() -> (Arc<Self>, String) {
        install_crypto();
        let desk = Arc::new(Self::default());
        let routes = Router::new()
            .route("/v3/rooms", put(open))
            .route("/v3/rooms/{room}", patch(ask).delete(close))
            .with_state(desk.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, routes).into_future());
        (desk, url)
    }

    fn count(&self, what: &'static str) -> u64 {
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry(what).or_default();
        *count += 1;
        *count
    }

    fn counted(&self, what: &'static str) -> u64 {
        self.counts
            .lock()
            .unwrap()
            .get(what)
            .copied()
            .unwrap_or_default()
    }

    fn require(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.complaints.lock().unwrap().push(what());
        }
    }

    fn authorize(&self, headers: &HeaderMap) {
        self.require(
            headers.get("x-api-key").is_some_and(|key| key == KEY),
            || format!("no key in {headers:?}"),
        );
    }

    /// PUTs an event; its number tells it from every other.
    fn call(self: &Arc<Self>, room: u64, kind: &'static str, data: &Value) {
        let url = self.rooms.lock().unwrap()[&room].clone();
        let desk = self.clone();
        let mut event = json!({ "seq": self.count("events"), "kind": kind, "data": data.clone() });
        event["data"]["room"] = json!({ "id": room });
        tokio::spawn(async move {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let answer = client.put(url).json(&event).send().await.unwrap();
            desk.require(answer.status() == 200, || {
                format!("{} for {event}", answer.status())
            });
        });
    }
}

async fn open(
    State(desk): Shared,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    desk.authorize(&headers);
    desk.require(query["topic"] == "prices & delivery", || {
        format!("{query:?}")
    });
    let visitor = headers.get("x-visitor").unwrap().to_str().unwrap();
    desk.require(visitor.starts_with("visitor "), || visitor.to_owned());
    let room = 1_000 + desk.count("opened");
    desk.rooms
        .lock()
        .unwrap()
        .insert(room, query["notify"].clone());
    // Before the answer, as likely as not.
    desk.call(room, "opened", &json!({}));
    desk.call(room, "clerk", &json!({ "state": "here", "name": "Ada" }));
    let body = json!({ "room": { "id": room } }).to_string();
    (StatusCode::CREATED, [("etag", format!("\"{room}\""))], body).into_response()
}

async fn ask(
    State(desk): Shared,
    Path(room): Path<u64>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, &'static str) {
    desk.authorize(&headers);
    let etag = headers.get("if-match").unwrap().to_str().unwrap();
    desk.require(etag == format!("\"{room}\""), || etag.to_owned());
    desk.require(headers["content-type"] == "text/plain", || {
        format!("{headers:?}")
    });
    desk.count("asked");
    let question = body
        .strip_prefix("Ada, ")
        .and_then(|body| body.split_once(" of visitor "));
    match question {
        Some((question, _)) => desk.call(
            room,
            "says",
            &json!({ "text": format!("answer to {question}") }),
        ),
        None => desk.require(false, || body),
    }
    (StatusCode::ACCEPTED, "noted")
}

async fn close(State(desk): Shared, Path(room): Path<u64>, headers: HeaderMap) -> StatusCode {
    desk.authorize(&headers);
    let known = desk.rooms.lock().unwrap().contains_key(&room);
    desk.require(known, || format!("room {room} is closed"));
    desk.count("closed");
    StatusCode::NO_CONTENT
}

fn fixture() -> String {
    format!(
        "{}/tests/fixtures/support-desk.yaml",
        env!("CARGO_MANIFEST_DIR")
    )
}

/// The configuration of a target with a key from the environment.
fn configuration(url: &str, more: &str) -> String {
    format!(
        "targets: {{ desk: {{ url: '{url}', secrets: {{ api_key: {{ env: DESK_KEY }} }} }} }}\n\
         scenarios: ['{}']\n\
         listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}\n\
         {ANY_HEALTH}\n{more}\n",
        fixture()
    )
}

#[tokio::test]
async fn another_api_runs_under_load() {
    let (desk, url) = Desk::start().await;
    let folder = Folder::new();
    let file = folder.write("chatprobe.yaml", &configuration(&url, ""));
    let arguments = [
        "run",
        "support-desk",
        "--config",
        &file,
        "--load",
        "{ chats: 20, ramp: 500ms }",
        "--json",
        "-",
    ];
    let mut process = Process::start_in(&arguments, &[("DESK_KEY", KEY)]);
    let code = process.ended().await;
    assert_eq!(code, 0, "{}", process.log());
    assert_eq!(*desk.complaints.lock().unwrap(), Vec::<String>::new());
    let report: Value = serde_json::from_str(&process.output()).unwrap();
    assert_eq!(report["chats"]["passed"], 20);
    assert_eq!(report["events"]["differences"], json!([]));
    assert_eq!(report["events"]["received"], 80);
    assert_eq!(
        report["events"]["by_fate"],
        json!({ "consumed": 60, "ignored": 20 })
    );
    assert_eq!(
        (
            desk.counted("opened"),
            desk.counted("asked"),
            desk.counted("closed")
        ),
        (20, 40, 20)
    );
    assert!(!process.output().contains(KEY) && !process.log().contains(KEY));
}

#[tokio::test]
async fn another_api_is_probed() {
    let (desk, url) = Desk::start().await;
    let probe = "probes: { desk: { scenario: support-desk, target: desk, every: 300ms } }";
    let configuration = configuration(&url, probe);
    let environment = [("DESK_KEY", KEY)];
    let service = Service::start_in(Folder::new(), &configuration, &[], &environment).await;
    let labels = [
        ("scenario", "support-desk"),
        ("target", "desk"),
        ("mode", "probe"),
    ];
    let metrics = service
        .when("three chats", |metrics| {
            metrics.count("chatprobe_chats_passed_total", &labels) >= 3
        })
        .await;
    assert_eq!(*desk.complaints.lock().unwrap(), Vec::<String>::new());
    assert!(
        metrics.sum("chatprobe_chats_failed_total", &[]) < 0.5,
        "{}",
        metrics.text
    );
    assert!(metrics.count("chatprobe_agent_join_seconds_count", &labels) >= 3);
    assert!(!metrics.text.contains(KEY) && !service.process.log().contains(KEY));
}
