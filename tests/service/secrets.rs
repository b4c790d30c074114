//! A target's secrets reach the target and nobody else.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use tokio::net::TcpListener;

use crate::support::{Folder, Process, QUICK, Service, free_address, get, install_crypto, plain};

/// From the environment; quoted in JSON and in a log it looks different.
const TOKEN: &str = r#"to"ken\of/the+desk"#;
/// From a file.
const PASSWORD: &str = "pass-word-äöü-0123456789";

/// Shows what it was told: in the body of an error, behind so much else.
fn indiscreet(request: &Request, seen: &Mutex<Vec<String>>) -> Response {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value.map_or(String::new(), |value| {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        })
    };
    let (token, password) = (header("x-token"), header("x-password"));
    seen.lock().unwrap().push(format!("{token} {password}"));
    match request.uri().path() {
        "/text" => (StatusCode::FORBIDDEN, format!("{token} and {password}")).into_response(),
        "/html" => {
            let escaped = token
                .replace('"', "&quot;")
                .replace('/', "&#x2F;")
                .replace('+', "&#43;");
            let password = password.replace('-', "&#45;").replace('ä', "&auml;");
            let page = format!("<p>{escaped} {password}</p> {}", header("x-callback"));
            (StatusCode::FORBIDDEN, page).into_response()
        }
        // A quote of the first 200 characters cuts the password in two.
        "/cut" => {
            let filler = "x".repeat(190);
            (StatusCode::FORBIDDEN, format!("{filler}{password}")).into_response()
        }
        _ => {
            let body = serde_json::json!({ "token": token, "password": password });
            (StatusCode::OK, body.to_string()).into_response()
        }
    }
}

async fn indiscreet_server() -> (String, Arc<Mutex<Vec<String>>>) {
    install_crypto();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let book = seen.clone();
    let routes = Router::new().fallback(move |request| {
        let answer = indiscreet(&request, &book);
        async { answer }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, routes).into_future());
    (url, seen)
}

/// One scenario for each way in which a secret could come back.
const SCENARIOS: [(&str, &str); 7] = [
    (
        "html",
        "{ get: \"{{ target.url }}/html\", headers: { X-Token: \"{{ target.token }}\", \
         X-Password: \"{{ target.password }}\", X-Callback: \"{{ callback.url }}\" } }",
    ),
    (
        "text",
        "{ get: \"{{ target.url }}/text\", headers: HEADERS }",
    ),
    ("cut", "{ get: \"{{ target.url }}/cut\", headers: HEADERS }"),
    (
        "json",
        "{ get: \"{{ target.url }}/json\", headers: HEADERS }\n    expect: body.ok == true",
    ),
    (
        "capture",
        "{ get: \"{{ target.url }}/json\", headers: HEADERS }\n    capture: { id: body.id }",
    ),
    (
        "query",
        "{ get: \"http://NOBODY/\", query: { key: \"{{ target.token }}\", word: \"{{ target.password }}\" } }",
    ),
    (
        "url",
        "{ get: \"http://NOBODY/{{ target.password }}?{{ target.token }}\" }",
    ),
];

fn write_scenarios(folder: &Folder) {
    let nobody = free_address().to_string();
    for (name, step) in SCENARIOS {
        let headers = "{ X-Token: \"{{ target.token }}\", X-Password: \"{{ target.password }}\" }";
        let step = step.replace("HEADERS", headers).replace("NOBODY", &nobody);
        let text = format!(
            "scenario: {name}\ncallbacks: {{ key: event.id }}\nsteps:\n  - step: tell\n    http: {step}\n"
        );
        folder.write(&format!("scenarios/{name}.yaml"), &text);
    }
}

fn configuration(url: &str) -> String {
    let probes: Vec<_> = SCENARIOS
        .iter()
        .map(|(name, _)| format!("{name}: {{ scenario: {name}, target: desk, every: 300ms }}"))
        .collect();
    format!(
        "targets: {{ desk: {{ url: '{url}', secrets: {{ token: {{ env: DESK_TOKEN }}, password: {{ file: password }} }} }} }}\n\
         scenarios: [scenarios]\nprobes: {{ {} }}\n\
         listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}\n",
        probes.join(", ")
    )
}

