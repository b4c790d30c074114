//! A kind of action that was added by one file and one line runs from YAML to everything that shows a run.

use super::*;

const TOY: &str = r#"
scenario: toy
inputs:
  text: abc
steps:
  - step: turn
    flip: "{{ inputs.text }}"
    expect: flipped == 'cba'
    capture: { turned: flipped }
  - step: fall
    flip: "T{{ turned }}"
    heads: true
"#;

/// A service that has read this scenario besides.
async fn with_scenario(text: &str) -> (Service, Answer) {
    let service = Service::start().await;
    let path = service.folder.path().join("scenarios/toy.yaml");
    std::fs::write(path, text).unwrap();
    let answer = service.order("POST", "/api/v1/reload", "").await;
    (service, answer)
}

#[tokio::test]
async fn a_toy_action_runs_from_yaml_to_metrics_history_and_console() {
    let (service, answer) = with_scenario(TOY).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = "{ scenario: toy, target: contact-center, load: { chats: 2 } }";
    let started = service.order("POST", "/api/v1/bursts", body).await.json();
    let run = started["id"].as_str().unwrap();
    let ended = || matches!(service.web.scheduler.run(run), Some(RunEntry::Ended(_)));
    until(ended).await;

    let metrics = service.get("/metrics").await.text;
    let count = |name: &str, labels: &[&str]| -> u64 {
        let series = metrics.lines().find(|line| {
            line.starts_with(name)
                && line.contains(r#"scenario="toy""#)
                && labels.iter().all(|label| line.contains(label))
        });
        let series = series.unwrap_or_else(|| panic!("no {name} {labels:?} in {metrics}"));
        series.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let (turn, fall) = (r#"step="turn""#, r#"step="fall""#);
    let disconnected = r#"reason="disconnected""#;
    let failed = "chatprobe_steps_failed_total";
    assert_eq!(count("chatprobe_steps_passed_total", &[turn]), 2);
    assert_eq!(count(failed, &[turn, disconnected]), 0);
    assert_eq!(count(failed, &[fall, disconnected]), 2);

    let failures = service.get("/api/v1/failures").await.json();
    let failure = &failures["failures"][0];
    assert_eq!(failure["step"], "fall");
    assert_eq!(failure["reason"], "disconnected");
    let id = failure["id"].as_str().unwrap();
    let whole = service.get(&format!("/api/v1/failures/{id}")).await.json();
    assert_eq!(whole["steps"][0]["step"], "turn");
    assert_eq!(whole["steps"][1]["detail"], "`Tcba` fell on its head");

    let page = service.get(&format!("/failures/{id}")).await.text;
    assert!(page.contains("`Tcba` fell on its head"), "{page}");
    let page = service.get(&format!("/runs/{run}")).await.text;
    assert!(page.contains("turn") && page.contains("fall"), "{page}");
    let scenarios = service.get("/api/v1/scenarios").await.json();
    let scenarios = scenarios.as_array().unwrap().iter();
    let toy = { scenarios }.find(|it| it["name"] == "toy").unwrap();
    assert_eq!(toy["steps"][0]["action"], "flip");
}

#[tokio::test]
async fn what_belongs_to_a_toy_action_is_refused_elsewhere() {
    for (step, problem) in [
        (
            "{ step: a, http: { get: 'http://h/' }, heads: true }",
            "`heads` belongs to a `flip`",
        ),
        (
            "{ step: a, http: { get: 'http://h/' }, expect: flipped == 'a' }",
            "it is known in `expect` and `capture` of a `flip` step",
        ),
        (
            "{ step: a, flip: x, expect: status == 200 }",
            "it is known in `expect` and `capture` of an `http` step",
        ),
        (
            "{ step: a, flip: x, observe: agent_join }",
            "`observe` belongs to an `http` with `poll` or a `wait_for`",
        ),
        (
            "{ step: a, flip: x, body_limit: 1MB }",
            "`body_limit` belongs to an `http`",
        ),
    ] {
        let (_, answer) = with_scenario(&format!("scenario: toy\nsteps: [{step}]\n")).await;
        let (status, _, problems) = answer.refusal();
        assert_eq!((status, problems.len()), (422, 1), "{step}: {problems:?}");
        assert!(problems[0].contains(problem), "{step}: {problems:?}");
    }
}
