mod entries;
mod fuzz;
mod together;

use std::time::Duration;

use super::*;
use crate::document::parse;

fn read(yaml: &str) -> Result<Scenario, Vec<String>> {
    let problems = Problems::default();
    let node = parse("s.yaml", yaml).unwrap();
    let scenario = Scenario::read(&node, &problems);
    match problems.into_result() {
        Ok(()) => Ok(scenario.unwrap()),
        Err(list) => Err(list.iter().map(ToString::to_string).collect()),
    }
}

const CHAT: &str = "
scenario: chat
inputs: { messages: 2, wait: 20s }
callbacks: { key: event.id }
setup:
  - step: hook
    http: { post: '{{ target.url }}/hooks', json: [{ url: '{{ callback.url }}' }] }
    expect: status in [200, 201]
    capture: { hook_id: body.id }
steps:
  - step: open
    http: { post: '{{ target.url }}/chats', json: { name: 'Customer {{ chat.number }}', key: '{{ target.api_key }}' } }
    capture: { chat_id: body.id }
    claim: chat_id
  - think: { uniform: [1s, 2s] }
  - repeat: '{{ inputs.messages }}'
    steps:
      - step: say
        http: { post: '{{ target.url }}/chats/{{ chat_id }}', json: { parent: '{{ last | default(0) }}' } }
      - step: hear
        wait_for: event.kind == 'reply'
        timeout: '{{ inputs.wait }}'
        capture: { last: event.number }
always:
  - step: close
    when: chat_id is defined and not passed
    http: { delete: '{{ target.url }}/chats/{{ chat_id }}' }
teardown:
  - step: unhook
    when: hook_id is defined
    http: { delete: '{{ target.url }}/hooks/{{ hook_id }}' }
";

#[test]
fn a_whole_scenario_is_read() {
    let scenario = read(CHAT).unwrap();
    let names: Vec<_> = scenario
        .all_steps()
        .iter()
        .map(|step| step.name.to_string())
        .collect();
    assert_eq!(names, ["hook", "open", "say", "hear", "close", "unhook"]);
    let variables: Vec<_> = scenario.target_variables.keys().collect();
    assert_eq!(variables, ["api_key", "url"]);
}

#[test]
fn a_step_is_known_by_its_place_among_all_steps_in_whatever_order_the_parts_are_written() {
    let (before, teardown) = CHAT.split_once("teardown:").unwrap();
    let scenario = read(&format!("teardown:{teardown}{before}")).unwrap();
    let ids = scenario.all_steps();
    let ids: Vec<_> = ids.iter().map(|step| step.id.index()).collect();
    assert_eq!(ids, [0, 1, 2, 3, 4, 5]);
    assert_eq!(scenario.step_named("hear"), Some(StepId::at(3)));
    assert_eq!(scenario.step_named("unhook"), Some(StepId::at(5)));
    assert_eq!(scenario.step_named("none"), None);
}

#[test]
fn all_problems_of_a_scenario_are_reported_at_once() {
    let broken = CHAT
        .replace("callbacks: { key", "calbacks: { key")
        .replace("timeout: '{{ inputs.wait }}'", "timeout: -1s")
        .replace("step: close", "step: open");
    assert_eq!(
        read(&broken).unwrap_err(),
        [
            "s.yaml:4:1: unknown key `calbacks`; did you mean `callbacks`?",
            "s.yaml:7:63: `callback` needs the scenario to say `callbacks: { key: ... }`",
            "s.yaml:14:12: a `claim` needs the scenario to say `callbacks: { key: ... }`",
            "s.yaml:21:19: a `wait_for` needs the scenario to say `callbacks: { key: ... }`",
            "s.yaml:22:18: `-1s` is negative; a duration is zero or more",
            "s.yaml:25:11: a second step named `open`; the first stands at line 11, and metrics could not tell them apart",
        ]
    );
}

fn steps(yaml: &str) -> Result<Scenario, Vec<String>> {
    read(&format!(
        "scenario: s\ninputs: {{ n: 2 }}\ncallbacks: {{ key: event.id }}\nsteps:\n{yaml}"
    ))
}

#[test]
fn a_capture_sees_those_before_it_and_not_those_behind() {
    let http = "- step: a\n  http: { get: '{{ target.url }}/' }\n";
    let scenario = steps(&format!(
        "{http}  capture: {{ one: body.a, two: one ~ 'x' }}"
    ))
    .unwrap();
    let steps_read = scenario.all_steps();
    let names: Vec<_> = steps_read[0]
        .captures
        .iter()
        .map(|(name, _)| &**name)
        .collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(
        steps(&format!(
            "{http}  capture: {{ two: one ~ 'x', one: body.a }}"
        ))
        .unwrap_err(),
        [
            "s.yaml:7:19: `one` does not exist yet: step `a` captures it, and does not run before this"
        ]
    );
}

#[test]
fn a_round_sees_what_the_one_before_captured() {
    let read = steps(
        "- repeat: 2\n  steps:\n  - step: a\n    when: last is undefined or repeat.index > 1\n    \
         http: { get: '{{ target.url }}/' }\n    capture: { last: body.id }\n\
         - think: '{{ last }}'",
    );
    read.unwrap();
}

