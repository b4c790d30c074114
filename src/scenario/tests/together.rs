//! Tracks that go on side by side, and where chats wait for each other.

use super::*;

/// A scenario with these tracks, and more behind them.
fn tracks(tracks: &str, rest: &str) -> String {
    format!(
        "scenario: s
inputs: {{ limit: 5s }}
steps:
  - {{ step: first, flip: a, capture: {{ early: flipped }} }}
  - together:
{tracks}
{rest}"
    )
}

const TRACKS: &str = "
      agent:
        - { wait_until: customer.chat_id, timeout: '{{ inputs.limit }}' }
        - { step: accept, flip: '{{ customer.chat_id }}{{ early }}', capture: { own: flipped } }
        - { step: again, flip: '{{ own }}{{ agent.own }}' }
      customer:
        - { step: open, flip: '{{ early }}', capture: { chat_id: flipped } }
        - { step: say, flip: '{{ chat_id }}{{ agent.own }}' }";

#[test]
fn tracks_are_read_with_what_they_know_of_each_other() {
    let rest = "
  - { barrier: all_joined, timeout: 1m }
  - { step: last, flip: '{{ customer.chat_id }}' }
  - repeat: 2
    steps:
      - together:
          customer: [ { step: later, flip: '{{ chat_id }}', capture: { more: flipped } } ]
          visitor: [ { step: visits, flip: '{{ visitor.seen | default(1) }}', capture: { seen: flipped } } ]
      - { step: between, flip: '{{ visitor.seen }}{{ customer.more }}' }
always: [ { step: ends, when: customer.chat_id is defined, flip: '{{ agent.own }}' } ]
correlation: [customer.chat_id, early]
";
    let scenario = read(&tracks(TRACKS, rest)).unwrap();
    let steps: Vec<_> = scenario
        .all_steps()
        .iter()
        .map(|step| &*step.name)
        .collect();
    let expected = [
        "first", "accept", "again", "open", "say", "last", "later", "visits", "between", "ends",
    ];
    assert_eq!(steps, expected);
    let indices: Vec<_> = scenario
        .all_steps()
        .iter()
        .map(|step| step.id.index())
        .collect();
    assert!(indices.into_iter().eq(0..10));
    assert!(scenario.has_barriers());
    let Item::Together(together) = &scenario.steps[1] else {
        panic!("{:?}", scenario.steps[1]);
    };
    let names: Vec<_> = together.tracks.iter().map(|track| &*track.name).collect();
    assert_eq!(names, ["agent", "customer"]);
    let Item::WaitUntil(wait) = &together.tracks[0].items[0] else {
        panic!("{:?}", together.tracks[0]);
    };
    assert_eq!(wait.condition.source(), "customer.chat_id");
}

/// An entry of the track `agent`, what stands behind the tracks, and what is wrong.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "{ step: x, flip: '{{ customer.chat_ix }}' }",
        "",
        "s.yaml:11:32: the track `customer` captures no `chat_ix`; did you mean `chat_id`?",
    ),
    (
        "{ step: x, flip: '{{ chat_id }}' }",
        "",
        "`chat_id` is a capture of a track; here it is `customer.chat_id`",
    ),
    (
        "{ step: x, flip: '{{ customer }}' }",
        "",
        "`customer` is a track; write what it captures, as in `customer.chat_id`",
    ),
    (
        "{ step: x, flip: '{{ custome.chat_id }}' }",
        "",
        "undefined variable `custome`",
    ),
    (
        "{ step: x, flip: a, capture: { customer: flipped } }",
        "",
        "`customer` cannot be the name of a capture; a track has this name",
    ),
    (
        "{ together: { other: [ { think: 1s } ] } }",
        "",
        "a `together` cannot stand in a track of another one",
    ),
    ("{ wait_until: customer.chat_id, timeout: x }", "", "`x`"),
    ("{ wait_until: customer.chat_id, step: x }", "", "exclude"),
    (
        "{ think: 1s }",
        "  - { step: x, flip: '{{ chat_id }}' }",
        "`chat_id` is a capture of a track; here it is `customer.chat_id`",
    ),
    (
        "{ think: 1s }",
        "  - { wait_until: customer.chat_id }",
        "a `wait_until` belongs into a track of a `together`",
    ),
    (
        "{ think: 1s }",
        "  - { barrier: 'not a name' }",
        "`not a name` cannot be the name of a barrier",
    ),
    (
        "{ think: 1s }",
        "always: [ { barrier: b } ]",
        "a `barrier` belongs into `steps`",
    ),
    (
        "{ think: 1s }",
        "always: [ { together: { other: [ { think: 1s } ] } } ]",
        "a `together` belongs into `steps`",
    ),
    (
        "{ think: 1s }",
        "correlation: [chat_id]",
        "no step captures `chat_id`",
    ),
    (
        "{ think: 1s }",
        "  - { together: {} }",
        "a `together` needs at least one track",
    ),
    (
        "{ think: 1s }",
        "  - { together: [] }",
        "expected a mapping of names of tracks and lists of steps",
    ),
    (
        "{ think: 1s }",
        "  - { together: { other: [] } }",
        "a track needs at least one step here",
    ),
    (
        "{ think: 1s }",
        "  - { together: { early: [ { think: 1s } ] } }",
        "`early` cannot be the name of a track; a capture has this name",
    ),
    (
        "{ think: 1s }",
        "  - { together: { own: [ { think: 1s } ] } }",
        "`own` cannot be the name of a track; a capture has this name",
    ),
    (
        "{ think: 1s }",
        "  - { together: { limit: [ { think: 1s } ] } }",
        "`limit` cannot be the name of a track; an input has this name",
    ),
    (
        "{ think: 1s }",
        "  - { together: { chat: [ { think: 1s } ] } }",
        "`chat` cannot be the name of a track; expressions know something else",
    ),
    (
        "{ think: 1s }",
        "  - { together: { a-b: [ { think: 1s } ] } }",
        "`a-b` cannot be the name of a track; use letters",
    ),
    (
        "{ think: 1s }",
        "teardown: [ { step: x, flip: '{{ customer.chat_id }}' } ]",
        "`customer.chat_id` belongs to a chat",
    ),
    (
        "{ think: 1s }",
        "setup: [ { step: x, flip: '{{ customer.chat_id }}' } ]",
        "`customer.chat_id` does not exist yet: step `open` captures it",
    ),
];

