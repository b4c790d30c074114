mod performing;

use std::sync::Arc;

use crate::{
    document::{Problems, parse},
    scenario::{Action, Awaited, Observation, Otherwise, Reason, RunScope, Scenario, Scope, Step},
};

/// What is read of a scenario with these parts; each in a line of its own.
fn read(parts: &[&str]) -> Result<Scenario, Vec<String>> {
    let problems = Problems::default();
    let node = parse("s.yaml", &format!("scenario: s\n{}", parts.join("\n"))).unwrap();
    let scenario = Scenario::read(&node, &problems);
    match problems.into_result() {
        Ok(()) => Ok(scenario.unwrap()),
        Err(list) => Err(list.iter().map(ToString::to_string).collect()),
    }
}

const CONNECT: &str = "- { step: open, connect: '{{ target.url }}/socket' }";
const ANOTHER: &str = "- { step: open_other, connect: { url: 'wss://h/', as: other } }";

/// What is read of these steps.
fn steps(steps: &[&str]) -> Result<Scenario, Vec<String>> {
    read(&[&["steps:"], steps].concat())
}

/// The only problem, which stands in this line.
fn problem(read: Result<Scenario, Vec<String>>, line: usize) -> String {
    let problems = read.expect_err("a problem");
    let [problem] = &problems[..] else {
        panic!("{problems:#?}");
    };
    let place = format!("s.yaml:{line}:");
    assert!(problem.starts_with(&place), "{problem}");
    problem.clone()
}

fn last(scenario: &Scenario) -> &Step {
    scenario.all_steps().pop().unwrap()
}

#[test]
fn every_kind_of_step_about_sockets_is_read_with_all_that_it_has() {
    let scenario = read(&[
        "inputs: { every: 25s }",
        "deliveries: { id: frame.json.id, containing: '\"id\":', within: 5s }",
        "replies:",
        "- { when: frame.text == '2', send: '3' }",
        "- { when: frame.json.ask, send: { json: { of: '{{ frame.json.id }}', token: '{{ token }}' } }, socket: other }",
        "every: [{ interval: '{{ inputs.every }}', send: ping }, { interval: 10s, send: { binary: { hex: 0a } }, socket: other }]",
        "steps:",
        "- step: open",
        "  connect: { url: '{{ target.url }}/socket', headers: { x-a: '{{ chat.id }}' }, protocols: [a.b, '{{ target.key }}'], ping: { every: '{{ inputs.every }}', within: 5s } }",
        "  member_of: lobby",
        "  expect: [status == 101, protocol == 'a.b', headers.upgrade == 'websocket', elapsed < 1]",
        "  capture: { token: headers_all.x }",
        ANOTHER,
        "- { step: say, send: { json: { id: '{{ chat.id }}-1' } }, publish: { id: '{{ chat.id }}-1', to: lobby }, socket: socket, expect: elapsed < 1 }",
        "- { step: hear, receive: frame.json.id == chat.id ~ '-1', since: say, observe: agent_join, timeout: 5s, else: continue, capture: { heard: frame.json.text, kind: frame.kind } }",
        "- { step: hear_other, receive: true, socket: other }",
        "- { step: end, close: { code: 4000, reason: '{{ heard }}' }, socket: other, expect: closed.code == 4000 and closed.by == 'us' }",
        "always:",
        "- { step: leave, close: , socket: socket }",
    ])
    .unwrap();
    let steps = scenario.all_steps();
    let keys: Vec<_> = steps.iter().map(|step| step.action.key()).collect();
    assert_eq!(
        keys,
        [
            "connect", "connect", "send", "receive", "receive", "close", "close"
        ]
    );
    let sources: Vec<_> = steps
        .iter()
        .filter_map(|step| Some(step.action.as_wait()?.source.clone()))
        .collect();
    assert_eq!(
        sources,
        [
            Awaited::Socket(None),
            Awaited::Socket(Some(Arc::from("other")))
        ]
    );
    let connects: Vec<_> = steps
        .iter()
        .filter_map(|step| step.action.connects())
        .map(|name| &**name)
        .collect();
    assert_eq!(connects, ["socket", "other"]);
    assert!(scenario.connects());
    let hear = steps[3];
    assert!(matches!(hear.otherwise, Otherwise::Continue));
    assert_eq!(hear.observe, Some(Observation::AgentJoin));
    let since = hear.action.as_wait().unwrap().since;
    assert_eq!(since.map(|marked| marked.step), Some(steps[2].id));
    let deliveries = scenario.sockets.deliveries.as_ref().unwrap();
    assert_eq!(deliveries.within.as_secs(), 5);
    assert!(scenario.target_variables.contains_key("key"));
}

