//! Whatever is wrong with a configuration, with what names its scenarios and with the command line is told at once.

use super::plain_words::refused;
use crate::support::{Folder, Service, plain};

#[tokio::test]
async fn wrong_inputs_steps_and_options_come_with_all_other_problems() {
    let folder = Folder::new();
    let scenario = "scenario: odd
inputs: { count: { type: integer }, pause: 1s }
steps:
  - { step: open, http: { get: '{{ target.url }}/' }, expct: true }
  - repeat: 2
    steps: [{ step: say, http: { get: '{{ target.url }}/' } }]
";
    folder.write("odd.yaml", scenario);
    let text = "
targets: { t: { url: 'http://127.0.0.1:9' } }
scenarios: [odd.yaml]
probes:
  p: { scenario: odd, target: nowhere, every: 1h, inputs: { count: 1, puase: 2s } }
bursts:
  b: { scenario: odd, target: t, load: { rate: 1/s }, inputs: { pause: x }, thresholds: [{ step: opn, p95: 1s }, { step: say, p95: 1s }] }
";
    let file = folder.write("chatprobe.yaml", text);
    let baseline = folder.argument("missing.json");
    let whole = [
        "odd.yaml:4:",
        "unknown key `expct`; did you mean `expect`?",
        "no target named `nowhere`",
        "scenario `odd` has no input `puase`; did you mean `pause`?",
        "`for` is missing",
        "input `pause`: `x` is not a duration",
        "input `count` of scenario `odd` has no default",
        "no step is called `opn`; did you mean `open`?",
    ];
    let log = refused(&["check", &file]).await;
    for says in whole {
        assert!(log.contains(says), "`{says}` in:\n{log}");
    }
    assert!(!log.contains("`say`"), "that step exists: {log}");
    let of_run = [
        "run",
        "odd",
        "--config",
        &file,
        "--input",
        "cont=5",
        "--threshold",
        "{ step: sya, max: 1s }",
        "--load",
        "{ chats: 0 }",
        "--callback-url",
        "here",
        "--baseline",
        &baseline,
    ];
    let log = refused(&of_run).await;
    let options = [
        "--input: scenario `odd` has no input `cont`; did you mean `count`?",
        "no step is called `sya`; did you mean `say`?",
        "--load:1:10:",
        "--callback-url: `here`",
        "--baseline: `",
    ];
    for says in whole.into_iter().chain(options) {
        assert!(log.contains(says), "`{says}` in:\n{log}");
    }
}

#[tokio::test]
async fn a_request_for_a_burst_is_refused_for_all_that_is_wrong_with_it() {
    let service = Service::start(&plain("http://127.0.0.1:9", "")).await;
    let body = "{ scenario: contact-center-chat, target: nowhere, load: { chats: 0 }, inputs: { mesages: 1 }, thresholds: [{ step: agnt_join, p95: 1s }] }";
    let answer = service.order("POST", "/api/v1/bursts", body).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    let problems = answer.body["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 4, "{problems:?}");
    for (problem, says) in problems.iter().zip([
        "no target named `nowhere`",
        "at least 1",
        "did you mean `messages`?",
        "did you mean `agent_join`?",
    ]) {
        assert!(problem.as_str().unwrap().contains(says), "{problems:?}");
    }
}

#[tokio::test]
async fn parameters_of_the_api_are_refused_in_plain_words() {
    let service = Service::start(&plain("http://127.0.0.1:9", "")).await;
    for (query, says) in [
        ("limit=x", "parameter `limit`: expected a whole number"),
        ("limit=", "parameter `limit`: expected a whole number"),
        ("limit=5&limit=6", "the parameter `limit` is given twice"),
        ("lmit=5", "unknown parameter `lmit`; did you mean `limit`?"),
        (
            "mode=prob",
            "parameter `mode`: unknown word `prob`; did you mean `probe`?",
        ),
    ] {
        let answer = service.read(&format!("/api/v1/runs?{query}")).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        let error = answer.text("error");
        assert!(error.starts_with(says), "{query}: {error}");
        super::mistaken::plain(&error);
    }
}