#[test]
fn names_that_no_track_knows_are_problems_with_their_place() {
    for (of_tracks, rest, problem) in MISTAKES {
        let more = format!("\n        - {of_tracks}\n      customer:");
        let text = tracks(&TRACKS.replace("\n      customer:", &more), rest);
        let problems = read(&text).unwrap_err();
        assert!(
            problems.iter().any(|it| it.contains(problem)),
            "{problem}\n{problems:#?}"
        );
    }
    let many = (0..17).map(|n| format!("      t{n}: [ {{ think: 1s }} ]\n"));
    let many: Vec<_> = many.collect();
    let problems = read(&tracks(&many.concat(), "")).unwrap_err();
    assert!(problems[0].contains("there are 17 tracks"), "{problems:?}");
}

const WAITS: &str = "
scenario: s
callbacks: { key: event.key }
steps:
  - { step: asks, flip: a }
  - together:
      agent: [ { step: sees, wait_for: event.a, since: MARK } ]
      customer:
        - { step: says, flip: a, claim: chat.id }
        - { step: hears, wait_for: event.b, since: says }
  - { step: behind, wait_for: event.c, since: BEHIND }
";

#[test]
fn waits_count_from_steps_of_other_tracks_wherever_those_stand() {
    let since = |mark: &str, behind: &str| {
        let scenario = read(&WAITS.replace("MARK", mark).replace("BEHIND", behind))?;
        let steps = scenario.all_steps();
        let of = |name: &str| {
            let step = steps.iter().find(|step| *step.name == *name).unwrap();
            let marked = step.action.as_wait().unwrap().since.unwrap();
            (
                steps[marked.step.index()].name.to_string(),
                marked.is_elsewhere,
            )
        };
        Ok::<_, Vec<String>>(["sees", "hears", "behind"].map(of))
    };
    let marks =
        |names: [(&str, bool); 3]| names.map(|(name, elsewhere)| (name.to_owned(), elsewhere));
    assert_eq!(
        since("customer.hears", "customer.says"),
        Ok(marks([("hears", true), ("says", false), ("says", false)]))
    );
    assert_eq!(
        since("asks", "agent.sees"),
        Ok(marks([("asks", false), ("says", false), ("sees", false)]))
    );
    for (mark, behind, problem) in [
        (
            "customer.heres",
            "asks",
            "the track `customer` has no step `heres`; did you mean `hears`?",
        ),
        (
            "customer.asks",
            "asks",
            "the track `customer` has no step `asks`",
        ),
        (
            "customers.says",
            "asks",
            "no step above is named `customers.says`",
        ),
        ("hears", "asks", "no step above is named `hears`"),
        (
            "asks",
            "says",
            "step `says` is one of the track `customer`; write `customer.says`",
        ),
    ] {
        let problems = since(mark, behind).unwrap_err();
        assert!(problems[0].contains(problem), "{problem}\n{problems:#?}");
    }
}