#[test]
fn what_needs_a_socket_stands_in_a_chat_below_a_connect() {
    for step in ["send: a", "receive: true", "close: true"] {
        let step = format!("- {{ step: use, {step} }}");
        steps(&[CONNECT, &step]).unwrap();
        problem(steps(&[&step, CONNECT]), 3);
        problem(steps(&[&step]), 3);
        for part in ["setup:", "teardown:"] {
            let around = [part, &step, "steps:", CONNECT].join("\n");
            let line = 3;
            let told = problem(read(&[&around]), line);
            assert!(told.contains("`setup`"), "{told}");
        }
        let chat = ["steps:", CONNECT, "always:", &step].join("\n");
        read(&[&chat]).unwrap();
    }
    let told = problem(read(&["setup:", CONNECT, "steps: [{ think: 1s }]"]), 3);
    assert!(told.contains("`setup`"), "{told}");
}

#[test]
fn a_socket_is_known_by_its_name_and_the_only_one_without() {
    for step in ["send: a", "close: true"] {
        let unnamed = format!("- {{ step: use, {step} }}");
        let told = problem(steps(&[CONNECT, ANOTHER, &unnamed]), 5);
        assert!(told.contains("`socket`, `other`"), "{told}");
        let named = format!("- {{ step: use, {step}, socket: other }}");
        steps(&[CONNECT, ANOTHER, &named]).unwrap();
        let told = problem(steps(&[CONNECT, &named, ANOTHER]), 4);
        assert!(told.contains("`other`"), "{told}");
    }
    let wrong = "- { step: use, receive: true, socket: othr }";
    let told = problem(steps(&[CONNECT, ANOTHER, wrong]), 5);
    assert!(told.contains("did you mean `other`"), "{told}");
    let again = "- { step: again, connect: 'ws://h' }";
    steps(&[CONNECT, again, "- { step: use, send: a }"]).unwrap();
}

#[test]
fn keys_stand_where_they_have_a_meaning() {
    let get = "http: { get: 'http://h' }";
    let open = "connect: 'ws://h'";
    for (action, key, belongs) in [
        (get, "socket: socket", "`send`, `receive` or `close`"),
        (get, "member_of: b", "`connect`, `send` or `receive`"),
        ("close:", "member_of: b", "`connect`, `send` or `receive`"),
        (
            "receive: true",
            "publish: { id: a, to: b }",
            "belongs to a `send`",
        ),
        ("send: b", "as: c", "`connect: { url: ..., as: NAME }`"),
        ("send: b", "since: open", "unknown key `since`"),
        ("send: b", "observe: agent_join", "`receive`"),
        (open, "as: b", "`connect: { url: ..., as: NAME }`"),
        (
            open,
            "ping: { every: 1s }",
            "`connect: { url: ..., ping: { every: 20s } }`",
        ),
        (open, "socket: b", "`send`, `receive` or `close`"),
    ] {
        let step = format!("- {{ step: a, {action}, {key} }}");
        let told = problem(steps(&[CONNECT, &step]), 4);
        assert!(told.contains(belongs), "{step}: {told}");
    }
}

