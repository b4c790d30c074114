//! Values reach the target as they were written, whatever YAML would make of them.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    http::{HeaderMap, Uri},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::support::{Folder, Process, Service, eventually};

/// Texts that a YAML reader may take for something else.
const TEXTS: [&str; 25] = [
    "12345678901234567890",
    "007",
    "+491701234",
    "-0",
    "12e4",
    "1e400",
    "1.10",
    "5.0",
    ".5",
    "12345678901234567890123456789012345678901234567890.10",
    "0x1F",
    "0o17",
    "1_000",
    "yes",
    "No",
    "null",
    "~",
    "True",
    "FALSE",
    "2024-01-01",
    "2024-01-01T10:00:00Z",
    ".inf",
    "1:30",
    "5s",
    "${HOME}",
];

/// A request as it came.
#[derive(Debug, Clone)]
struct Seen {
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: String,
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn query(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(key, _)| key == name);
        &found.unwrap_or_else(|| panic!("no {name} in {self:?}")).1
    }

    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// A server that answers everything and keeps what it was sent.
async fn server() -> (String, Arc<Mutex<Vec<Seen>>>) {
    let seen = Arc::<Mutex<Vec<Seen>>>::default();
    let book = seen.clone();
    let keep = move |uri: Uri, headers: HeaderMap, body: String| {
        let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        book.lock().unwrap().push(Seen {
            query: query.into_owned().collect(),
            headers,
            body,
        });
        async { "{}" }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().fallback(keep)).into_future());
    (url, seen)
}

/// A scenario with one text input for each text, `i0` and so on, which sends all of them.
fn texts_scenario(declared: impl Fn(usize) -> String) -> String {
    let (mut inputs, mut alone, mut headers, mut query) = Default::default();
    for at in 0..TEXTS.len() {
        let name = format!("i{at}");
        let all: [(&mut String, String); 4] = [
            (&mut inputs, format!("  {name}: {}\n", declared(at))),
            (&mut alone, format!("\"{{{{ inputs.{name} }}}}\", ")),
            (
                &mut headers,
                format!("x-{name}: \"{{{{ inputs.{name} }}}}\", "),
            ),
            (
                &mut query,
                format!("{name}: \"<{{{{ inputs.{name} }}}}>\", "),
            ),
        ];
        for (text, more) in all {
            text.push_str(&more);
        }
    }
    format!(
        "scenario: texts\ninputs:\n{inputs}steps:\n  - step: send\n    http:\n      \
         post: \"{{{{ target.url }}}}/\"\n      headers: {{ {headers} }}\n      query: {{ {query} }}\n      \
         json: [{alone}]\n"
    )
}

fn assert_all_as_written(seen: &[Seen], runs: usize) {
    assert_eq!(seen.len(), runs);
    for seen in seen {
        assert_eq!(seen.json(), json!(TEXTS));
        for (at, text) in TEXTS.iter().enumerate() {
            assert_eq!(seen.header(&format!("x-i{at}")), *text);
            assert_eq!(seen.query(&format!("i{at}")), format!("<{text}>"));
        }
    }
}

async fn run(arguments: &[&str]) {
    let mut process = Process::start(&[&["run"], arguments].concat());
    assert_eq!(process.ended().await, 0, "{}", process.log());
}

#[tokio::test]
async fn defaults_of_text_inputs_are_sent_as_written() {
    let (url, seen) = server().await;
    let folder = Folder::new();
    let declared = |at: usize| {
        let text = TEXTS[at];
        let quote = if text.contains('$') { "'" } else { "" };
        format!("{{ type: text, default: {quote}{text}{quote} }}")
    };
    let file = folder.write("texts.yaml", &texts_scenario(declared));
    let nowhere = folder.argument("none.yaml");
    run(&[&file, "--config", &nowhere, "--target", &url]).await;
    assert_all_as_written(&seen.lock().unwrap(), 1);
}