/// Pieces long enough that nobody writes them by chance, however they are escaped.
fn assert_discreet(what: &str, text: &str) {
    for piece in [
        "of/the+desk",
        "of%2Fthe",
        "the&#43;desk",
        "pass-word",
        "0123456789",
        // The callback address of a run.
        "/cb-",
    ] {
        let line = text.lines().find(|line| line.contains(piece));
        assert!(
            line.is_none(),
            "`{piece}` in {what}: {}",
            line.unwrap_or_default()
        );
    }
}

#[tokio::test]
async fn secrets_are_neither_logged_nor_shown() {
    let (url, seen) = indiscreet_server().await;
    for format in ["human", "json"] {
        let own = Folder::new();
        write_scenarios(&own);
        own.write("password", &format!("{PASSWORD}\n"));
        let arguments = ["--log-format", format, "--log", "trace"];
        let environment = [("DESK_TOKEN", TOKEN)];
        let mut service =
            Service::start_in(own, &configuration(&url), &arguments, &environment).await;
        let metrics = service
            .when("every probe has failed", |metrics| {
                SCENARIOS.iter().all(|(name, _)| {
                    metrics.sum("chatprobe_chats_failed_total", &[("scenario", name)]) > 0.5
                })
            })
            .await;
        let list = service.read("/api/v1/failures").await.body;
        for (name, _) in SCENARIOS {
            let mut failures = list["failures"].as_array().unwrap().iter();
            let failure = failures
                .find(|failure| failure["scenario"] == name)
                .unwrap();
            let id = failure["id"].as_str().unwrap();
            for path in ["/api/v1/failures", "/failures"] {
                let shown = get(&format!("{}{path}/{id}", service.web)).await.unwrap();
                assert!(shown.contains("***"), "{shown}");
                assert_discreet(path, &shown);
            }
        }
        service.process.finish().await;
        assert_discreet("/metrics", &metrics.text);
        let log = service.process.log();
        assert!(
            log.matches("chat failed").count() >= SCENARIOS.len(),
            "{log}"
        );
        assert_discreet("the log", &log);
    }
    assert!(
        seen.lock()
            .unwrap()
            .contains(&format!("{TOKEN} {PASSWORD}"))
    );
}

/// Sends two events that nobody can accept, one of them with something confidential, before it answers.
async fn centre_with_secrets() -> String {
    install_crypto();
    let routes = Router::new().fallback(|request: Request| async move {
        let url = request.headers()["x-callback"].to_str().unwrap().to_owned();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        for event in [
            serde_json::json!({ "secret_of": "the target" }),
            serde_json::json!({ "access_token": PASSWORD }),
        ] {
            let sent = client.post(&url).json(&event).send();
            assert_eq!(sent.await.unwrap().status(), StatusCode::UNAUTHORIZED);
        }
        StatusCode::OK
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, routes).into_future());
    url
}

#[tokio::test]
async fn a_refused_event_shows_no_secret() {
    let url = centre_with_secrets().await;
    let folder = Folder::new();
    folder.write("password", PASSWORD);
    let accept = "raw_body | sha256(event.access_token or target.token)";
    folder.write(
        "scenarios/html.yaml",
        &format!(
            "scenario: html\ncallbacks: {{ key: event.id, accept: {accept} }}\nsteps:\n  - step: tell\n    \
             http: {{ get: '{{{{ target.url }}}}', headers: {{ X-Callback: '{{{{ callback.url }}}}' }} }}\n"
        ),
    );
    let configuration = configuration(&url);
    let (before, _) = configuration.split_once("probes:").unwrap();
    let configuration = format!(
        "{before}probes: {{ html: {{ scenario: html, target: desk, every: 1h }} }}\n\
         listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}\n"
    );
    let environment = [("DESK_TOKEN", TOKEN)];
    let mut service = Service::start_in(folder, &configuration, &[], &environment).await;
    let refused = service.process.lines("a callback was refused", 2).await;
    for line in &refused {
        assert!(line.contains("there is no encoding `***`"), "{line}");
    }
    // The beginning of the path tells the requests of one run from those of others.
    let log = service.process.log().replace("path=\"/cb-", "");
    assert_discreet("the log", &log);
    service.process.finish().await;

    let file = service.folder.argument("chatprobe.yaml");
    let mut process = Process::start_in(&["run", "html", "--config", &file], &environment);
    process.ended().await;
    let summary = process.log() + &process.output();
    assert!(summary.contains("refused callbacks: 2"), "{summary}");
    assert_discreet("the summary", &summary);
}

