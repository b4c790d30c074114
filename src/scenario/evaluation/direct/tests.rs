use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::scenario::{evaluation::Compiled, scope::tests::scope};

fn some_scope() -> Arc<Scope> {
    let event = json!({
        "type": "MESSAGES", "sender": { "type": "AGENT", "id": 7 }, "empty": "", "none": null, "list": [1, 2],
        "long": "x".repeat(100), "half": 0.5,
    });
    scope(&[
        ("event", serde_json::from_value(event).unwrap()),
        ("status", 201.into()),
        ("text", "a".into()),
        ("yes", true.into()),
        ("no", false.into()),
        ("bytes", Value::from_bytes(b"a7".to_vec())),
        ("sixty", "y".repeat(60).into()),
    ])
}

fn compiled(source: &str, undefined: Undefined) -> Compiled {
    Compiled::expression(source, undefined).unwrap()
}

fn direct(source: &str, undefined: Undefined) -> Option<Value> {
    let compiled = compiled(source, undefined);
    let direct = compiled.direct.as_ref()?;
    direct.value(&some_scope(), undefined)
}

#[test]
fn what_most_scenarios_ask_takes_no_engine() {
    let lenient = |source| direct(source, Undefined::Allowed);
    for (source, expected) in [
        ("status in [200, 201]", true),
        ("status == 200", false),
        (
            "event.type == 'MESSAGES' and event.sender.type == 'AGENT'",
            true,
        ),
        (
            "event.type == 'OTHER' or event.nothing.at.all == 'x'",
            false,
        ),
        ("event is defined and not no", true),
        ("event['sender']['id'] == 7", true),
        ("event.sender.type == 'AG' ~ 'ENT'", true),
        ("'id ' ~ event.sender.id ~ text == 'id 7a'", true),
        ("text ~ 7 == bytes", false),
        ("text ~ 7 == 'a' ~ '7'", true),
        ("status ~ '' == status", false),
        ("event.long == text", false),
        ("event.list == text or event.list != none", true),
        ("event.sender.id != status", true),
        ("event.sender.id != 7", false),
        ("nothing is defined", false),
    ] {
        assert_eq!(lenient(source), Some(expected.into()), "{source}");
    }
    assert_eq!(lenient("event.nothing | default('d')"), Some("d".into()));
    let strict = |source| direct(source, Undefined::Refused);
    assert_eq!(strict("nothing | default('')"), Some("".into()));
    assert_eq!(
        strict("event.type ~ ':' ~ (event.empty or event.sender.id) if yes else none"),
        Some("MESSAGES:7".into())
    );
}

#[test]
fn errors_and_what_is_accounted_for_are_left_to_the_engine() {
    for source in [
        "nothing",
        "event.nothing",
        "nothing.at",
        "nothing == 1",
        "not nothing",
    ] {
        assert_eq!(direct(source, Undefined::Refused), None, "{source}");
    }
    let long = "x".repeat(100);
    for source in [
        "event.long ~ 'a'",
        "event.half ~ 'a'",
        "(sixty ~ sixty) ~ 'a'",
        "sixty ~ sixty == event.long",
        "cookies.sid",
        "range",
        "text | upper",
        "1 + 1",
        "status in event.list",
        "event == event",
        "event.long == event.long",
        // It would be multiplied when it is read.
        "text == 'a' * 1",
        "text | default('a' * 1)",
        &format!("text == '{long}'"),
    ] {
        assert_eq!(direct(source, Undefined::Allowed), None, "{source}");
    }
}

fn operand() -> impl Strategy<Value = String> {
    let names: &[&str] = &[
        "event.type",
        "event.sender.type",
        "event.sender.id",
        "event['sender'].id",
        "event.empty",
        "event.none",
        "event.list",
        "event.list.first",
        "event.nothing",
        "event.nothing.deep",
        "event.type.length",
        "event.half",
        "event.long",
        "bytes",
        "sixty",
        "repeat.index",
        "event",
        "status",
        "text",
        "yes",
        "no",
        "nothing",
        "nothing.deep",
        "cookies",
        "range",
    ];
    let constants: &[&str] = &[
        "1",
        "201",
        "7.0",
        "0.5",
        "'AGENT'",
        "'MESSAGES'",
        "''",
        "none",
        "true",
        "false",
        "[1, 2]",
        "-1",
    ];
    prop_oneof![
        proptest::sample::select(names).prop_map(str::to_owned),
        proptest::sample::select(constants).prop_map(str::to_owned),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    operand().prop_recursive(4, 24, 3, |part| {
        let pair = (part.clone(), part.clone());
        prop_oneof![
            pair.clone().prop_map(|(a, b)| format!("({a} == {b})")),
            pair.clone().prop_map(|(a, b)| format!("({a} and {b})")),
            pair.clone().prop_map(|(a, b)| format!("({a} or {b})")),
            pair.clone().prop_map(|(a, b)| format!("({a} ~ {b})")),
            pair.clone()
                .prop_map(|(a, b)| format!("({a} | default({b}))")),
            pair.clone()
                .prop_map(|(a, b)| format!("({a} in [{b}, 201])")),
            part.clone().prop_map(|a| format!("(not {a})")),
            part.clone().prop_map(|a| format!("({a} is defined)")),
            (pair, part).prop_map(|((a, b), c)| format!("({a} if {b} else {c})")),
        ]
    })
}

proptest! {
    #[test]
    fn a_direct_value_is_that_of_the_engine(source in expression(), is_strict in any::<bool>()) {
        let undefined = if is_strict { Undefined::Refused } else { Undefined::Allowed };
        let mut compiled = compiled(&source, undefined);
        let direct = compiled.direct.take();
        if let Some(value) = direct.and_then(|direct| direct.value(&some_scope(), undefined)) {
            let by_engine = compiled.evaluate(&some_scope()).unwrap();
            prop_assert_eq!(format!("{value:?}"), format!("{by_engine:?}"), "{}", source);
            prop_assert_eq!(value.kind(), by_engine.kind(), "{}", source);
        }
    }
}
