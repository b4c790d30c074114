use hyper::HeaderMap;

use std::time::Duration;

use super::*;
use crate::{
    body::Received,
    scenario::{Answer, EventView},
};

pub(in crate::scenario) fn scope(captures: &[(&str, Value)]) -> Arc<Scope> {
    let mut scope = Scope::of_run(Arc::new(RunScope::default()));
    for (name, value) in captures {
        scope.capture(&(*name).into(), value.clone());
    }
    Arc::new(scope)
}

#[test]
fn a_number_and_its_text_are_the_same_key() {
    let big = 9_007_199_254_740_993_i64;
    assert_eq!(
        key_text(&Value::from(big)),
        key_text(&Value::from(big.to_string()))
    );
    let of = |value: Value| key_text(&value);
    assert_eq!(of(12.0.into()).as_deref(), Some("12"));
    assert_eq!(of((-0.0).into()).as_deref(), Some("0"));
    assert_eq!(of(1e21.into()), of("1000000000000000000000".into()));
    assert_eq!(of(1.5.into()).as_deref(), Some("1.5"));
    assert_eq!(of(u128::MAX.into()), of(u128::MAX.to_string().into()));
    assert_eq!(key_text(&Value::UNDEFINED), None);
    assert_eq!(key_text(&Value::from("")), None);
}

#[test]
fn a_scope_does_not_print_its_values() {
    let scope = scope(&[("token", "s3cret".into())]);
    assert_eq!(format!("{scope:?}"), r#"Scope { captures: ["token"], .. }"#);
}

fn seen(scope: &Scope, name: &str) -> Value {
    let found = Arc::new(scope.clone()).get_value_by_str(name);
    found.unwrap_or(Value::UNDEFINED)
}

#[test]
fn a_chat_begins_with_what_setup_captured_and_keeps_its_own_to_itself() {
    let mut run = (*scope(&[("hook", 1.into()), ("id", "of setup".into())])).clone();
    assert!(seen(&run, "chat").is_undefined());
    let mut chat = run.of_chat(7, "run-7");
    chat.capture(&"id".into(), "of chat".into());
    chat.capture(&"id".into(), "of chat, later".into());
    assert_eq!(seen(&chat, "hook"), Value::from(1));
    assert_eq!(seen(&chat, "id"), Value::from("of chat, later"));
    let whole = serde_json::to_value(seen(&chat, "chat")).unwrap();
    assert_eq!(whole, serde_json::json!({ "id": "run-7", "number": 7 }));
    assert_eq!(seen(&run, "id"), Value::from("of setup"));
    run.capture(&"hook".into(), 2.into());
    assert_eq!(seen(&chat, "hook"), Value::from(1));
}

#[test]
fn answers_and_events_are_seen_while_they_are_looked_at() {
    let mut chat = scope(&[]).of_chat(1, "run-1");
    let names = ["status", "headers", "body", "event", "elapsed"];
    let visible = |scope: &Scope| names.map(|name| !seen(scope, name).is_undefined());
    assert_eq!(visible(&chat), [false; 5]);
    let elapsed = Duration::from_millis(1500);
    let body = Received::whole(r#"{ "a": 1 }"#.into());
    chat.look_at(Arc::new(Answer::new(201, HeaderMap::new(), body, elapsed)));
    assert_eq!(visible(&chat), [true, true, true, false, true]);
    assert_eq!(seen(&chat, "elapsed"), Value::from(1.5));
    chat.look_at(Arc::new(EventView {
        event: Value::from("e"),
        name: EventView::EVENT,
        elapsed,
        delivery: None,
    }));
    assert_eq!(visible(&chat), [false, false, false, true, true]);
    chat.look_away();
    assert_eq!(visible(&chat), [false; 5]);
}

#[test]
fn the_round_is_that_of_the_innermost_repeat() {
    let mut chat = scope(&[]).of_chat(1, "run-1");
    let index = |scope: &Scope| seen(scope, "repeat").get_attr("index").ok();
    assert!(seen(&chat, "repeat").is_undefined());
    let around = chat.set_round(Some(2));
    let outer = chat.set_round(Some(5));
    assert_eq!(index(&chat), Some(Value::from(5)));
    chat.set_round(outer);
    assert_eq!(index(&chat), Some(Value::from(2)));
    chat.set_round(around);
    assert!(seen(&chat, "repeat").is_undefined());
}