#[tokio::test]
async fn an_event_that_the_simulator_cannot_deliver_shows_no_callback_address() {
    let address = free_address();
    let more = format!(
        "simulator: {{ listen: '{address}' }}\ncallbacks: {{ url: 'http://127.0.0.1:1/events' }}\n\
         shutdown: {{ grace: 0s }}\n"
    );
    let configuration = plain(&format!("http://{address}"), &more);
    let arguments = ["--log", "debug"];
    let mut service = Service::start_in(Folder::new(), &configuration, &arguments, &[]).await;
    service.burst("{ chats: 1 }", QUICK, "").await;
    let line = service.process.line("an event was not delivered").await;
    assert!(line.contains("http://127.0.0.1:1"), "{line}");
    assert_discreet("the log", &service.process.log());
}

#[tokio::test]
async fn a_failed_chat_of_a_run_shows_no_secret() {
    let (url, _) = indiscreet_server().await;
    let folder = Folder::new();
    write_scenarios(&folder);
    folder.write("password", PASSWORD);
    let file = folder.write("chatprobe.yaml", &configuration(&url));
    for (name, _) in SCENARIOS {
        let arguments = ["run", name, "--config", &file, "--json", "-"];
        let mut process = Process::start_in(&arguments, &[("DESK_TOKEN", TOKEN)]);
        assert_eq!(process.ended().await, 1, "{}", process.log());
        assert!(
            process.output().contains("\"detail\""),
            "{}",
            process.output()
        );
        assert_discreet(&format!("the report of {name}"), &process.output());
        assert_discreet(&format!("the summary of {name}"), &process.log());
    }
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_said_before_anything_starts() {
    let folder = Folder::new();
    write_scenarios(&folder);
    let file = folder.write("chatprobe.yaml", &configuration("http://127.0.0.1:1"));
    let mut process = Process::start(&["serve", "--config", &file]);
    assert_eq!(process.ended().await, 2);
    let log = process.log();
    assert!(
        log.contains("the environment variable `DESK_TOKEN` is not set"),
        "{log}"
    );
    assert!(log.contains("cannot read the secret file"), "{log}");
}

#[tokio::test]
async fn no_secret_goes_to_an_address_from_the_command_line() {
    let (elsewhere, seen) = indiscreet_server().await;
    let folder = Folder::new();
    write_scenarios(&folder);
    folder.write("password", PASSWORD);
    // It does without secrets, and shows whom it takes this for.
    folder.write(
        "scenarios/open.yaml",
        "scenario: open\nsteps:\n  - step: tell\n    http: { get: \"{{ target.url }}/open\", headers: \
         { X-Token: \"{{ target.name }} {{ target.tenant }}\" } }\n",
    );
    let configured = configuration("http://127.0.0.1:1");
    let configured = configured.replace("secrets:", "variables: { tenant: t-1 }, secrets:");
    let file = folder.write("chatprobe.yaml", &configured);
    let run = async |scenario: &str| {
        let arguments = ["run", scenario, "--config", &file, "--target", &elsewhere];
        let mut process = Process::start_in(&arguments, &[("DESK_TOKEN", TOKEN)]);
        (process.ended().await, process)
    };

    let (code, process) = run("text").await;
    assert_eq!(code, 2, "{}", process.log());
    let says = "`password` is a secret of `desk`, which is not sent to an address from the command";
    assert!(process.log().contains(says), "{}", process.log());
    assert_eq!(*seen.lock().unwrap(), [""; 0], "nothing was sent");

    let (code, process) = run("open").await;
    assert_eq!(code, 0, "{}", process.log());
    let host = elsewhere.strip_prefix("http://").unwrap();
    let against = format!("open against {host}, ");
    assert!(process.output().contains(&against), "{}", process.output());
    assert_eq!(*seen.lock().unwrap(), [format!("{host} t-1 ")]);
}
