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
