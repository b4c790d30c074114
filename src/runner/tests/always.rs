use super::*;

const CHAT: &str = "
steps:
  - step: open
    http: { post: '{{ target.url }}/open', json: { answer: { id: 5 } } }
    capture: { id: body.id }
  - step: talk
    http: { post: '{{ target.url }}/talk', json: { status: STATUS } }
  - step: rest
    http: { post: '{{ target.url }}/rest' }
always:
  - step: broken
    http: { post: '{{ target.url }}/broken', json: { status: 500 } }
  - step: after_failure
    when: not passed
    http: { post: '{{ target.url }}/after_failure/{{ id }}' }
  - step: after_success
    when: passed
    http: { post: '{{ target.url }}/after_success/{{ id }}' }
";

#[tokio::test]
async fn always_steps_run_after_a_failure_each_regardless_of_the_others() {
    let (bench, puppet) = Bench::with_puppet().await;
    let report = bench
        .run(&CHAT.replace("STATUS", "500"), "{ chats: 1 }")
        .await;
    assert_eq!(
        puppet.requests(),
        ["/open", "/talk", "/broken", "/after_failure/5"]
    );
    assert_eq!(report.failures[0].step, "talk");
    assert_eq!(step(&report, "broken"), (0, vec![Reason::Status]));
    assert_eq!(step(&report, "after_failure"), (1, vec![]));
}

#[tokio::test]
async fn a_failure_of_an_always_step_is_none_of_the_chat() {
    let (bench, puppet) = Bench::with_puppet().await;
    let report = bench
        .run(&CHAT.replace("STATUS", "200"), "{ chats: 1 }")
        .await;
    let requests = ["/open", "/talk", "/rest", "/broken", "/after_success/5"];
    assert_eq!(puppet.requests(), requests);
    assert_eq!(report.chats.passed, 1);
    assert_eq!(report.verdict, Some(Verdict::Passed));
    assert_eq!(step(&report, "broken"), (0, vec![Reason::Status]));
}

#[tokio::test(start_paused = true)]
async fn a_chat_lasts_as_long_as_its_steps_and_ends_after_its_always_steps() {
    let bench = Bench::new();
    let scenario = "{ steps: [ { think: 2s } ], always: [ { think: 5s } ] }";
    let text = scenario
        .trim_matches(['{', '}'])
        .replace(", always", "\nalways");
    let report = bench.run(text.trim(), "{ chats: 1 }").await;
    assert_eq!(bench.heard.durations(), [s(2)]);
    assert_eq!(bench.heard.ends(), [s(7)]);
    assert_eq!(report.chats.passed, 1);
}
