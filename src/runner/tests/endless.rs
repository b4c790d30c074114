//! Expressions that take more than a chat may: the chat fails and nothing else is held up.

use super::*;

const LOOP: &str = "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}";
const LONG: &str = "{% for a in range(9999) %}{{ 'x' * 9999 }}{% endfor %}";
/// More than a chat may keep.
const LARGE: &str = "'x' * 2000000";

#[tokio::test]
async fn wherever_it_stands_it_fails_the_chat_as_a_template() {
    let get = "http: { get: '{{ target.url }}' }";
    for step in [
        format!("http: {{ get: \"{{{{ target.url }}}}/{LOOP}\" }}"),
        format!("http: {{ get: '{{{{ target.url }}}}', headers: {{ a: \"{LOOP}\" }} }}"),
        format!("http: {{ get: '{{{{ target.url }}}}', query: {{ a: \"{LOOP}\" }} }}"),
        format!("http: {{ post: '{{{{ target.url }}}}', json: {{ a: [\"{LOOP}\"] }} }}"),
        format!("http: {{ post: '{{{{ target.url }}}}', form: {{ a: \"{LOOP}\" }} }}"),
        format!("http: {{ post: '{{{{ target.url }}}}', body: \"{LOOP}\" }}"),
        format!("http: {{ post: '{{{{ target.url }}}}', body: \"{LONG}\" }}"),
        "http: { post: '{{ target.url }}', body: \"{{ 'x' * 99999999 }}\" }".to_owned(),
        "http: { post: '{{ target.url }}', json: \"{{ 'x' * 99999999 }}\" }".to_owned(),
        format!("{get}\n    capture: {{ a: \"{LARGE}\" }}"),
    ] {
        let (bench, _puppet) = Bench::with_puppet().await;
        let scenario = format!("steps:\n  - step: ask\n    {step}");
        let report = bench.run(&scenario, "{ chats: 1 }").await;
        let expected = (0, vec![Reason::Template]);
        assert_eq!(super::step(&report, "ask"), expected, "{step}");
    }
}

#[tokio::test]
async fn a_captured_text_that_grows_ends_the_chat() {
    let (bench, puppet) = Bench::with_puppet().await;
    let scenario = "
steps:
  - repeat: 60
    steps:
      - step: ask
        http: { get: '{{ target.url }}' }
        capture: { all: \"(all | default('x')) ~ (all | default('x'))\" }
";
    let report = bench.run(scenario, "{ chats: 1 }").await;
    // A text of 2^20 and what is around it is too much.
    assert_eq!(super::step(&report, "ask"), (19, vec![Reason::Template]));
    assert_eq!(puppet.requests().len(), 20);
}

#[tokio::test]
async fn a_captured_list_that_nests_ends_the_chat() {
    let (bench, _puppet) = Bench::with_puppet().await;
    let scenario = "
steps:
  - repeat: 2000
    steps:
      - step: ask
        http: { get: '{{ target.url }}' }
        capture: { all: \"[all | default(0)]\" }
";
    let report = bench.run(scenario, "{ chats: 1 }").await;
    assert_eq!(super::step(&report, "ask"), (512, vec![Reason::Template]));
}
