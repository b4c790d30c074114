//! Webhooks as many systems send them: the address is verified first, deliveries are signed, are forms, and bring
//! several events at once.

use std::{fmt::Write as _, sync::Arc};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Mutex};

use crate::support::{Folder, Run};

const SCENARIO: &str = r#"
scenario: tickets
callbacks:
  key: event.ticket
  id: headers["x-delivery"] ~ ":" ~ event.n
  events: event.events
  accept: timing_safe_equal(headers["x-signature"], "sha256=" ~ (raw_body | hmac_sha256(target.hook_secret)))
  verify:
    - { when: event.type == "url_verification", answer: "{{ event.challenge }}" }
setup:
  - step: subscribe
    http: { post: "{{ target.url }}/subscriptions", json: { url: "{{ callback.url }}" } }
    expect: body.challenge == "3eZbrw1aB"
steps:
  - step: open
    http: { post: "{{ target.url }}/tickets" }
    capture: { ticket: body.ticket }
    claim: ticket
  - step: joined
    wait_for: event.kind == "joined" and headers["x-delivery"] == "1"
    timeout: 5s
    expect: [method == "POST", "delivery.events | length == 3"]
  - step: said
    wait_for: event.kind == "said"
    timeout: 5s
    since: open
    capture: { text: event.text }
  - step: asked
    wait_for: event.kind == "asked" and query.from == "form"
    since: open
    timeout: 5s
"#;

#[derive(Default)]
struct Desk {
    callback: Mutex<String>,
    refused: Mutex<Vec<(u16, String)>>,
}

fn signature(body: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"s3cret");
    let tag = ring::hmac::sign(&key, body.as_bytes());
    let mut signature = "sha256=".to_owned();
    let tag: &[u8] = tag.as_ref();
    for byte in tag {
        write!(signature, "{byte:02x}").unwrap();
    }
    signature
}

async fn subscribe(State(desk): State<Arc<Desk>>, Json(body): Json<Value>) -> Json<Value> {
    let url = body["url"].as_str().unwrap().to_owned();
    let question = json!({ "type": "url_verification", "challenge": "3eZbrw1aB" });
    let answer = reqwest::Client::new().post(&url).json(&question);
    let challenge = answer.send().await.unwrap().text().await.unwrap();
    *desk.callback.lock().await = url;
    Json(json!({ "challenge": challenge }))
}

async fn open(State(desk): State<Arc<Desk>>) -> (StatusCode, Json<Value>) {
    let url = desk.callback.lock().await.clone();
    tokio::spawn(async move {
        let client = reqwest::Client::new();
        let events = json!({ "events": [
            { "ticket": 7, "n": 1, "kind": "joined" },
            { "ticket": 7, "n": 2, "kind": "said", "text": "hello" },
            { "n": 3, "kind": "nobody" },
        ] })
        .to_string();
        let send = async |signature: &str, delivery: &str| {
            let request = client
                .post(&url)
                .header("x-signature", signature)
                .header("x-delivery", delivery)
                .body(events.clone());
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        let forged = send("sha256=00", "1").await;
        desk.refused.lock().await.push(forged);
        for _ in 0..2 {
            assert_eq!(send(&signature(&events), "1").await.0, 200);
        }
        let form = client
            .post(format!("{url}?from=form"))
            .header("x-delivery", "2")
            .header("x-signature", signature("ticket=7&n=4&kind=asked"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("ticket=7&n=4&kind=asked");
        assert_eq!(form.send().await.unwrap().status(), 200);
    });
    (StatusCode::CREATED, Json(json!({ "ticket": "7" })))
}

#[tokio::test]
async fn signed_batches_forms_and_verifications_pass_and_forged_ones_are_rejected() {
    let desk = Arc::<Desk>::default();
    let router = Router::new()
        .route("/subscriptions", post(subscribe))
        .route("/tickets", post(open))
        .with_state(desk.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let folder = Folder::new();
    let file = folder.write("tickets.yaml", SCENARIO);
    let run = Run::new(folder, &file, &url)
        .with(&["--variable", "hook_secret=s3cret"])
        .done()
        .await
        .exits(0);
    assert_eq!(run.chats("passed"), 1);
    // The redelivery of the batch: two duplicates and one more event that has no ticket.
    let fates = ["consumed", "duplicate", "unknown", "rejected"].map(|fate| run.fate(fate));
    assert_eq!(fates, [3, 2, 2, 1], "{:#}", run.report["events"]);
    let refused = desk.refused.lock().await;
    assert_eq!(refused[0].0, 401);
    assert!(refused[0].1.contains("`accept`"), "{refused:?}");
}
