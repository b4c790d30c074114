//! A server that knows its customers by cookies.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{LOCATION, SET_COOKIE},
    },
    response::{AppendHeaders, IntoResponse},
    routing::{get, post},
};
use tokio::net::TcpListener;

use crate::support::{Folder, Process, install_crypto};

/// The cookies of every request to `/chats`.
type Seen = Arc<Mutex<Vec<String>>>;

async fn sign_in() -> impl IntoResponse {
    AppendHeaders([(SET_COOKIE, "gate=g4te; Path=/")])
}

/// Leads home with a cookie, without which nobody is let in there.
async fn log_in() -> impl IntoResponse {
    let headers = [(LOCATION, "/home"), (SET_COOKIE, "home=yes; Path=/home")];
    (StatusCode::SEE_OTHER, AppendHeaders(headers))
}

async fn home(headers: HeaderMap) -> StatusCode {
    if cookies(&headers).contains("home=yes") {
        StatusCode::OK
    } else {
        StatusCode::UNAUTHORIZED
    }
}

/// A session of its own for whoever came through the gate.
async fn open(State(seen): State<Seen>, headers: HeaderMap) -> impl IntoResponse {
    let number = seen.lock().unwrap().len();
    seen.lock().unwrap().push(cookies(&headers));
    AppendHeaders([
        (
            SET_COOKIE,
            format!("sid=session-{number}; Path=/chats; HttpOnly"),
        ),
        (SET_COOKIE, "gone=x; Max-Age=0".to_owned()),
        (SET_COOKIE, "lang=en; Path=/".to_owned()),
    ])
}

async fn look(State(seen): State<Seen>, headers: HeaderMap) {
    seen.lock().unwrap().push(cookies(&headers));
}

fn cookies(headers: &HeaderMap) -> String {
    let all = headers.get_all("cookie").iter();
    let all: Vec<_> = all.map(|value| value.to_str().unwrap()).collect();
    all.join(" | ")
}

const SCENARIO: &str = r#"
scenario: cookies
setup:
  - step: sign_in
    http: { post: "{{ target.url }}/gate" }
    expect: cookies.gate == "g4te"
  - step: log_in
    http: { post: "{{ target.url }}/login" }
    follow: 1
    expect: status == 200 and cookies.home == "yes"
steps:
  - step: open
    http: { post: "{{ target.url }}/chats" }
    expect:
      - status == 200
      - headers_all["set-cookie"] | length == 3
      - headers_all["set-cookie"][1] == "gone=x; Max-Age=0"
      - headers["set-cookie"] == "lang=en; Path=/"
      - headers_all["content-length"] == ["0"]
      - cookies.sid is startingwith("session-") and cookies.gone is undefined
  - step: look
    http:
      get: "{{ target.url }}/chats/mine"
      headers: { x-csrf: "{{ cookies.sid }}" }
  - step: own
    http:
      get: "{{ target.url }}/chats/mine"
      headers: { cookie: "mine=1" }
  - step: fails
    http: { get: "{{ target.url }}/nothing/{{ cookies.sid }}" }
"#;

#[tokio::test]
async fn a_chat_keeps_the_cookies_of_the_setup_and_its_own() {
    install_crypto();
    let seen = Seen::default();
    let routes = Router::new()
        .route("/gate", post(sign_in))
        .route("/login", post(log_in))
        .route("/home", get(home))
        .route("/chats", post(open))
        .route("/chats/mine", get(look))
        .with_state(seen.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, routes).into_future());
    let folder = Folder::new();
    folder.write("scenarios/cookies.yaml", SCENARIO);
    let write = |more: &str| {
        let configuration =
            format!("targets: {{ desk: {{ url: '{url}'{more} }} }}\nscenarios: [scenarios]\n");
        folder.write("chatprobe.yaml", &configuration)
    };
    let run = |file: &str| {
        let report = folder.argument("report.json");
        Process::start(&[
            "run",
            "cookies",
            "--config",
            file,
            "--load",
            "{ chats: 2, ramp: 1s }",
            "--json",
            &report,
        ])
    };
    let mut process = run(&write(""));
    assert_eq!(process.ended().await, 2);
    assert!(
        process.log().contains("keeps no cookies"),
        "{}",
        process.log()
    );

    let mut process = run(&write(", cookies: true"));
    assert_eq!(process.ended().await, 1, "{}", process.log());
    let seen = seen.lock().unwrap().clone();
    let first = ["gate=g4te", "sid=session-0; gate=g4te; lang=en", "mine=1"];
    assert_eq!(seen[..3], first);
    let second = ["gate=g4te", "sid=session-3; gate=g4te; lang=en", "mine=1"];
    assert_eq!(seen[3..], second);
    // The last step fails, and nobody is shown the cookie in its address.
    let report = folder.read("report.json");
    assert!(report.contains("answered 404"), "{report}");
    assert!(!(process.output() + &process.log() + &report).contains("session-0"));
}
