//! Entries that are no steps.

use super::*;

fn steps_of(yaml: &str) -> Result<Scenario, Vec<String>> {
    read(&format!(
        "scenario: s\nsteps:\n{}",
        yaml.replace("GET", "http: { get: 'http://h' }")
    ))
}

/// The only problem, which stands at this line and column.
fn problem_at(yaml: &str, place: &str) -> String {
    let problems = steps_of(yaml).unwrap_err();
    let [problem] = &problems[..] else {
        panic!("{yaml}: {problems:?}");
    };
    assert!(
        problem.starts_with(&format!("s.yaml:{place}: ")),
        "{problem}"
    );
    problem.clone()
}

#[test]
fn branches_of_a_choice_have_steps_of_their_own() {
    let scenario = steps_of(
        "- step: a
  GET
- choose:
  - steps: [{ step: b, GET, capture: { x: body.x } }, { step: c, GET, when: x == 1 }]
  - weight: 2
    steps:
    - choose: [{ steps: [] }, { steps: [] }, { steps: [{ step: d, GET }] }]
      spread: random
- { step: e, GET, when: x is defined }",
    );
    let scenario = scenario.unwrap();
    let branches = scenario.all_steps().into_iter().map(|step| {
        let branches = step.branches.iter().flat_map(|branches| branches.iter());
        let branches = branches.map(|branch| format!("{}/{}", branch.number, branch.of));
        format!("{} {}", step.name, branches.collect::<Vec<_>>().join(" "))
    });
    let branches: Vec<_> = branches.collect();
    assert_eq!(branches, ["a ", "b 1/2", "c 1/2", "d 2/2 3/3", "e "]);
}

#[test]
fn problems_of_choices_are_told_at_their_place() {
    let other = problem_at(
        "- choose:
  - steps: [{ step: a, GET, capture: { x: body.x } }]
  - steps: [{ step: b, GET, when: x == 1 }]",
        "5:57",
    );
    assert!(other.contains("`x` does not exist yet"), "{other}");
    for (yaml, place, said) in [
        ("- choose: []", "3:11", "at least one branch"),
        ("- choose: [{ weight: 0, steps: [] }]", "3:22", "at least 1"),
        ("- choose: [{ weight: 2 }]", "3:12", "`steps` is missing"),
        ("- choose: [{ wieght: 2, steps: [] }]", "3:14", "`weight`"),
        (
            "- { choose: [{ steps: [] }], spread: fair }",
            "3:38",
            "`even`",
        ),
        (
            "- choose: [{ weight: 1000, steps: [] }, { steps: [] }]",
            "3:11",
            "1001 chats",
        ),
        (
            "- { choose: [{ steps: [] }], when: x }",
            "3:36",
            "undefined variable `x`",
        ),
    ] {
        let problem = problem_at(yaml, place);
        assert!(problem.contains(said), "{problem}");
    }
    let random = "- { choose: [{ weight: 1000, steps: [] }, { steps: [] }], spread: random }";
    assert!(steps_of(random).is_ok());
    let in_setup = "- think: 1s\nsetup:\n- choose: [{ steps: [] }]";
    let problem = problem_at(in_setup, "5:3");
    assert!(problem.contains("only a chat"), "{problem}");
}

#[test]
fn a_step_of_another_branch_is_none_that_a_wait_can_answer() {
    let yaml = "- step: a
  connect: 'ws://h/'
- choose:
  - steps: [{ step: b, send: hi }]
  - steps:
    - { step: c, receive: frame.text == 'x', since: BRANCH }";
    assert!(steps_of(&yaml.replace("BRANCH", "a")).is_ok());
    let problem = problem_at(&yaml.replace("BRANCH", "b"), "8:53");
    assert!(problem.contains("another branch"), "{problem}");
}

#[test]
fn an_end_says_how_the_chat_ends() {
    let ends = |end: &str| {
        steps_of(&format!(
            "- {{ step: a, GET, capture: {{ x: body.x }} }}\n- {end}"
        ))
    };
    for end in [
        "end: passed",
        "{ end: passed, when: x == 1 }",
        "end: { failed: 'it was {{ x }}' }",
    ] {
        assert!(ends(end).is_ok(), "{end}");
    }
    for (end, place, said) in [
        ("end: failed", "4:8", "`passed`"),
        ("end: ~", "4:8", "`passed`"),
        (
            "end: { failed: '{{ y }}' }",
            "4:22",
            "undefined variable `y`",
        ),
        ("end: { faild: x }", "4:8", "`failed` is missing"),
    ] {
        let problems = ends(end).unwrap_err();
        assert!(
            problems[0].starts_with(&format!("s.yaml:{place}: ")),
            "{end}: {problems:?}"
        );
        assert!(problems[0].contains(said), "{end}: {problems:?}");
    }
    let behind = problem_at("- end: passed\n- think: 1s\n- think: 2s", "4:3");
    assert!(behind.contains("line 3"), "{behind}");
    for part in ["setup", "always", "teardown"] {
        let problem = problem_at(&format!("- think: 1s\n{part}:\n- end: passed"), "5:3");
        assert!(problem.contains("`steps` of a chat"), "{problem}");
    }
}

#[test]
fn what_happens_after_a_failure_is_checked_like_everything_else() {
    let after = |rest: &str| steps_of(&format!("- step: a\n  GET\n  else: {rest}"));
    let scenario = after("{ steps: [{ step: b, GET }, { think: 1s }] }").unwrap();
    let names: Vec<_> = scenario
        .all_steps()
        .iter()
        .map(|step| step.name.to_string())
        .collect();
    assert_eq!(names, ["a", "b"]);
    let retried = after("{ retry: 3, pause: { uniform: [1s, 2s] } }").unwrap();
    assert_eq!(retried.all_steps()[0].otherwise.attempts(), 4);
    for (rest, place, said) in [
        ("{ retry: 0 }", "5:18", "at least 1"),
        ("{ retry: 1001 }", "5:18", "at most 1000"),
        ("{ retry: 1, pause: x }", "5:28", "duration"),
        ("{ retry: 1, steps: [] }", "5:9", "exclude each other"),
        ("{ pause: 1s }", "5:9", "`retry`, `steps`"),
        (
            "{ steps: [{ step: a, GET }] }",
            "5:27",
            "a second step named `a`",
        ),
        (
            "{ steps: [{ step: b, flip: '{{ x }}' }] }",
            "5:40",
            "undefined variable",
        ),
    ] {
        let problems = after(rest).unwrap_err();
        let problem = &problems[0];
        assert!(
            problem.starts_with(&format!("s.yaml:{place}: ")),
            "{rest}: {problem}"
        );
        assert!(problem.contains(said), "{rest}: {problem}");
    }
}
