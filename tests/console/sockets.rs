//! Sockets and deliveries on the page of a run.

use serde_json::Value;

use crate::{
    expected::{Expected, run_page},
    figures::compare,
    keyboard::open,
    layout::overflows,
    states::ended,
    support::{Browser, Folder, Process, Service, eventually, plain},
};

/// Some messages do not come to some members, and some come twice.
const FAULTS: &str = "faults: { frames: { drop: { probability: 0.25, only: [said] }, duplicate: { probability: 0.4, only: [said] } } }";

/// Chats that say something once and then listen for as long as the test takes.
const BURST: &str = "{ scenario: room-chat, target: centre, load: { chats: 8, ramp: 500ms }, seed: 1, \
                     inputs: { messages: 1, pause: 1s, echo_timeout: 500ms, listening: 1h } }";

/// Simulated chat rooms, and where they are.
struct Rooms {
    url: String,
    _process: Process,
    _folder: Folder,
}

impl Rooms {
    async fn start() -> Self {
        let folder = Folder::new();
        let settings = folder.write("rooms.yaml", FAULTS);
        let listen = ["--listen", "127.0.0.1:0", "--settings", &settings];
        let mut process = Process::start(&[&["simulate", "rooms"], &listen[..]].concat());
        let line = process.line("the simulated chat rooms are at").await;
        let mut words = line.split_whitespace();
        let url = words.find(|word| word.starts_with("http://")).unwrap();
        Self {
            url: url.trim_end_matches([';', '/']).to_owned(),
            _process: process,
            _folder: folder,
        }
    }

    /// Closes all sockets with this code.
    async fn close_all(&self, code: u16) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let order = client.post(format!("{}/sockets/close", self.url));
        let order = order.header("content-type", "application/json");
        let answer = order.body(format!("{{ \"code\": {code} }}")).send().await;
        assert!(answer.unwrap().status().is_success());
    }
}

/// Waits until this holds of the report of a run.
async fn until(service: &Service, path: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || {
        Some(service.read(path).await.body).filter(&holds)
    })
    .await
}

#[tokio::test]
async fn sockets_and_deliveries_are_told_as_the_api_tells_them_from_the_first_chat_to_the_end() {
    let rooms = Rooms::start().await;
    let service = Service::start(&plain(&rooms.url, "")).await;
    let answer = service.order("POST", "/api/v1/bursts", BURST).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let run = answer.text("id");
    let (path, page) = (format!("/api/v1/runs/{run}"), format!("/runs/{run}"));
    // In the end all that are left listen, and nothing moves but the time.
    let report = until(&service, &path, "a run that stands still", |report| {
        let (chats, of_rooms) = (&report["chats"], &report["deliveries"]);
        let settled = chats["in_progress"].as_u64().zip(chats["failed"].as_u64());
        settled
            .is_some_and(|(open, failed)| open + failed == 8 && report["sockets"]["open"] == open)
            && of_rooms["messages"] == 8
            && of_rooms["open"] == 0
    })
    .await;
    let fates = &report["deliveries"]["by_fate"];
    for fate in ["delivered", "lost", "duplicate"] {
        assert!(fates[fate].as_u64() > Some(0), "{fates}");
    }
    let browser = Browser::start(1280, 900).await;
    let by_itself = (
        "the run page",
        page.clone(),
        run_page as fn(&Value) -> Expected,
    );
    let stays_open = ("the run page", String::new(), by_itself.2);
    compare(&browser, &service, &run, &by_itself).await;

    let open_before = report["sockets"]["open"].clone();
    rooms.close_all(1012).await;
    until(&service, &path, "the ends of the sockets", |report| {
        report["sockets"]["closed"]["target"]["1012"] == open_before
    })
    .await;
    browser.shows("main", "closed by the target (1012: ").await;
    compare(&browser, &service, &run, &stays_open).await;
    let in_progress = overflows(&browser, &format!("{page}, in progress")).await;
    assert_eq!(in_progress, Vec::<String>::new());

    let stop = format!("{path}/stop");
    let answer = service.order("POST", &stop, "{ now: true }").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    ended(&service, &run).await;
    open(&browser, &service, &page).await;
    browser.shows("h1", "stopped").await;
    compare(&browser, &service, &run, &by_itself).await;
    let over = overflows(&browser, &format!("{page}, over")).await;
    assert_eq!(over, Vec::<String>::new());
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
