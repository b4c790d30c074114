use std::fmt::Write as _;

use super::*;
use crate::document::Number;

fn number(text: &str) -> Value {
    Value::Number(Number::parse(text).unwrap())
}

fn problem(text: &str) -> String {
    parse("a.yaml", text).unwrap_err().to_string()
}

#[test]
fn every_value_knows_its_place() {
    let node = parse("a.yaml", "a: 1\nb:\n  - x\n  - 'y z'\n").unwrap();
    let list = node
        .find("b")
        .unwrap()
        .list("", &crate::document::Problems::default())
        .to_vec();
    assert_eq!(list[1].place.to_string(), "a.yaml:4:5");
    assert_eq!(list[1].place_in_text(2).to_string(), "a.yaml:4:8");
    assert_eq!(node.find("a").unwrap().value, number("1"));
}

#[test]
fn what_is_no_document_is_said_with_its_place() {
    assert_eq!(
        problem("a: 1\na: 2\n"),
        "a.yaml:2:1: the key `a` is given twice; keep one of them"
    );
    assert_eq!(
        problem("t: {{ x }}"),
        "a.yaml:1:5: a key must be a word; a template such as `{{ x }}` stands in quotes"
    );
    assert_eq!(
        problem("a: 1\n---\nb: 2\n"),
        "a.yaml:2:1: a second document begins here; write one a file"
    );
    assert!(problem("a: [1, 2").starts_with("a.yaml:"));
}

#[test]
fn of_a_key_that_is_given_twice_the_first_value_counts_and_all_are_noted() {
    let problems = Problems::default();
    let text = "a: 1\na: { b: 2, b: 3 }\nc: 4\na: 5\n";
    let node = parse_noting("a.yaml", text, &problems).unwrap();
    assert_eq!(node.find("a").unwrap().value, number("1"));
    assert_eq!(node.find("c").unwrap().value, number("4"));
    let places: Vec<_> = problems
        .into_result()
        .unwrap_err()
        .iter()
        .map(|problem| problem.place.to_string())
        .collect();
    assert_eq!(places, ["a.yaml:2:1", "a.yaml:2:12", "a.yaml:4:1"]);
}

#[test]
fn anchors_copy_but_cannot_explode() {
    let node = parse("a.yaml", "a: &x { b: 1 }\nc: *x\n").unwrap();
    assert_eq!(
        node.find("c").unwrap().find("b").unwrap().value,
        number("1")
    );
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        let _ = writeln!(bomb, "a{level}: &a{level} [{below}]");
    }
    assert!(problem(&bomb).contains("more than 200000 values"));
}

#[test]
fn nesting_has_an_end() {
    assert!(problem(&"[".repeat(100)).contains("nested too deeply"));
}

#[test]
fn scalars_follow_the_core_schema() {
    let cases = [
        ("5s", Value::Text("5s".into())),
        ("0.5", number("0.5")),
        ("-3", number("-3")),
        ("no", Value::Text("no".into())),
        ("~", Value::Null),
        ("'7'", Value::Text("7".into())),
        ("1e3", number("1e3")),
        ("nan", Value::Text("nan".into())),
    ];
    for (text, value) in cases {
        assert_eq!(parse("a", text).unwrap().value, value, "{text}");
    }
}

#[test]
fn a_scalar_is_kept_as_it_was_written() {
    for text in [
        "12345678901234567890",
        "007",
        "+491701234",
        "12e4",
        "1.10",
        "0x1F",
        "1_000",
        "yes",
        "no",
        "null",
        "~",
        "True",
        "2024-01-01",
        ".inf",
        "0o17",
        "1:30",
        "1e400",
    ] {
        let node = parse("a", text).unwrap();
        assert_eq!(node.as_written(), Some(text));
    }
    assert_eq!(
        parse("a", "a:").unwrap().find("a").unwrap().as_written(),
        None
    );
    assert_eq!(
        parse("a", "!!str 5").unwrap().value,
        Value::Text("5".into())
    );
}

