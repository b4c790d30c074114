use std::fs;

use super::*;
use crate::{document::parse, testing::TemporaryFolder};

/// A target with these secrets, each in a file.
fn target(secrets: [&str; 2]) -> Target {
    let folder = TemporaryFolder::new();
    for (name, secret) in ["one", "two"].into_iter().zip(secrets) {
        fs::write(folder.path().join(name), secret).unwrap();
    }
    let text = "t: { url: 'https://h/', variables: { tenant: 5 }, \
                secrets: { one: { file: one }, two: { file: two } } }";
    let problems = Problems::default();
    let node = parse("targets", text).unwrap();
    let entry = &node.entries("targets", &problems)[0];
    Target::read(entry, folder.path(), &problems).unwrap()
}

#[test]
fn a_target_shows_its_secrets_to_expressions_and_to_nothing_else() {
    let target = target(["s3cret\n", "other"]);
    let seen = serde_json::to_string(&target.variable()).unwrap();
    assert_eq!(
        seen,
        r#"{"name":"t","one":"s3cret","tenant":5,"two":"other","url":"https://h"}"#
    );
    assert!(!format!("{target:?}").contains("s3cret"));
    assert!(target.has("one") && target.has("tenant") && target.has("url"));
    assert!(!target.has("three"));
}

#[test]
fn secrets_are_taken_out_of_texts_however_they_are_written() {
    let target = target(["abc", r#"abc"d\ e&f"#]);
    for (text, redacted) in [
        ("nothing here", "nothing here"),
        ("key abc, twice abc", "key ***, twice ***"),
        (r#"as it is abc"d\ e&f."#, "as it is ***."),
        (r#"{"key":"abc\"d\\ e&f"}"#, r#"{"key":"***"}"#),
        ("http://h/?key=abc%22d%5C+e%26f&x", "http://h/?key=***&x"),
    ] {
        assert_eq!(target.redact(text.to_owned()), redacted);
    }
}

#[test]
fn a_variable_that_is_set_by_hand_replaces_a_secret() {
    let target = target(["a", "b"]);
    let problems = Problems::default();
    let node = parse("--variable", "{ one: mine, new: 1 }").unwrap();
    let changed = target.with(node.entries("variables", &problems), &problems);
    assert_eq!(problems.count(), 0);
    assert_eq!(
        serde_json::to_string(&changed.variable()).unwrap(),
        r#"{"name":"t","new":1,"one":"mine","tenant":5,"two":"b","url":"https://h"}"#
    );
}

#[test]
fn secrets_do_not_follow_to_another_address() {
    let moved = target(["a", "b"]).moved_to("https://other.example.com/");
    assert_eq!(
        serde_json::to_string(&moved.variable()).unwrap(),
        r#"{"name":"other.example.com:443","tenant":5,"url":"https://other.example.com"}"#
    );
    assert_eq!(moved.secret_names().count(), 0);
}
