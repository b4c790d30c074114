//! Failed chats are kept whole, and what nobody may see of them is not in it.

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode, header},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Centre, Folder, SCENARIO, Service, eventually, install_crypto, plain};

/// A secret of the target.
const API_KEY: &str = r#"api"key/4711\secret"#;
/// What the server gives out, and the scenario keeps.
const TOKEN: &str = "token+of/the=session";
/// What the server gives out, and nobody keeps.
const REFRESH: &str = "refresh-me-once";
const COOKIE: &str = "cookie-of-the-session";

const CHAT: &str = r#"
scenario: desk
steps:
  - step: login
    http:
      post: "{{ target.url }}/login"
      headers: { X-Api-Key: "{{ target.api_key }}", X-Trace: "{{ chat.id }}" }
      json: { user: ada, note: "with {{ target.api_key }}" }
    capture: { token: body.access_token, desk: body.desk }
  - step: work
    http:
      get: "{{ target.url }}/work"
      query: { access: "{{ token }}", desk: "{{ desk }}" }
      headers: { Authorization: "Bearer {{ token }}", X-Desk: "{{ desk }}" }
    expect: body.done
"#;

/// Its target answers 500.
const CLOSED: &str = r#"
scenario: closed
setup:
  - step: enter
    http: { get: "{{ target.url }}/leaks" }
steps:
  - think: 1s
"#;

const LEAKS: &str = r#"
scenario: leaks
steps:
  - step: login
    http:
      post: "{{ target.url }}/leaks"
      query: { api_key: query-of-ours, desk: d-1 }
      headers: { Content-Type: application/x-www-form-urlencoded }
      body: user=ada&password=form%2Fof-ours
    capture: { session: body.session, all: body }
  - step: work
    http: { get: "{{ target.url }}/leaks", query: { seen: "{{ all.nested.accessToken }}" } }
correlation: [session]
"#;
/// Longer than what is kept of an answer, so that it cannot be read as JSON.
fn long_answer() -> String {
    let filler = "x".repeat(5_000);
    format!(
        r#"{{"session":"s-1","tokens":["array-of-theirs"],"auth":{{"number":4455667788}},"nested":{{"accessToken":"nested-of-theirs"}},"filler":"{filler}"}}"#
    )
}

/// Logs in and shows what it was told, some of it where a text is cut off.
async fn server() -> String {
    install_crypto();
    let login = post(|| async {
        let body = json!({ "access_token": TOKEN, "refresh_token": REFRESH, "desk": "d-1" });
        ([(header::SET_COOKIE, format!("sid={COOKIE}"))], Json(body))
    });
    let work = get(|headers: HeaderMap| async move {
        let told = headers["authorization"].to_str().unwrap().to_owned();
        let filler = "x".repeat(2_020);
        Json(json!({ "a": told, "b": format!("{filler}{TOKEN}"), "done": false }))
    });
    let refuse = || async {
        let body = json!({ "jwt": "quoted-of-theirs", "seen": "nested-of-theirs", "code": 4_711 });
        (StatusCode::INTERNAL_SERVER_ERROR, Json(body))
    };
    let leaks = get(refuse).post(|| async {
        let headers = [(header::LOCATION, "/next?access_token=header-of-theirs")];
        (headers, long_answer())
    });
    let routes = Router::new().route("/login", login).route("/work", work);
    let routes = routes.route("/leaks", leaks);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, routes).into_future());
    url
}