#[test]
fn the_null_of_json_is_nothing_and_that_of_yaml_a_word_for_it() {
    let written = |text: &str| {
        let node = parse("a", text).unwrap();
        let node = node.find("a").unwrap();
        (node.value.clone(), node.as_written().map(str::to_owned))
    };
    assert_eq!(written(r#"{ "a": null }"#), (Value::Null, None));
    assert_eq!(written("{ a: null }"), (Value::Null, Some("null".into())));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_document() {
    let node = parse("a.yaml", "\u{feff}a: 1\n").unwrap();
    assert_eq!(node.find("a").unwrap().place.to_string(), "a.yaml:1:4");
}

fn keys(node: &Node) -> Vec<(&str, Option<&str>, String)> {
    let Value::Map(entries) = &node.value else {
        panic!("{node:?} is no mapping")
    };
    let entries = entries.iter();
    entries
        .map(|entry| {
            let node = &entry.node;
            (&*entry.key, node.as_written(), node.place.to_string())
        })
        .collect()
}

#[test]
fn merged_keys_count_unless_the_mapping_has_them_and_keep_their_places() {
    let text = "a: &a { x: 1, y: 2 }\nb: { y: 3, <<: *a, z: 4 }\nc: { <<: *a, <<: *a }\n";
    let problems = Problems::default();
    let node = parse_noting("f", text, &problems).unwrap();
    let place = |text: &str| text.to_owned();
    assert_eq!(
        keys(node.find("b").unwrap()),
        [
            ("y", Some("3"), place("f:2:9")),
            ("x", Some("1"), place("f:1:12")),
            ("z", Some("4"), place("f:2:23")),
        ]
    );
    assert_eq!(
        problems.into_result().unwrap_err()[0].to_string(),
        "f:3:14: the key `<<` is given twice; keep one of them"
    );
}

#[test]
fn of_several_merged_mappings_the_first_with_a_key_counts() {
    let text = "a: &a { x: 1, y: 2 }\nb: &b { <<: *a, x: 3, z: 4 }\nc:\n  <<: [*b, *a, { w: 5 }]\n";
    let node = parse("f", text).unwrap();
    let found = keys(node.find("c").unwrap());
    let found: Vec<_> = found.iter().map(|(key, value, _)| (*key, *value)).collect();
    assert_eq!(
        found,
        [
            ("y", Some("2")),
            ("x", Some("3")),
            ("z", Some("4")),
            ("w", Some("5"))
        ]
    );
}

#[test]
fn only_mappings_merge_and_only_without_quotes() {
    let problems = Problems::default();
    parse_noting("f", "a: { <<: 5 }\nb: { <<: [{ x: 1 }, y] }\n", &problems).unwrap();
    let found: Vec<_> = problems.into_result().unwrap_err();
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    let wanted = "expected a mapping to merge such as `*name`, or a list of mappings, found";
    assert_eq!(
        found,
        [
            format!("f:1:10: {wanted} a number"),
            format!("f:2:21: {wanted} text")
        ]
    );
    let quoted = parse("f", r#"{ "<<": 5 }"#).unwrap();
    assert_eq!(quoted.find("<<").unwrap().value, number("5"));
}

#[test]
fn aliases_cannot_grow_in_depth_or_bytes_either() {
    let mut deep = "a0: &a0 [x]\n".to_owned();
    for level in 1..100 {
        let _ = writeln!(deep, "a{level}: &a{level} [*a{}]", level - 1);
    }
    assert!(problem(&deep).contains("nested too deeply"));
    let large = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(1_000_000),
        "*a, ".repeat(100)
    );
    assert!(problem(&large).contains("more than 33554432 bytes of text"));
    let merged = format!(
        "a: &a {{ x: {} }}\nb: [{}]\n",
        "x".repeat(1_000_000),
        "{ <<: *a }, ".repeat(100)
    );
    assert!(problem(&merged).contains("more than 33554432 bytes of text"));
    let nested = "&a [".repeat(50) + &"x, ".repeat(10_000);
    let anchors: String = (0..50).fold(nested, |text, level| {
        text.replacen("&a ", &format!("&a{level} "), 1)
    });
    assert!(problem(&(anchors + &"]".repeat(50))).contains("more than 200000 values"));
}

#[test]
fn columns_within_texts_are_those_of_a_line_with_many_of_them() {
    let texts: Vec<_> = (0..1_000).map(|number| format!("'ä{number}'")).collect();
    let line = format!("{{ \"a\\tb\": \"c\\td\", k: [{}] }}", texts.join(", "));
    let node = parse("a.yaml", &format!("\n{line}\n")).unwrap();
    let Value::List(list) = &node.find("k").unwrap().value else {
        panic!("a list")
    };
    for (number, node) in list.iter().enumerate() {
        let place = node.place_in_text("ä".len());
        assert_eq!(place.line, 2);
        let before = line.chars().take(place.column - 2).collect::<String>();
        assert!(before.ends_with('\''), "{place}: {before}");
        assert!(
            line[before.len()..].starts_with(&format!("ä{number}'")),
            "{place}"
        );
    }
}
