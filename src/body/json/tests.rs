use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(body: &[u8]) -> Result<Value, String> {
    read_json(body, None).map_err(|why| why.to_string())
}

/// What a body means, as JSON.
fn meaning(body: &[u8]) -> String {
    serde_json::to_string(&read(body).unwrap()).unwrap()
}

#[test]
fn what_browsers_take_is_read() {
    for (body, expected) in [
        (&br#""Hello \ud83d""#[..], "\"Hello \u{fffd}\""),
        (br#""\ude00\ud83d\u0041""#, "\"\u{fffd}\u{fffd}A\""),
        (br#""\ud83d\ud83d\ude00""#, "\"\u{fffd}\u{1f600}\""),
        (br#"{ "\udfff": [1] }"#, "{\"\u{fffd}\":[1]}"),
        (b"\xef\xbb\xbf {\"a\": 1}\r\n", "{\"a\":1}"),
        (
            b"[\"gr\xfcn\", \"\xf0\x9f\", \"\xe2\x82\xac\"]",
            "[\"gr\u{fffd}n\",\"\u{fffd}\",\"€\"]",
        ),
        (br#"{ "a": 1, "b": 2, "a": 3 }"#, r#"{"a":3,"b":2}"#),
        (br#"{ "a": "\ud83d", "a": 3 }"#, r#"{"a":3}"#),
        (b"\xff\xfe[\0\x22\0\xe4\0\x22\0]\0", "[\"ä\"]"),
        (b"\xfe\xff\0[\0\x22\xd8\x3d\0\x22\0]", "[\"\u{fffd}\"]"),
        (
            br#"["\ud83d", 1e400, -1e-400]"#,
            "[\"\u{fffd}\",\"1e400\",-0.0]",
        ),
    ] {
        assert_eq!(meaning(body), expected, "{body:?}");
    }
    let latin = read_json(
        b"[\"gr\xfcn\"]",
        Some("application/json; charset=ISO-8859-1"),
    );
    assert_eq!(latin.unwrap(), Value::from(vec!["grün"]));
    let wrong = read_json(
        "[\"grün\"]".as_bytes(),
        Some("application/json; charset=ISO-8859-1"),
    );
    assert_eq!(wrong.unwrap(), Value::from(vec!["grün"]));
}

#[test]
fn whole_numbers_keep_their_digits() {
    let long = "1234567890123456789012345678901234567890123";
    for digits in [
        "9007199254740993",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "340282366920938463463374607431768211455",
        "-170141183460469231731687303715884105728",
    ] {
        assert_eq!(meaning(digits.as_bytes()), digits);
        let nested = format!(r#"{{"id":[{digits}]}}"#);
        assert_eq!(meaning(nested.as_bytes()), nested);
        assert_eq!(read(digits.as_bytes()).unwrap().to_string(), digits);
    }
    for long in [long, &format!("-{long}")] {
        assert_eq!(read(long.as_bytes()).unwrap(), Value::from(long));
    }
    for (written, digits) in [
        ("9007199254740993.0", "9007199254740993"),
        ("-90071992547409930000.000", "-90071992547409930000"),
        ("1e22", "10000000000000000000000"),
        ("1.00000000000000000000001e+23", "100000000000000000000001"),
    ] {
        assert_eq!(meaning(written.as_bytes()), digits);
    }
    let endless = read(b"[1e400, -1.5e999]").unwrap();
    let kept = serde_json::to_string(&endless).unwrap();
    assert_eq!(kept, r#"["1e400","-1.5e999"]"#);
    for double in ["1.0", "-2.5", "1e300", "123456789012345678.5"] {
        let value = read(double.as_bytes()).unwrap();
        let expected: f64 = double.parse().unwrap();
        assert!(!value.is_integer(), "{double}");
        assert_eq!(f64::try_from(value).unwrap().to_bits(), expected.to_bits());
    }
}

#[test]
fn what_is_wrong_is_told_with_its_byte() {
    for (body, why) in [
        (&b""[..], "it is empty at byte 0"),
        (b"<html>", "no value begins like this at byte 0"),
        (b"{\"a\": tru}", "no value begins like this at byte 6"),
        (b"{\"a\": 1", "it ends too early at byte 7"),
        (b"[1, 2", "it ends too early at byte 5"),
        (b"{\"a\" 1}", "`:` is missing at byte 5"),
        (b"{\"a\": 1 \"b\"}", "`,` or `}` is missing at byte 8"),
        (b"[1 2]", "`,` or `]` is missing at byte 3"),
        (b"[1,]", "no value begins like this at byte 3"),
        (b"{\"a\": 1,}", "the name of a member is missing at byte 8"),
        (b"{'a': 1}", "the name of a member is missing at byte 1"),
        (b"\"a\nb\"", "a control character inside a text at byte 2"),
        (b"\"a\\x\"", "no escape is written like this at byte 2"),
        (
            b"\"\\u12g4\"",
            "`\\u` needs four hexadecimal digits at byte 1",
        ),
        (b"\"a", "it ends inside a text at byte 2"),
        (b"01", "a number begins with a zero too many at byte 1"),
        (b"-", "a digit is missing at byte 1"),
        (b"[1.]", "a digit is missing at byte 3"),
        (b"1e+", "a digit is missing at byte 3"),
        (b"NaN", "no value begins like this at byte 0"),
        (b"{} {}", "something follows the value at byte 3"),
        (
            b"\xef\xbb\xbf{]",
            "the name of a member is missing at byte 4",
        ),
        (b"\xfc", "no value begins like this at byte 0"),
    ] {
        assert_eq!(
            read(body).unwrap_err(),
            format!("not JSON: {why}"),
            "{body:?}"
        );
    }
}

/// On the stack of a worker thread: everything that goes through a value does so level by level.
#[test]
fn as_deep_as_it_may_be_it_can_be_worked_with() {
    let deep = |levels: usize| {
        let (open, close) = (r#"{"a":["#.repeat(levels / 2), "]}".repeat(levels / 2));
        format!("{open}1{close}").into_bytes()
    };
    let body = deep(512);
    let value = read(&body).unwrap();
    assert_eq!(serde_json::to_string(&value).unwrap().as_bytes(), body);
    assert_eq!(value, read(&body).unwrap());
    assert!(value.to_string().len() > 512);
    let why = read(&deep(514)).unwrap_err();
    assert_eq!(why, "not JSON: more than 512 levels at byte 1536");
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<u64>().prop_map(|n| json!(n)),
        (-1e15..1e15).prop_map(|n| json!(n)),
        any::<String>().prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(|list| json!(list)),
            prop::collection::btree_map(any::<String>(), inner, 0..8).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn both_readings_agree(json in any_json(), pretty in any::<bool>()) {
        let text = if pretty { format!("{json:#}") } else { json.to_string() };
        let strict = serde_json::from_str::<Plain>(&text).unwrap().0;
        let lenient = Reader::new(text.as_bytes()).read().unwrap();
        prop_assert_eq!(&strict, &lenient);
        prop_assert_eq!(serde_json::to_string(&strict).unwrap(), serde_json::to_string(&lenient).unwrap());
    }

    #[test]
    fn whatever_comes_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..64), at in 0..40_usize) {
        let mut near = br#"{"a": [1.5e3, "\ud83d\ude00\n", true, null]}"#.to_vec();
        near.splice(at..at, body.iter().take(2).copied());
        for body in [&body, &near] {
            if let Err(why) = read_json(body, None) {
                prop_assert!(why.at <= body.len());
            }
        }
    }
}

proptest! {
    #[test]
    fn members_are_those_of_a_map(fields in proptest::collection::vec(("[a-d]{0,2}", 0..5_i32), 0..40)) {
        let values = |(name, value): &(String, i32)| (Value::from(name.as_str()), Value::from(*value));
        let map: std::collections::BTreeMap<Value, Value> = fields.iter().map(values).collect();
        let members: ReadMembers = fields.iter().map(values).collect();
        let members = Value::from(Members::from(members));
        prop_assert_eq!(members.len(), Some(map.len()));
        for name in map.keys().chain([&Value::from("other"), &Value::from(1)]) {
            prop_assert_eq!(members.get_item(name).unwrap(), map.get(name).cloned().unwrap_or_default());
        }
        let map = Value::from(map);
        prop_assert_eq!(&members, &map);
        prop_assert_eq!(members.to_string(), map.to_string());
        prop_assert_eq!(members.is_true(), map.is_true());
        let order = |value: &Value| value.try_iter().unwrap().collect::<Vec<_>>();
        prop_assert_eq!(order(&members), order(&map));
        prop_assert_eq!(serde_json::to_string(&members).unwrap(), serde_json::to_string(&map).unwrap());
    }
}
