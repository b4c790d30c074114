use super::*;

async fn one_step(step: &str) -> RunReport {
    let (bench, _puppet) = Bench::with_puppet().await;
    let scenario = format!("steps:\n  - step: ask\n{step}");
    bench.run(&scenario, "{ chats: 1 }").await
}

#[tokio::test]
async fn without_another_expectation_the_status_has_to_be_2xx() {
    let ask = |status: u16, more: &str| {
        format!(
            "    http: {{ post: '{{{{ target.url }}}}', json: {{ status: {status}, answer: {{ n: 1 }} }} }}\n{more}"
        )
    };
    for (status, more, passes) in [
        (204, "", true),
        (304, "", false),
        (500, "", false),
        (500, "    expect: body.n == 1", false),
        (500, "    expect: status >= 500", true),
        (200, "    expect: status == 201", false),
    ] {
        let report = one_step(&ask(status, more)).await;
        let expected = if passes {
            (1, vec![])
        } else {
            (0, vec![Reason::Status])
        };
        assert_eq!(step(&report, "ask"), expected, "{status} {more}");
    }
    let report = one_step(&ask(503, "")).await;
    assert_eq!(report.failures[0].detail, r#"answered 503: {"n":1}"#);
    assert_eq!(report.verdict_reasons, ["1 of 1 chats failed"]);
}

#[tokio::test]
async fn what_is_expected_and_not_there_is_told_with_the_answer() {
    let ask = "    http: { post: '{{ target.url }}', json: { answer: { n: 1, none: null } } }\n";
    let report = one_step(&format!("{ask}    expect: [ status == 200, body.n == 2 ]")).await;
    assert_eq!(step(&report, "ask"), (0, vec![Reason::Expectation]));
    let detail = &report.failures[0].detail;
    assert_eq!(
        detail,
        r#"expected `body.n == 2`; answered 200: {"n":1,"none":null}"#
    );
    for missing in ["body.m", "body.none", "headers['x-none']"] {
        let capture = format!("{ask}    capture: {{ m: \"{missing}\" }}");
        let report = one_step(&capture).await;
        assert_eq!(step(&report, "ask"), (0, vec![Reason::Capture]));
        let detail = &report.failures[0].detail;
        assert!(detail.starts_with("`m` cannot be captured"), "{detail}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_a_timeout_and_no_latency() {
    let ask =
        "    http: { post: '{{ target.url }}', json: { wait_ms: 60000 } }\n    timeout: 50ms\n";
    let report = one_step(ask).await;
    assert_eq!(step(&report, "ask"), (0, vec![Reason::Timeout]));
    assert_eq!(report.steps[0].latency.count, 0);
    assert_eq!(report.chat_duration.count, 0);
}

#[tokio::test]
async fn captures_of_the_setup_are_known_to_every_chat_and_those_of_a_chat_to_itself() {
    let (bench, puppet) = Bench::with_puppet().await;
    let scenario = "
setup:
  - step: hook
    http: { post: '{{ target.url }}/hook', json: { answer: { id: 7 } } }
    capture: { hook: body.id }
steps:
  - step: open
    http: { post: '{{ target.url }}/{{ hook }}/open', json: { answer: { id: '{{ chat.number }}' } } }
    capture: { id: body.id }
  - step: say
    http: { post: '{{ target.url }}/{{ hook }}/{{ id }}/{{ chat.number }}' }
teardown:
  - step: unhook
    http: { post: '{{ target.url }}/{{ hook }}' }
";
    let report = bench.run(scenario, "{ chats: 3, ramp: 300ms }").await;
    assert_eq!(report.chats.passed, 3);
    let said = |path: &&String| path.split('/').count() == 4;
    let requests = puppet.requests();
    let mut said: Vec<_> = requests.iter().filter(said).collect();
    said.sort();
    assert_eq!(said, ["/7/1/1", "/7/2/2", "/7/3/3"]);
    assert_eq!(requests.last().unwrap(), "/7");
}

#[tokio::test]
async fn a_repeat_counts_its_rounds_and_a_step_runs_only_when_it_should() {
    let (bench, puppet) = Bench::with_puppet().await;
    let scenario = "
inputs: { rounds: 3 }
steps:
  - repeat: '{{ inputs.rounds }}'
    steps:
      - step: odd
        when: repeat.index is odd
        http: { post: '{{ target.url }}/{{ repeat.index }}', json: { answer: { n: '{{ repeat.index }}' } } }
        capture: { last: body.n }
      - repeat: 2
        when: repeat.index == 2
        steps:
          - step: inner
            http: { post: '{{ target.url }}/{{ last }}/{{ repeat.index }}' }
  - repeat: 0
    steps:
      - step: never
        http: { post: '{{ target.url }}/never' }
";
    let report = bench.run(scenario, "{ chats: 1 }").await;
    assert_eq!(puppet.requests(), ["/1", "/1/1", "/1/2", "/3"]);
    assert_eq!(step(&report, "odd"), (2, vec![]));
    assert_eq!(step(&report, "inner"), (2, vec![]));
    assert_eq!(step(&report, "never"), (0, vec![]));
    assert_eq!(report.verdict, Some(Verdict::Passed));
}