#[tokio::test]
async fn text_inputs_of_configured_and_requested_bursts_are_sent_as_written() {
    let (url, seen) = server().await;
    let folder = Folder::new();
    folder.write(
        "texts.yaml",
        &texts_scenario(|_| "{ type: text }".to_owned()),
    );
    let written = |dollar: &str| {
        TEXTS
            .iter()
            .enumerate()
            .fold(String::new(), |mut text, (at, value)| {
                let quote = if value.contains('$') { "'" } else { "" };
                let _ = write!(
                    text,
                    "i{at}: {quote}{}{quote}, ",
                    value.replace('$', dollar)
                );
                text
            })
    };
    // The configuration has variables of the environment, a request has none.
    let (configured, requested) = (written("$$"), written("$"));
    let configuration = format!(
        "targets: {{ t: {{ url: '{url}' }} }}\nscenarios: [texts.yaml]\n\
         listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}\n\
         bursts: {{ b: {{ scenario: texts, target: t, load: {{ chats: 1 }}, inputs: {{ {configured} }} }} }}\n"
    );
    let service = Service::start_in(folder, &configuration, &[], &[]).await;
    let yaml = format!(
        "{{ scenario: texts, target: t, load: {{ chats: 1 }}, inputs: {{ {requested} }} }}"
    );
    // Numbers of JSON are kept digit by digit, too.
    let json = json!({
        "burst": "b",
        "inputs": { "i0": "x", "i1": "x", "i6": "x" },
    });
    let json = json
        .to_string()
        .replace("\"i0\":\"x\"", "\"i0\":12345678901234567890")
        .replace("\"i1\":\"x\"", "\"i1\":\"007\"")
        .replace("\"i6\":\"x\"", "\"i6\":1.10");
    for body in [r#"{ "burst": "b" }"#, &yaml, &json] {
        let answer = service.order("POST", "/api/v1/bursts", body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    eventually("three requests", async || {
        (seen.lock().unwrap().len() == 3).then_some(())
    })
    .await;
    assert_all_as_written(&seen.lock().unwrap(), 3);
    let null = service.order(
        "POST",
        "/api/v1/bursts",
        r#"{ "burst": "b", "inputs": { "i0": null } }"#,
    );
    let null = null.await;
    assert_eq!(null.status, 422, "{null:?}");
    assert!(
        null.body.to_string().contains("takes text, found nothing"),
        "{null:?}"
    );
}

/// Arguments for inputs, what is sent for them alone in JSON, and what in a header.
const ARGUMENTS: [(&str, &str, &str); 18] = [
    ("text=007", "\"007\"", "007"),
    ("text=", "\"\"", ""),
    ("text=@x", "\"@x\"", "@x"),
    ("text=x #b", "\"x #b\"", "x #b"),
    ("text= x ", "\" x \"", " x "),
    ("text=k: v", "\"k: v\"", "k: v"),
    ("text=[a, b]", "\"[a, b]\"", "[a, b]"),
    ("text=~", "\"~\"", "~"),
    ("text=\"quoted\"", "\"\\\"quoted\\\"\"", "\"quoted\""),
    ("text=${HOME}", "\"${HOME}\"", "${HOME}"),
    ("text=a=b", "\"a=b\"", "a=b"),
    ("whole=007", "7", "7"),
    (
        "whole=12345678901234567890123",
        "12345678901234567890123",
        "12345678901234567890123",
    ),
    ("whole=1e3", "1000", "1000"),
    ("number=1.10", "1.10", "1.10"),
    ("number=-3", "-3", "-3"),
    ("flag=false", "false", "false"),
    ("time= 1m30s ", "\"1m30s\"", "1m30s"),
];

const TYPED: &str = r#"
scenario: typed
inputs:
  text: { type: text, default: t }
  whole: { type: integer, default: 1 }
  number: { type: number, default: 0.5 }
  flag: { type: boolean, default: true }
  time: { type: duration, default: 5s }
steps:
  - step: send
    http:
      post: "{{ target.url }}/"
      query: { text: "{{ inputs.text }}", whole: "{{ inputs.whole }}", number: "{{ inputs.number }}", flag: "{{ inputs.flag }}", time: "{{ inputs.time }}" }
      json: { text: "{{ inputs.text }}", whole: "{{ inputs.whole }}", number: "{{ inputs.number }}", flag: "{{ inputs.flag }}", time: "{{ inputs.time }}" }
"#;

#[tokio::test]
async fn arguments_are_taken_literally_for_text_and_as_the_declared_type_otherwise() {
    let (url, seen) = server().await;
    let folder = Folder::new();
    let file = folder.write("typed.yaml", TYPED);
    let nowhere = folder.argument("none.yaml");
    for (argument, json, text) in ARGUMENTS {
        run(&[
            &file, "--config", &nowhere, "--target", &url, "--input", argument,
        ])
        .await;
        let seen = seen.lock().unwrap().pop().unwrap();
        let name = argument.split('=').next().unwrap();
        let field = format!("\"{name}\":{json}");
        assert!(seen.body.contains(&field), "{argument}: {}", seen.body);
        assert_eq!(seen.query(name), text, "{argument}");
    }
    for (argument, says) in [
        (
            "whole=@x",
            "input `whole` takes a whole number of at least 0, found `@x`",
        ),
        (
            "whole=",
            "input `whole` takes a whole number of at least 0, found ``",
        ),
        ("number=null", "input `number` takes a number, found `null`"),
        (
            "flag=yes",
            "input `flag` takes `true` or `false`, found `yes`",
        ),
        (
            "time=5",
            "input `time` takes a duration such as `5s`, found `5`",
        ),
    ] {
        let target = ["--config", &nowhere, "--target", &url, "--input", argument];
        let mut process = Process::start(&[&["run", &file], &target[..]].concat());
        assert_eq!(process.ended().await, 2, "{argument}");
        assert!(
            process.log().contains(says),
            "{argument}: {}",
            process.log()
        );
    }
}

#[tokio::test]
async fn variables_are_sent_as_written() {
    let (url, seen) = server().await;
    let folder = Folder::new();
    folder.write("secret", "007\n");
    let names = [
        "tenant", "version", "phone", "id", "vip", "quoted", "secret",
    ];
    let fields = names.iter().fold(String::new(), |mut text, name| {
        let _ = write!(text, "{name}: \"{{{{ target.{name} }}}}\", ");
        text
    });
    let program = "{% if target.version < 2 %}v{{ target.version }}{% endif %}/{{- target.tenant -}}/{{ target['vip'] }}";
    let subscript = "<{{ target['version'] }}>";
    let scenario = format!(
        "scenario: s\nsteps:\n  - step: send\n    expect: [status == 200, target.version < 1.2]\n    http: \
         {{ post: \"{{{{ target.url }}}}/\", query: {{ {fields} }}, json: {{ {fields} }}, headers: {{ x-program: \"{program}\", x-subscript: \"{subscript}\" }} }}\n"
    );
    folder.write("s.yaml", &scenario);
    let variables = "{ tenant: 007, version: 1.10, phone: +491701234, id: 12345678901234567890123, vip: True, quoted: '5' }";
    let configuration = format!(
        "targets: {{ t: {{ url: '{url}', variables: {variables}, secrets: {{ secret: {{ file: secret }} }} }} }}\n\
         scenarios: [s.yaml]\n"
    );
    let file = folder.write("chatprobe.yaml", &configuration);
    let all = |seen: &Seen| names.map(|name| seen.query(name).to_owned());
    run(&["s", "--config", &file]).await;
    let first = seen.lock().unwrap().pop().unwrap();
    let written = [
        "007",
        "1.10",
        "+491701234",
        "12345678901234567890123",
        "True",
        "5",
        "007",
    ];
    assert_eq!(all(&first), written);
    assert_eq!(first.header("x-program"), "v1.10/007/True");
    assert_eq!(first.header("x-subscript"), "<1.10>");
    let body = r#"{"tenant":"007","version":1.10,"phone":"+491701234","id":12345678901234567890123,"vip":true,"quoted":"5","secret":"007"}"#;
    assert_eq!(first.body, body);
    // What replaces text is text; anything else is what it looks like.
    let set = [
        "tenant=7",
        "version=1.0",
        "phone= x #b",
        "id=@x",
        "vip=~",
        "quoted=6.0",
        "secret=008",
    ];
    let set: Vec<_> = set.iter().flat_map(|set| ["--variable", set]).collect();
    run(&[&["s", "--config", &file], &set[..]].concat()).await;
    let second = seen.lock().unwrap().pop().unwrap();
    assert_eq!(all(&second), ["7", "1.0", " x #b", "@x", "~", "6.0", "008"]);
    let body = r#"{"tenant":"7","version":1.0,"phone":" x #b","id":"@x","vip":"~","quoted":"6.0","secret":"008"}"#;
    assert_eq!(second.body, body);
}

#[tokio::test]
async fn literal_values_of_a_request_are_sent_as_written() {
    let (url, seen) = server().await;
    let folder = Folder::new();
    let scenario = "scenario: s\nsteps:\n  - step: send\n    http:\n      post: \"{{ target.url }}/\"\n      \
         headers: { x-a: 007, x-b: 1.10, x-c: True, x-d: null, x-e: +49 }\n      \
         query: { a: 12e4, b: 12345678901234567890123, c: yes, d: ~ }\n      \
         json: { a: 12345678901234567890123456789012345678901234567890, b: 1.10, c: 1e400, d: -0, e: .5, f: 007, g: +49, h: 0x1F, i: yes, j: ~, k: True, l: 2024-01-01, m: ' 5 ', n: 1:30, o: '${HOME} $$5' }\n";
    let file = folder.write("s.yaml", scenario);
    let nowhere = folder.argument("none.yaml");
    run(&[&file, "--config", &nowhere, "--target", &url]).await;
    let seen = seen.lock().unwrap().pop().unwrap();
    let headers = ["x-a", "x-b", "x-c", "x-d", "x-e"].map(|name| seen.header(name));
    assert_eq!(headers, ["007", "1.10", "True", "null", "+49"]);
    let query = ["a", "b", "c", "d"].map(|name| seen.query(name));
    assert_eq!(query, ["12e4", "12345678901234567890123", "yes", "~"]);
    assert_eq!(
        seen.body,
        r#"{"a":12345678901234567890123456789012345678901234567890,"b":1.10,"c":1e400,"d":-0,"e":0.5,"f":"007","g":"+49","h":"0x1F","i":"yes","j":null,"k":true,"l":"2024-01-01","m":" 5 ","n":"1:30","o":"${HOME} $$5"}"#
    );
}
