use minijinja::Value;

use super::*;
use crate::document::{Problems, parse};

fn read(scenario: &str) -> Scenario {
    let problems = Problems::default();
    let text = format!("scenario: s\ninputs: {{ n: 2, fast: true, pause: 1s }}\n{scenario}");
    let scenario = Scenario::read(&parse("s.yaml", &text).unwrap(), &problems);
    assert_eq!(problems.into_result(), Ok(()), "{text}");
    scenario.unwrap()
}

fn cost(scenario: &str, inputs: &[(&'static str, Value)]) -> Cost {
    let inputs = [("n", Value::from(2)), ("fast", true.into())]
        .into_iter()
        .chain(inputs.iter().cloned());
    read(scenario).cost(Value::UNDEFINED, &Value::from_pairs(inputs))
}

const GET: &str = "http: { get: 'http://x/' }";

fn of_chat(steps: &str, inputs: &[(&'static str, Value)]) -> String {
    let steps = steps.replace("GET", GET);
    cost(&format!("steps:\n{steps}"), inputs).chat.of("request")
}

#[test]
fn requests_are_those_that_the_inputs_ask_for() {
    let steps = "
  - { step: a, GET, capture: { id: body.id } }
  - repeat: '{{ inputs.n }}'
    steps:
      - { step: b, GET }
      - { step: c, when: repeat.index > 1, GET }
      - { step: d, when: inputs.fast and inputs.n > 5, GET }
  - { step: e, when: not inputs.fast, GET }
  - { step: f, when: inputs.fast, GET }
always:
  - { step: g, when: id is defined and not passed, GET }
  - { step: h, GET }";
    for (n, requests) in [(0, "3 requests"), (2, "6 requests"), (10, "32 requests")] {
        assert_eq!(of_chat(steps, &[("n", n.into())]), requests, "{n}");
    }
}

#[test]
fn what_is_known_only_in_the_run_is_a_bound() {
    let first = "- { step: a, GET, capture: { id: body.id, count: body.count } }\n";
    for (rest, requests) in [
        ("- { step: b, when: id == 5, GET }", "1 to 2 requests"),
        (
            "- { repeat: '{{ count }}', steps: [{ step: b, GET }] }",
            "at least 1 request",
        ),
        (
            "- { repeat: '{{ count }}', steps: [{ think: 1s }] }",
            "1 request",
        ),
        (
            "- { repeat: 3, when: id == 5, steps: [{ step: b, GET }, { step: c, when: id == 6, GET }] }",
            "1 to 7 requests",
        ),
        (
            "- { repeat: 3, steps: [{ step: b, when: id == 5, GET, capture: { c: body.c } }, { step: d, when: c is defined, GET }] }",
            "1 to 7 requests",
        ),
        // Too many rounds to look at each.
        (
            "- { repeat: 20001, steps: [{ step: b, when: repeat.index == 1, GET }] }",
            "1 to 20002 requests",
        ),
        (
            "- { repeat: 18446744073709551615, steps: [{ step: b, GET }, { step: c, GET }] }",
            "18446744073709551615 requests",
        ),
    ] {
        assert_eq!(of_chat(&format!("{first}{rest}"), &[]), requests, "{rest}");
    }
    let only = "- { repeat: '{{ chat.number }}', steps: [{ step: b, GET }] }";
    assert_eq!(of_chat(only, &[]), "any number of requests");
    assert_eq!(
        of_chat("- { step: b, when: chat.number == 3, GET }", &[]),
        "up to 1 request"
    );
}

#[test]
fn rounds_are_looked_at_as_long_as_there_are_few_steps_in_all_of_them() {
    let steps: Vec<_> = (1..=60)
        .map(|index| format!("      - {{ step: s{index}, when: repeat.index == {index}, GET }}\n"))
        .collect();
    let steps = steps.concat();
    let repeat = format!("  - repeat: '{{{{ inputs.n }}}}'\n    steps:\n{steps}");
    let of = |steps: &str, n: u64| of_chat(steps, &[("n", n.into())]);
    assert_eq!(of(&repeat, 1), "1 request");
    assert_eq!(of(&repeat, 333), "60 requests");
    assert_eq!(of(&repeat, 334), "up to 20040 requests");
    assert_eq!(of(&repeat, 10_000), "up to 600000 requests");
    // All repeats together have so many.
    let twice = format!("{repeat}{}", repeat.replace("step: s", "step: t"));
    assert_eq!(of(&twice, 166), "120 requests");
    assert_eq!(of(&twice, 167), "60 to 10080 requests");
}

#[test]
fn what_takes_too_long_to_compute_is_a_bound() {
    let steps = "steps:
  - { step: a, GET }
  - { step: b, timeout: 3s, when: inputs.n == 1, GET }
  - { repeat: '{{ inputs.n }}', steps: [{ step: c, GET }] }
  - { repeat: 3, steps: [{ step: d, when: repeat.index == 1, GET }] }";
    let scenario = read(&steps.replace("GET", GET));
    let inputs = Value::from_pairs([("n", 1)]);
    let within = |time| scenario.cost_within(time, Value::UNDEFINED, &inputs).chat;
    assert_eq!(within(MOST_TIME), Bounds::exactly(4));
    assert_eq!(within(Duration::ZERO).of("request"), "at least 1 request");
}

#[test]
fn conditions_on_long_lists_are_computed_for_a_short_time() {
    let steps =
        "- { repeat: 20000, steps: [{ step: a, when: range(100000) | sum > repeat.index, GET }] }";
    let began = Instant::now();
    let requests = of_chat(steps, &[]);
    // To compute them all takes more than a minute.
    assert!(began.elapsed() < MOST_TIME * 5, "{:?}", began.elapsed());
    assert!(requests.ends_with(" to 20000 requests"), "{requests}");
}

#[test]
fn setup_and_teardown_are_counted_once_a_run() {
    let cost = cost(
        &"setup: [{ step: a, GET, capture: { hook: body.id } }]
steps: [{ step: b, GET, capture: { id: body.id } }, { step: c, GET }]
teardown: [{ step: d, when: hook is defined, GET }, { step: e, when: inputs.n == 9, GET }]"
            .replace("GET", GET),
        &[],
    );
    assert_eq!(cost.of_chats(100), Bounds::exactly(202));
}

#[test]
fn what_fails_with_these_inputs_whatever_the_target_does_is_told() {
    let scenario = "steps:\n  - { repeat: '{{ inputs.n }}', steps: [{ think: '{{ inputs.pause }}' }] }\n  - { think: '{{ inputs.pause }}', when: not inputs.fast }";
    let errors = |n: i64, pause: &str| {
        let inputs = [("n", n.into()), ("pause", pause.into())];
        let errors = cost(scenario, &inputs).errors;
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(errors(1, "5s"), Vec::<String>::new());
    assert_eq!(
        errors(-1, "5s"),
        ["s.yaml:4:18: `inputs.n`: `-1` is not a whole number of at least 0"]
    );
    assert_eq!(errors(0, "-5s"), Vec::<String>::new());
    assert_eq!(errors(1, "-5s").len(), 1);
}

#[test]
fn sockets_of_one_name_are_held_one_after_the_other_and_a_condition_makes_one_possible() {
    let of = |steps: &str| cost(&format!("steps:\n{steps}"), &[("n", 3.into())]).sockets;
    let connect = |more: &str| format!("  - {{ step: a, {more}connect: 'ws://x/' }}\n");
    assert_eq!(of("  - { think: 1s }"), Bounds::ZERO);
    assert_eq!(of(&connect("")), Bounds::exactly(1));
    assert_eq!(of(&connect("when: inputs.n == 3, ")), Bounds::exactly(1));
    assert_eq!(of(&connect("when: inputs.n == 4, ")), Bounds::ZERO);
    assert_eq!(
        of(&connect("when: chat.number > 1, ")),
        Bounds::up_to(Some(1))
    );
    // Whoever connects anew under a name has let go of the first.
    let again = connect("").replace("step: a", "step: b");
    assert_eq!(of(&format!("{}{again}", connect(""))), Bounds::exactly(1));
    let agent = "  - { step: c, connect: { url: 'ws://x/', as: agent }, when: chat.number > 1 }\n";
    let of_both = Bounds {
        least: 1,
        most: Some(2),
    };
    assert_eq!(of(&format!("{}{agent}", connect(""))), of_both);
    let repeat = |count: &str| {
        format!("  - repeat: {count}\n    steps: [ {{ step: a, connect: 'ws://x/' }} ]\n")
    };
    assert_eq!(of(&repeat("'{{ inputs.n }}'")), Bounds::exactly(1));
    assert_eq!(of(&repeat("'{{ chat.number }}'")), Bounds::up_to(Some(1)));
}

#[test]
fn a_choice_costs_between_its_cheapest_and_its_dearest_branch() {
    let choice = "
  - choose:
      - { weight: 2, steps: [{ step: a, GET, capture: { id: body.id, a: body.a } }] }
      - { steps: [{ step: b, GET, capture: { id: body.id } }, { step: c, GET, timeout: 1s }] }\n";
    for (rest, requests) in [
        ("", "1 to 2 requests"),
        ("- { step: d, GET, when: id is defined }", "2 to 3 requests"),
        ("- { step: d, GET, when: a is defined }", "1 to 3 requests"),
        (
            "- { repeat: 3, steps: [{ choose: [{ steps: [{ step: d, GET }] }] }] }",
            "4 to 5 requests",
        ),
    ] {
        assert_eq!(
            of_chat(&format!("{choice}  {rest}"), &[]),
            requests,
            "{rest}"
        );
    }
    let whole = cost(&format!("steps:{}", choice.replace("GET", GET)), &[]);
    assert_eq!(whole.longest_chat, Some(Duration::from_secs(31)));
    let by_input = choice.replace("- choose:", "- when: inputs.fast\n    choose:");
    assert_eq!(of_chat(&by_input, &[("fast", false.into())]), "0 requests");
    let by_answer = format!("  - {{ step: z, GET, capture: {{ z: body.z }} }}\n{by_input}");
    let by_answer = by_answer.replace("inputs.fast", "z == 1");
    assert_eq!(of_chat(&by_answer, &[]), "1 to 3 requests");
}

#[test]
fn what_stands_behind_an_end_comes_only_if_the_chat_has_not_ended() {
    let first = "- { step: a, GET, capture: { id: body.id } }\n";
    for (rest, requests) in [
        (
            "- { end: passed, when: id == 1 }\n- { step: b, GET }",
            "1 to 2 requests",
        ),
        (
            "- { end: passed, when: inputs.fast }\n- { step: b, GET }",
            "1 request",
        ),
        (
            "- { end: passed, when: not inputs.fast }\n- { step: b, GET }",
            "2 requests",
        ),
        (
            "- choose: [{ steps: [{ end: passed }] }, { steps: [{ end: { failed: x } }] }]\n- { step: b, GET }",
            "1 request",
        ),
        (
            "- choose: [{ steps: [{ end: passed }] }, { steps: [] }]\n- { step: b, GET }",
            "1 to 2 requests",
        ),
        (
            "- { repeat: 3, steps: [{ step: b, GET }, { end: passed }] }\n- { step: c, GET }",
            "2 requests",
        ),
        (
            "- { repeat: 3, steps: [{ step: b, GET }, { end: passed, when: id == 2 }] }\n- { step: c, GET }",
            "2 to 5 requests",
        ),
        (
            "- { repeat: '{{ id }}', steps: [{ step: b, GET }, { end: passed }] }\n- { step: c, GET }",
            "1 to 3 requests",
        ),
    ] {
        assert_eq!(of_chat(&format!("{first}{rest}"), &[]), requests, "{rest}");
    }
}

#[test]
fn what_comes_after_a_failure_costs_as_much_at_most() {
    for (step, requests, longest) in [
        (
            "{ step: a, GET, timeout: 1s, else: { retry: 3, pause: 2s } }",
            "1 to 4 requests",
            10,
        ),
        (
            "{ step: a, GET, timeout: 1s, else: continue }",
            "1 request",
            1,
        ),
        (
            "{ step: a, GET, timeout: 1s, else: { steps: [{ step: b, GET, timeout: 4s }] } }",
            "1 to 2 requests",
            5,
        ),
    ] {
        let cost = cost(&format!("steps: [{}]", step.replace("GET", GET)), &[]);
        assert_eq!(cost.chat.of("request"), requests, "{step}");
        assert_eq!(
            cost.longest_chat,
            Some(Duration::from_secs(longest)),
            "{step}"
        );
    }
}

/// For how many milliseconds a chat stays behind the messages of which losses may be excused, by their steps.
fn short_stays(rest: &str) -> Vec<(String, u128)> {
    let scenario = format!(
        "deliveries: {{ id: frame.text, within: 5s }}\nsteps:\n  - {{ step: open, connect: 'ws://x/', member_of: a }}\n{rest}"
    );
    let scenario = scenario
        .replace("SAY", "send: hi, publish: { id: a, to: a }")
        .replace("LEAVE", "{ step: leave, close: , else: continue }");
    let stays = cost(&scenario, &[("pause", "1s".into())]).short_stays;
    let stays = stays.into_iter();
    stays
        .map(|stay| (stay.step.to_string(), stay.stays.as_millis()))
        .collect()
}

#[test]
fn a_chat_that_leaves_sooner_than_deliveries_may_take_is_told() {
    let say = |millis| vec![("say".to_owned(), millis)];
    for (steps, told) in [
        ("  - { step: say, SAY }", say(0)),
        ("  - { think: 9s }\n  - { step: say, SAY }", say(0)),
        (
            "  - { step: say, SAY }\n  - { think: '{{ inputs.pause }}' }",
            say(1_000),
        ),
        // It may come at once.
        (
            "  - { step: say, SAY }\n  - { step: hear, receive: true, timeout: 20s }",
            say(0),
        ),
        (
            "  - { step: say, SAY, when: chat.number == 1 }\n  - LEAVE\n  - { think: 9s }",
            say(0),
        ),
        (
            "  - { step: say, SAY }\n  - { think: 2s }\nalways:\n  - { think: 1s }\n  - LEAVE",
            say(3_000),
        ),
        (
            "  - { repeat: 3, steps: [ { step: say, SAY }, { think: 4s } ] }",
            say(4_000),
        ),
        (
            "  - { repeat: 3, steps: [ { step: say, SAY }, { think: \"{{ (4 - repeat.index) ~ 's' }}\" } ] }",
            say(1_000),
        ),
        (
            "  - { step: say, SAY }\n  - { repeat: 2, steps: [ { think: 2s } ] }",
            say(4_000),
        ),
        (
            "  - { step: say, SAY }\n  - choose: [{ steps: [{ think: 1s }] }, { steps: [{ think: 3s }] }]",
            say(3_000),
        ),
        (
            "  - { step: say, SAY }\n  - { end: passed, when: inputs.fast }\n  - { think: 9s }",
            say(0),
        ),
    ] {
        assert_eq!(short_stays(steps), told, "{steps}");
    }
    let two =
        "  - { step: say, SAY }\n  - { think: 3s }\n  - { step: more, SAY }\n  - { think: 3s }";
    assert_eq!(short_stays(two), [("more".to_owned(), 3_000)]);
}

#[test]
fn a_chat_that_stays_as_long_or_may_do_so_is_not() {
    for steps in [
        "  - { step: say, SAY }\n  - { think: 5s }\n  - LEAVE",
        "  - { step: say, SAY }\n  - { think: { uniform: [1s, 9s] } }",
        "  - { step: say, SAY }\n  - { step: hear, receive: true, timeout: 20s, else: continue }",
        "  - { step: say, SAY }\n  - { think: 2s }\nalways:\n  - { think: 3s }\n  - LEAVE",
        "  - { step: say, SAY }\n  - { repeat: 3, steps: [ { think: 2s } ] }",
        "  - { step: say, SAY }\n  - { step: hear, receive: true, capture: { n: frame.json.n } }\n  - { repeat: '{{ n }}', steps: [ { think: 1s } ] }",
        "  - { repeat: 2, steps: [ { step: say, SAY, when: repeat.index == 1 }, { think: 3s } ] }",
        // Whether it leaves is known in the run only.
        "  - { step: say, SAY }\n  - { step: leave, close: , when: chat.number == 1 }\n  - { think: 9s }",
        "  - { step: say, SAY }\n  - choose: [{ steps: [{ think: 1s }] }, { steps: [{ think: 9s }] }]",
        "  - { step: say, SAY }\n  - { end: passed, when: chat.number == 1 }\n  - { think: 9s }",
        "  - { step: say, SAY }\n  - { step: hear, receive: true, timeout: 1s, else: { retry: 1, pause: 3s } }",
        "  - { think: 1s }",
    ] {
        assert_eq!(short_stays(steps), [], "{steps}");
    }
}

#[test]
fn requests_and_sockets_of_tracks_add_up_and_the_longest_decides() {
    let steps = "
steps:
  - { step: a, GET, timeout: 1s }
  - together:
      customer:
        - { step: b, GET, timeout: 4s, capture: { id: body.id } }
        - { step: c, connect: 'ws://x/', timeout: 2s, when: inputs.fast }
      agent:
        - { wait_until: customer.id is defined, timeout: 5s }
        - { step: d, GET, timeout: 3s, when: customer.id is defined }
        - { step: e, connect: 'ws://x/', timeout: 2s, when: chat.number > 1 }
  - { step: f, GET, timeout: 1s, when: customer.id is defined }
  - { barrier: all_joined, timeout: 7s }
";
    // Inside the `together` nothing says that one track is faster, and behind it all are over.
    let cost = cost(&steps.replace("GET", GET), &[]);
    let requests = Bounds {
        least: 4,
        most: Some(6),
    };
    assert_eq!(cost.chat, requests);
    let sockets = Bounds {
        least: 1,
        most: Some(2),
    };
    assert_eq!(cost.sockets, sockets);
    assert_eq!(cost.longest_chat, Some(Duration::from_secs(1 + 10 + 1 + 7)));
}
