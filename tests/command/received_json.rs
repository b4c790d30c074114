//! Bodies that are no clean JSON, from a server that nobody here can change.

use axum::{Router, extract::Query, http::header::CONTENT_TYPE, routing::post};
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::support::{Folder, Run, install_crypto};

#[derive(Deserialize)]
struct Asked {
    notify: String,
    /// The name of the body that is answered.
    as_: String,
}

/// A key that needs more digits than a double, and more than 64 bits, has.
const KEY: &str = "123456789012345678901234567";

fn answer(name: &str) -> (&'static str, Vec<u8>) {
    let json = format!(r#"{{"id":{KEY},"said":"Hello \ud83d"}}"#);
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    match name {
        "marked" => (
            "application/json",
            [b"\xef\xbb\xbf", json.as_bytes()].concat(),
        ),
        "no_utf8" => {
            let json = json.replace(r"\ud83d", "?");
            let bytes = json
                .bytes()
                .map(|byte| if byte == b'?' { 0xff } else { byte });
            ("application/json", bytes.collect())
        }
        "utf16" => ("application/json", utf16(&format!("\u{feff}{json}"))),
        _ => ("application/json", json.replace(',', " ").into_bytes()),
    }
}

/// Opens a chat and tells of it in an event, whose key is a text.
async fn open(
    Query(asked): Query<Asked>,
) -> ([(axum::http::HeaderName, &'static str); 1], Vec<u8>) {
    let (content_type, body) = answer(&asked.as_);
    tokio::spawn(async move {
        let event = [
            b"\xef\xbb\xbf{\"chat\": \"",
            KEY.as_bytes(),
            b"\", \"chat\": \"",
            KEY.as_bytes(),
            b"\", \"text\": \"gr\xfcn \\ud83d\"}",
        ];
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let sent = client.post(asked.notify).body(event.concat()).send().await;
        assert_eq!(sent.unwrap().status(), 200);
    });
    ([(CONTENT_TYPE, content_type)], body)
}

const SCENARIO: &str = r#"
scenario: odd-json
inputs: { answer: { type: text } }
callbacks: { key: event.chat }
steps:
  - step: open
    http: { post: "{{ target.url }}/chats", query: { notify: "{{ callback.url }}", as_: "{{ inputs.answer }}" } }
    expect: body.said == "Hello �"
    capture: { chat_id: body.id }
    claim: chat_id
  - step: heard
    wait_for: event.chat == chat_id | string
    expect: event.text == "gr�n �"
    timeout: 10s
"#;

fn run(url: &str, answered: &str) -> Run {
    let folder = Folder::new();
    let file = folder.write("odd.yaml", SCENARIO);
    let input = format!("answer={answered}");
    Run::new(folder, &file, url).with(&["--input", &input])
}

#[tokio::test]
async fn answers_and_events_are_read_as_browsers_read_them() {
    install_crypto();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().route("/chats", post(open));
    tokio::spawn(axum::serve(listener, routes).into_future());
    for answered in ["marked", "no_utf8", "utf16"] {
        let finished = run(&url, answered).done().await.exits(0);
        assert_eq!(finished.fate("consumed"), 1, "{answered}");
    }
    let finished = run(&url, "broken").done().await.exits(1);
    assert_eq!(finished.failed("open", "expectation"), 1);
    let why = "not JSON: `,` or `}` is missing at byte 34";
    assert!(finished.output.contains(why), "{}", finished.output);
}