#[test]
fn a_step_without_an_expectation_of_the_status_expects_success() {
    let scenario = steps(
        "- step: a\n  http: { get: '{{ target.url }}/' }\n  expect: body.a == 1\n\
         - step: b\n  http: { get: '{{ target.url }}/' }\n  expect: [body.a == 1, status < 500]",
    )
    .unwrap();
    let expects: Vec<_> = scenario
        .all_steps()
        .iter()
        .map(|step| match &step.action {
            Action::Http(action) => action.takes_status(404),
            _ => panic!("no request"),
        })
        .collect();
    assert_eq!(expects, [false, true]);
}

/// The limit of the body and the redirects of the only step.
fn limits(step: &str) -> (Option<usize>, usize) {
    let scenario = steps(&format!(
        "- {{ step: a, http: {{ get: 'http://h' }}, {step} }}"
    ))
    .unwrap();
    let Action::Http(action) = &scenario.all_steps()[0].action else {
        panic!("no request");
    };
    let scope = Scope::of_run(Arc::new(RunScope::default()));
    let request = action.render(&Arc::new(scope), Duration::ZERO).unwrap();
    let most = request.redirects.map_or(0, |redirects| redirects.most);
    (request.body_limit, most)
}

#[test]
fn a_body_has_a_limit_only_where_an_expression_looks_at_it() {
    for step in [
        "expect: body.a == 1",
        "expect: [status == 200, body is defined]",
        "capture: { a: body }",
    ] {
        assert_eq!(limits(step), (Some(1 << 20), 0), "{step}");
        let step = format!("{step}, body_limit: 5MB, follow: 20");
        assert_eq!(limits(&step), (Some(5_000_000), 20), "{step}");
    }
    for step in [
        "timeout: 1s",
        "expect: headers.body == 'a'",
        "capture: { a: headers.a }",
    ] {
        assert_eq!(limits(step), (None, 0), "{step}");
    }
}

#[test]
fn what_is_about_an_answer_does_not_belong_to_a_wait() {
    for key in ["follow: 1", "body_limit: 1MB"] {
        let problems = read(&format!(
            "scenario: s\ncallbacks: {{ key: event.k }}\nsteps:\n\
             - {{ step: a, http: {{ get: 'http://h' }}, claim: chat.id }}\n\
             - {{ step: b, wait_for: event.x, {key} }}\n"
        ));
        assert_eq!(problems.unwrap_err().len(), 1, "{key}");
    }
}

#[test]
fn a_step_says_with_one_word_that_the_chat_goes_on_without_it() {
    let step = "- step: a\n  http: { get: 'http://h' }";
    let goes_on = |rest: &str| {
        let scenario = steps(&format!("{step}{rest}"));
        scenario.map(|scenario| match scenario.all_steps()[0].otherwise {
            Otherwise::End => false,
            Otherwise::Continue => true,
            Otherwise::Retry(_) | Otherwise::Perform(_) => panic!("{rest}"),
        })
    };
    assert_eq!(goes_on(""), Ok(false));
    assert_eq!(goes_on("\n  else: continue"), Ok(true));
    for other in ["stop", "true", "~", "[continue]"] {
        let problems = goes_on(&format!("\n  else: {other}")).unwrap_err();
        let [problem] = &problems[..] else {
            panic!("{other}: {problems:?}");
        };
        assert!(problem.starts_with("s.yaml:7:9: "), "{problem}");
    }
}

#[test]
fn inputs_are_what_was_set_or_their_default() {
    let scenario = read(
        "scenario: s\ninputs: { n: 2, wait: 5s, text: a, open: { type: integer } }\nsteps: [{ think: 1s }]",
    )
    .unwrap();
    let resolve = |yaml: &str| {
        let problems = Problems::default();
        let node = parse("set", yaml).unwrap();
        let entries = node.entries("inputs", &problems);
        scenario
            .resolve_inputs(entries, &Place::whole("probe"), &problems)
            .map(|inputs| serde_json::to_string(&inputs).unwrap())
            .ok_or_else(|| problems.into_result().unwrap_err()[0].to_string())
    };
    assert_eq!(
        resolve("{ open: 7, text: 12, wait: 1m }").unwrap(),
        r#"{"n":2,"open":7,"text":"12","wait":"1m"}"#
    );
    assert_eq!(
        resolve("{ n: 3 }").unwrap_err(),
        "probe: input `open` of scenario `s` has no default; set it here"
    );
}

#[test]
fn what_is_no_problem_of_its_own_is_not_reported() {
    // Each of these has one mistake, and everything that depends on it is left alone.
    for (yaml, problem) in [
        (
            "- step: a\n  wait_fro: event.x\n  capture: { b: event.b }\n- think: '{{ b }}'",
            2,
        ),
        ("- stpe: a\n  capture: { b: body.b }\n- think: '{{ b }}'", 2),
        (
            "- step: a\n  http: { get: 'http://h' }\n  claim: run.id\n\
             - step: b\n  wait_for: event.\n  capture: { c: event.c }\n  expect: event.d",
            1,
        ),
    ] {
        let problems = steps(yaml).unwrap_err();
        assert_eq!(problems.len(), problem, "{problems:#?}");
    }
}

#[test]
fn two_scenarios_that_say_the_same_have_one_fingerprint() {
    let one = read(CHAT).unwrap();
    let same = read(&format!("# a comment\n{CHAT}")).unwrap();
    let other = read(&CHAT.replace("20s", "21s")).unwrap();
    assert_eq!(one.fingerprint, same.fingerprint);
    assert_ne!(one.fingerprint, other.fingerprint);
}