#[test]
fn what_cannot_be_sent_or_opened_is_found_when_it_is_read() {
    for connect in [
        "'{{ target.url }}/a'",
        "'http://h'",
        "'WSS://h/a?b=c'",
        "{ url: 'ws://h', protocols: xmpp }",
        "{ url: 'ws://h', max_message: 64MiB }",
    ] {
        steps(&[&format!("- {{ step: a, connect: {connect} }}")]).unwrap();
    }
    for connect in [
        "/a",
        "'ftp://h'",
        "'ws://user:pw@h/'",
        "[a]",
        "{ as: b }",
        "{ url: 'ws://h', as: 'a b' }",
        "{ url: 'ws://h', protocols: [a, 'b c'] }",
        "{ url: 'ws://h', protocols: '' }",
        "{ url: 'ws://h', ping: 5s }",
        "{ url: 'ws://h', ping: { every: 0s } }",
        "{ url: 'ws://h', ping: { every: 1s, within: 0s } }",
        "{ url: 'ws://h', headers: { Sec-WebSocket-Key: a } }",
        "{ url: 'ws://h', headers: { content-length: 1 } }",
        "{ url: 'ws://h', other: 1 }",
        "{ url: 'ws://h', max_message: 0 }",
        "{ url: 'ws://h', max_message: 65MiB }",
        "{ url: 'ws://h', max_message: long }",
    ] {
        problem(steps(&[&format!("- {{ step: a, connect: {connect} }}")]), 3);
    }
    let long = format!("{{ reason: {} }}", "a".repeat(124));
    for close in ["false", "1000", "{ code: 1006 }", "{ code: 5000 }", &long] {
        problem(
            steps(&[CONNECT, &format!("- {{ step: a, close: {close} }}")]),
            4,
        );
    }
}

#[test]
fn what_holds_for_all_sockets_is_checked_whether_a_step_uses_it_or_not() {
    let open = ["steps:", CONNECT].join("\n");
    for rule in [
        "replies: { when: true, send: a }",
        "replies: [{ send: a }]",
        "replies: [{ when: event.a, send: a }]",
        "replies: [{ when: frame.txt, send: a }]",
        "replies: [{ when: true, send: a, socket: other }]",
        "every: [{ interval: 1ms, send: a }]",
        "every: [{ send: a }]",
        "every: [{ interval: 1s, send: '{{ frame.text }}' }]",
        "deliveries: { id: frame.json.id, within: 5s }",
    ] {
        problem(read(&[rule, &open]), 2);
    }
    for rule in [
        "replies: [{ when: true, send: a }]",
        "every: [{ interval: 1s, send: a }]",
    ] {
        read(&[rule, &open]).unwrap();
        problem(read(&[rule, "steps: [{ think: 1s }]"]), 2);
    }
    let member = ["steps:\n- { step: open, connect: 'ws://h', member_of: lobby }"].join("");
    for rule in [
        "deliveries: { within: 5s }",
        "deliveries: { id: frame.json.id }",
        "deliveries: { id: frame.json.id, within: 0s }",
        "deliveries: { id: frame.json.id, within: 2h }",
        "deliveries: { id: frame.json.id, within: 5s, containing: '' }",
    ] {
        problem(read(&[rule, &member]), 2);
    }
    let told = problem(read(&[&member]), 3);
    assert!(told.contains("`deliveries:"), "{told}");
    let deliveries = "deliveries: { id: frame.json.id, within: 5s }";
    for step in ["send: a", "receive: true"] {
        let enter = format!("- {{ step: enter, {step}, member_of: lobby }}");
        let told = problem(read(&[&open, &enter]), 4);
        assert!(told.contains("`deliveries:"), "{told}");
        let scenario = read(&[deliveries, &open, &enter]).unwrap();
        assert!(last(&scenario).action.room_entry().is_some());
        let told = problem(read(&[deliveries, &open, ANOTHER, &enter]), 6);
        assert!(told.contains("`socket`, `other`"), "{told}");
    }
    let publish = "- { step: say, send: a, publish: { id: a, to: b } }";
    problem(read(&[&open, publish]), 4);
}