async fn start(service: &Service, body: &str) -> String {
    let answer = service.order("POST", "/api/v1/bursts", body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.text("id")
}

async fn ended(service: &Service, run: &str) -> Value {
    eventually("the end of the run", async || {
        let report = service.read(&format!("/api/v1/runs/{run}")).await.body;
        Some(report).filter(|report| report["state"] == "ended")
    })
    .await
}

async fn failure(service: &Service, id: &str) -> Value {
    let answer = service.read(&format!("/api/v1/failures/{id}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

fn assert_discreet(what: &str, text: &str) {
    for piece in [
        "key/4711",
        "key%2F4711",
        "of/the",
        "of%2Fthe",
        "refresh-me",
        "cookie-of",
        "of-ours",
        "of-theirs",
        "4455667788",
    ] {
        assert!(!text.contains(piece), "`{piece}` in {what}: {text}");
    }
}

fn header(headers: &Value, name: &str) -> Value {
    let headers = headers.as_array().unwrap();
    let found = headers.iter().find(|header| header[0] == name);
    found.map_or(Value::Null, |header| header[1].clone())
}

#[tokio::test]
async fn a_failure_tells_every_step_and_no_secret() {
    let url = server().await;
    let folder = Folder::new();
    folder.write("scenarios/desk.yaml", CHAT);
    folder.write("api-key", API_KEY);
    let configuration = format!(
        "targets: {{ desk: {{ url: '{url}', secrets: {{ api_key: {{ file: api-key }} }} }} }}\n\
         scenarios: [scenarios]\nlisten: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}\n\
         data: {{ directory: data }}\n"
    );
    let mut service = Service::start_in(folder, &configuration, &[], &[]).await;
    let run = start(
        &service,
        "{ scenario: desk, target: desk, load: { chats: 40 } }",
    )
    .await;
    let report = ended(&service, &run).await;
    assert_eq!(report["chats"]["failed"], 40);

    let examples = report["failures"].as_array().unwrap();
    assert_eq!(examples.len(), 20);
    let id = examples[0]["id"].as_str().unwrap();
    let told = failure(&service, id).await;
    assert_eq!((&told["id"], &told["run"]), (&json!(id), &json!(run)));
    assert_eq!(
        (&told["step"], &told["reason"]),
        (&json!("work"), &json!("expectation"))
    );
    assert_eq!(
        (&told["whole"], &told["chat"]),
        (&json!(true), &examples[0]["chat"])
    );
    let steps = told["steps"].as_array().unwrap();
    let [login, work] = &steps[..] else {
        panic!("{told:#}")
    };
    assert_eq!(
        (&login["step"], &login["reason"]),
        (&json!("login"), &Value::Null)
    );
    assert_eq!(login["request"]["method"], "POST");
    assert_eq!(login["request"]["url"], format!("{url}/login"));
    assert_eq!(
        login["request"]["body"]["text"],
        r#"{"user":"ada","note":"with ***"}"#
    );
    let sent = &login["request"]["headers"];
    assert_eq!(
        (header(sent, "X-Api-Key"), header(sent, "X-Trace")),
        (json!("***"), json!(id))
    );
    assert_eq!(login["answer"]["status"], 200);
    assert_eq!(header(&login["answer"]["headers"], "set-cookie"), "***");
    let body: Value =
        serde_json::from_str(login["answer"]["body"]["text"].as_str().unwrap()).unwrap();
    assert_eq!(
        body,
        json!({ "access_token": "***", "refresh_token": "***", "desk": "d-1" })
    );
    assert_eq!(
        work["request"]["url"],
        format!("{url}/work?access=***&desk=d-1")
    );
    assert_eq!(header(&work["request"]["headers"], "X-Desk"), "d-1");
    assert!(work["began"].as_f64() >= login["began"].as_f64());
    let shown = work["answer"]["body"]["text"].as_str().unwrap();
    assert!(
        shown.len() <= 2_048 + '…'.len_utf8() && shown.contains("Bearer ***"),
        "{shown}"
    );
    assert!(work["answer"]["body"]["bytes"].as_u64().unwrap() > 2_048);

    let log = service.process.log();
    assert!(log.contains(&format!("failure={run}-")), "{log}");
    let list = service
        .read(&format!("/api/v1/failures?run={run}"))
        .await
        .body;
    let count = list["failures"].as_array().unwrap().len();
    assert!((20..40).contains(&count), "{count}");
    assert_discreet("the failure", &told.to_string());
    assert_discreet("the list", &list.to_string());
    service.process.finish().await;
    for file in ["history.sqlite", "history.sqlite-wal"] {
        let bytes = std::fs::read(service.folder.path(&format!("data/{file}")));
        assert_discreet(file, &String::from_utf8_lossy(&bytes.unwrap_or_default()));
    }
    let service = Service::start_in(service.folder, &configuration, &[], &[]).await;
    assert_eq!(failure(&service, id).await, told, "it outlives the process");
    let unknown = service.read("/api/v1/failures/x").await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
}

#[tokio::test]
async fn what_has_a_confidential_name_is_shown_nowhere() {
    let url = server().await;
    let folder = Folder::new();
    folder.write("scenarios/leaks.yaml", LEAKS);
    let configuration = format!(
        "targets: {{ desk: {{ url: '{url}' }} }}\nscenarios: [scenarios]\n\
         listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}\ndata: {{ directory: data }}\n"
    );
    let mut service = Service::start_in(folder, &configuration, &[], &[]).await;
    let run = start(
        &service,
        "{ scenario: leaks, target: desk, load: { chats: 3 } }",
    )
    .await;
    let report = ended(&service, &run).await;
    let example = &report["failures"][0];
    assert_eq!(example["correlation"], json!({ "session": "s-1" }));
    let detail = example["detail"].as_str().unwrap();
    assert!(
        detail.contains("answered 500") && detail.contains("***") && detail.contains("4711"),
        "{detail}"
    );
    let told = failure(&service, example["id"].as_str().unwrap()).await;
    let [login, work] = &told["steps"].as_array().unwrap()[..] else {
        panic!("{told:#}")
    };
    assert_eq!(
        login["request"]["url"],
        format!("{url}/leaks?api_key=***&desk=d-1")
    );
    assert_eq!(login["request"]["body"]["text"], "user=ada&password=***");
    let shown = login["answer"]["body"]["text"].as_str().unwrap();
    let begins = r#"{"session":"s-1","tokens":["***"],"auth":{"number":***},"nested":{"accessToken":"***"},"filler":"xxx"#;
    assert!(shown.starts_with(begins), "{shown}");
    assert_eq!(
        header(&login["answer"]["headers"], "location"),
        "/next?access_token=***"
    );
    assert_eq!(work["request"]["url"], format!("{url}/leaks?seen=***"));
    assert_discreet("the failure", &told.to_string());
    for path in [
        format!("/api/v1/failures?run={run}"),
        format!("/api/v1/runs/{run}/report.json"),
        format!("/api/v1/runs/{run}/report.html"),
    ] {
        let answer = crate::support::get(&format!("{}{path}", service.web)).await;
        let answer = answer.unwrap();
        assert!(answer.contains(&run), "{path}: {answer}");
        assert_discreet(&path, &answer);
    }
    assert_discreet("the log", &service.process.log());
    service.process.finish().await;
    for file in ["history.sqlite", "history.sqlite-wal"] {
        let bytes = std::fs::read(service.folder.path(&format!("data/{file}")));
        assert_discreet(file, &String::from_utf8_lossy(&bytes.unwrap_or_default()));
    }
}

#[tokio::test]
async fn a_failure_shows_the_events_that_came_and_successes_do_not_push_it_out() {
    let centre = Centre::start("{ answer: 1h }").await;
    let service = Service::start(&plain(&centre.url, "")).await;
    let burst = |timeout: &str, count: u32| {
        format!(
            "{{ scenario: {SCENARIO}, target: centre, load: {{ chats: {count} }}, inputs: {{ messages: {}, \
             session_pause: 1ms, first_message_delay: 1ms, reply_delay: 1ms, reply_timeout: {timeout} }} }}",
            u8::from(count == 1)
        )
    };
    let run = start(&service, &burst("100ms", 1)).await;
    let report = ended(&service, &run).await;
    let id = report["failures"][0]["id"].as_str().unwrap();
    let after = start(&service, &burst("10s", 50)).await;
    assert_eq!(ended(&service, &after).await["chats"]["passed"], 50);
    let told = failure(&service, id).await;
    assert_eq!(
        (&told["step"], &told["reason"]),
        (&json!("receive_chat"), &json!("reply_timeout"))
    );
    let steps = told["steps"].as_array().unwrap();
    let join = steps
        .iter()
        .find(|step| step["step"] == "agent_join")
        .unwrap();
    let events = join["events"].as_array().unwrap();
    let wanted: Vec<_> = events
        .iter()
        .filter(|event| event["wanted"] == true)
        .collect();
    assert_eq!(wanted.len(), 1, "{join:#}");
    assert!(
        wanted[0]["event"]["text"]
            .as_str()
            .unwrap()
            .contains("PARTICIPANT_ADDED")
    );
    assert!(wanted[0]["arrived"].as_f64() >= join["began"].as_f64().map(|began| began - 1.0));
    let record = service
        .read(&format!("/api/v1/runs/{run}/report.json"))
        .await;
    assert_eq!(
        record.body["report"], report,
        "the last ones are there without a data directory"
    );
}

#[tokio::test]
async fn a_burst_whose_setup_failed_leads_to_what_was_sent_and_answered() {
    let url = server().await;
    let folder = Folder::new();
    folder.write("scenarios/closed.yaml", CLOSED);
    let configuration = format!(
        "targets: {{ desk: {{ url: '{url}' }} }}\nscenarios: [scenarios]\n\
         listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}\n"
    );
    let service = Service::start_in(folder, &configuration, &[], &[]).await;
    let body = "{ scenario: closed, target: desk, load: { chats: 3 } }";
    let run = start(&service, body).await;
    let report = ended(&service, &run).await;
    assert_eq!(report["chats"]["started"], 0);

    let page = crate::support::get(&format!("{}/runs/{run}", service.web)).await;
    let link = format!("/failures/{run}-0");
    let page = page.unwrap();
    assert!(
        page.contains(&format!("<a href=\"{link}\">The setup, step by step</a>")),
        "{page}"
    );
    let page = crate::support::get(&format!("{}{link}", service.web)).await;
    let page = page.unwrap();
    assert!(
        page.contains("Setup of") && page.contains("answered 500"),
        "{page}"
    );
}
