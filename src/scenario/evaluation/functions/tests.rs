use std::sync::Arc;

use super::*;
use crate::{
    document::{Problems, parse},
    scenario::{Expression, Names, Scope, scope::tests::scope},
};

fn value(source: &str) -> Result<Value, String> {
    let node = parse("a.yaml", &serde_json::to_string(source).unwrap()).unwrap();
    let expression = Expression::read(&node, &Names::open(), &Problems::default()).unwrap();
    let scope = scope(&[
        ("text", "a b/ü?&=~".into()),
        ("key", "key".into()),
        ("fox", "The quick brown fox jumps over the lazy dog".into()),
        ("bytes", Value::from_bytes(vec![0xff, 0xfe])),
        ("number", 12.into()),
    ]);
    let value = expression.evaluate(&scope);
    value.map_err(|error| error.message)
}

fn text(source: &str) -> String {
    value(source).unwrap().to_string()
}

#[test]
fn values_are_encoded_for_addresses_and_headers() {
    assert_eq!(text("text | urlencode"), "a%20b%2F%C3%BC%3F%26%3D~");
    assert_eq!(text("bytes | urlencode"), "%FF%FE");
    assert_eq!(
        text("{'b c': 'd&e', 'n': number} | urlencode"),
        "b%20c=d%26e&n=12"
    );
    assert_eq!(
        text("('Aladdin' ~ ':' ~ 'open sesame') | base64"),
        "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    );
    assert_eq!(text("bytes | base64"), "//4=");
    assert_eq!(text("bytes | base64url"), "__4");
    assert_eq!(text("number | base64"), "MTI=");
    for written in ["//4=", "//4", "__4", " __4= "] {
        let decoded = value(&format!("'{written}' | base64_decode")).unwrap();
        assert_eq!(decoded.as_bytes(), Some(&[0xff, 0xfe][..]), "{written}");
    }
    assert_eq!(value("'YWI' | base64_decode").unwrap(), Value::from("ab"));
}

#[test]
fn text_that_is_json_becomes_its_value_and_any_other_is_undefined() {
    let json = "'[1, {\"a\": \"b\"}]' | json";
    assert_eq!(value(&format!("({json})[1].a")).unwrap(), "b".into());
    assert_eq!(text("('42[\"a\"]'[2:] | json)[0]"), "a");
    for other in ["'{'", "''", "number", "gone", "bytes", "[1]"] {
        let other = format!("({other} | json) is undefined");
        assert_eq!(value(&other).unwrap(), true.into(), "{other}");
    }
    assert_eq!(text("'<a b=\"c\"/>' | xml_attr('b')"), "c");
    assert_eq!(text("'<a><b>c</b></a>' | xml_text('b')"), "c");
}

#[test]
fn every_uuid_is_another_one() {
    let both = value("[uuid(), uuid()]").unwrap();
    let item = |index| both.get_item_by_index(index).unwrap().to_string();
    assert_ne!(item(0), item(1));
    let version = uuid::Uuid::parse_str(&item(0)).unwrap();
    assert_eq!(version.get_version_num(), 4);
}

/// The examples of [RFC 4231](https://www.rfc-editor.org/rfc/rfc4231) and of Wikipedia's article on HMAC.
#[test]
fn signatures_are_those_that_others_make() {
    let hex = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
    assert_eq!(text("fox | hmac_sha256(key)"), hex);
    assert_eq!(text("fox | hmac_sha256(key, 'hex')"), hex);
    let base64 = "97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg=";
    assert_eq!(text("fox | hmac_sha256(key, 'base64')"), base64);
    assert_eq!(
        text("fox | hmac_sha256(key, 'base64url')"),
        base64.replace('+', "-").replace('/', "_").replace('=', "")
    );
    let second = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(
        text("'what do ya want for nothing?' | hmac_sha256('Jefe')"),
        second
    );
    // Signing with what was signed before, as AWS does.
    assert_eq!(
        value("'b' | hmac_sha256('a' | hmac_sha256(key, 'bytes'))").unwrap(),
        value("'b' | hmac_sha256(('a' | hmac_sha256(key, 'base64')) | base64_decode)").unwrap()
    );
    assert_eq!(
        text("'' | sha256"),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
}

#[test]
fn what_is_not_there_is_not_signed() {
    for source in [
        "nothing | hmac_sha256(key)",
        "fox | hmac_sha256(nothing)",
        "fox | hmac_sha256",
        "nothing | base64",
        "none | urlencode",
        "fox | hmac_sha256(key, 'rot13')",
        "'?' | base64_decode",
        "now('epoch')",
        "now('%')",
    ] {
        assert!(value(source).is_err(), "{source}");
    }
}

#[test]
fn the_time_stands_still_within_a_step() {
    let mut scope = (*scope(&[])).clone();
    scope.set_moment("2026-01-02T03:04:05.678901Z".parse().unwrap());
    let scope = Arc::new(scope);
    for (source, expected) in [
        ("now()", "2026-01-02T03:04:05.678Z"),
        ("now('rfc3339')", "2026-01-02T03:04:05.678Z"),
        ("now('seconds')", "1767323045"),
        ("now('milliseconds')", "1767323045678"),
        ("now('http')", "Fri, 02 Jan 2026 03:04:05 GMT"),
        ("now('%Y%m%dT%H%M%SZ')", "20260102T030405Z"),
    ] {
        let node = parse("a.yaml", &format!("\"{source}\"")).unwrap();
        let expression = Expression::read(&node, &Names::open(), &Problems::default()).unwrap();
        let value = expression.evaluate(&scope).unwrap();
        assert_eq!(value.to_string(), expected, "{source}");
        assert_eq!(value.is_integer(), source.contains("seconds"), "{source}");
    }
}

#[test]
fn the_time_is_taken_when_it_is_asked_for_first_and_anew_with_what_comes_next() {
    let moment = |scope: &Scope| i64::try_from(scope.value_of(MOMENT).unwrap()).unwrap();
    let clock = || jiff::Timestamp::now().as_microsecond();
    let mut scope = (*scope(&[])).clone();
    let before = clock();
    let first = moment(&scope);
    assert!((before..=clock()).contains(&first));
    while clock() == first {}
    assert_eq!(moment(&scope), first);
    assert_eq!(moment(&scope.clone()), first);
    scope.renew_moment();
    assert!(moment(&scope) > first);
}