#[test]
fn a_step_can_fail_for_the_reasons_of_its_kind() {
    let reasons = |step: &str| {
        let scenario = steps(&[CONNECT, step]).unwrap();
        last(&scenario).reasons()
    };
    let has = |step: &str, reason: Reason| reasons(step).contains(&reason);
    let again = "- { step: again, connect: 'ws://h' }";
    assert!(has(again, Reason::Handshake) && has(again, Reason::Status));
    let observed = "- { step: a, receive: true, observe: agent_join }";
    assert!(has(observed, Reason::AgentJoinTimeout) && !has(observed, Reason::ReplyTimeout));
    for step in ["receive: true", "send: a", "close:"] {
        let step = format!("- {{ step: a, {step} }}");
        assert!(
            has(&step, Reason::Closed) && has(&step, Reason::Protocol),
            "{step}"
        );
        assert!(!has(&step, Reason::Handshake) && !has(&step, Reason::Disconnected));
    }
}

#[test]
fn a_chat_holds_as_many_sockets_as_it_names_and_each_opening_is_a_request() {
    let cost = |parts: &[&str]| {
        let scenario = steps(parts).unwrap();
        let cost = scenario.cost(minijinja::Value::UNDEFINED, &minijinja::Value::UNDEFINED);
        (cost.sockets, cost.chat.most)
    };
    let again = "- { step: again, connect: 'ws://h' }";
    let never = "- { step: never, when: 1 > 2, connect: { url: 'ws://h', as: third } }";
    let say = "- { step: say, send: a, socket: other }";
    assert_eq!(
        cost(&["- { step: a, http: { get: 'http://h' } }"]),
        (crate::scenario::Bounds::exactly(0), Some(1))
    );
    let two = crate::scenario::Bounds::exactly(2);
    assert_eq!(cost(&[CONNECT, again, ANOTHER, never, say]), (two, Some(3)));
}

#[test]
fn the_servers_of_sockets_are_those_of_the_scenario_and_the_target() {
    let scenario = steps(&[CONNECT, ANOTHER]).unwrap();
    let admits = |address: &str| scenario.origins.admit(&url::Url::parse(address).unwrap());
    assert!(admits("https://h/files") && admits("wss://h"));
    assert!(!admits("https://g"));
    assert!(matches!(last(&scenario).action, Action::Connect(_)));
}

/// Whether frames of the socket `socket` are kept for the chats with these numbers.
fn received(step: &str, numbers: [u64; 2]) -> [bool; 2] {
    let scenario = steps(&[CONNECT, ANOTHER, step]).unwrap();
    let run = Scope::of_run(Arc::new(RunScope::default()));
    numbers.map(|number| {
        let scope = Arc::new(run.of_chat(number, "1"));
        scenario.sockets.is_received("socket", &scope)
    })
}

#[test]
fn frames_are_kept_for_chats_that_may_look_at_them() {
    let receive = "step: a, receive: true";
    for (step, of_chats) in [
        (format!("- {{ {receive} }}"), [true, true]),
        (format!("- {{ {receive}, socket: socket }}"), [true, true]),
        (format!("- {{ {receive}, socket: other }}"), [false, false]),
        (
            format!("- {{ {receive}, when: chat.number % 2 == 1 }}"),
            [true, false],
        ),
        (
            format!(
                "- {{ repeat: 2, when: chat.number > 1, steps: [{{ {receive}, when: repeat.index > 1 }}] }}"
            ),
            [false, true],
        ),
        (
            format!(
                "- {{ repeat: 2, when: chat.number > 1, steps: [{{ {receive}, when: chat.number < 2 }}] }}"
            ),
            [false, false],
        ),
        (
            "- { step: b, send: receive, socket: socket }".to_owned(),
            [false, false],
        ),
    ] {
        assert_eq!(received(&step, [1, 2]), of_chats, "{step}");
    }
}
