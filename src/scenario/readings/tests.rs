use proptest::prelude::*;

use super::*;

fn said(text: &str) -> Vec<String> {
    readings(text)
        .into_iter()
        .map(|reading| reading.text)
        .collect()
}

#[test]
fn a_character_is_read_in_every_form() {
    for encoded in [
        "a&quot;b",
        "a&QUOT;b",
        "a&quotb",
        "a&QUOTb",
        "a&ampquot;b",
        "a&#34;b",
        "a&#034;b",
        "a&#x22;b",
        "a&#X22;b",
        "a&#x00022;b",
        "a&#34b",
        "a\\\"b",
        "a\\u0022b",
        "a\\x22b",
        "a\\u{22}b",
        "a%22b",
        "a&amp;quot;b",
        "a\\u0026quot;b",
        "a%2522b",
        "a\\\\u0022b",
        "a%5c%22b",
    ] {
        assert!(
            said(encoded).contains(&"a\"b".to_owned()),
            "{encoded}: {:?}",
            said(encoded)
        );
    }
    for (encoded, meant) in [
        ("k&auml;se", "käse"),
        ("k%C3%A4se%2f", "käse/"),
        ("\\ud83d\\ude00", "😀"),
        ("&#x1F600;", "😀"),
        ("%f0%9f%98%80", "😀"),
        ("&Tab;&nbsp;&yuml;", "\t\u{a0}ÿ"),
        ("a\\/b\\n", "a/b\n"),
        ("a&ltb&GTc&amp", "a<b>c&"),
        ("&verbar;&UnderBar;&DiacriticalGrave;", "|_`"),
    ] {
        assert!(
            said(encoded).contains(&meant.to_owned()),
            "{encoded}: {:?}",
            said(encoded)
        );
    }
}

#[test]
fn what_stands_for_no_character_stays() {
    for text in [
        "",
        "plain",
        "a & b",
        "&nothing;",
        "&;",
        "&#;",
        "&#x;",
        "&#xD800;",
        "&#99999999999;",
        "\\",
        "\\q",
        "\\u12",
        "\\ud83d",
        "\\u{110000}",
        "\\x4",
        "%",
        "%4",
        "%zz",
        "%C3",
        "%C3%",
        "%ff%ff",
        "&am",
        "&apos",
    ] {
        assert_eq!(said(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_reading_knows_where_it_comes_from() {
    let text = "<&amp;quot;ä>";
    let all = readings(text);
    let inner = all.iter().find(|reading| reading.text == "<\"ä>").unwrap();
    assert_eq!(inner.origin(1, 2), (1, 11));
    assert_eq!(&text[1..11], "&amp;quot;");
    assert_eq!(inner.origin(4, 5), (13, 14));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_part_of_a_reading_comes_from_a_part_of_the_text(text in "[&#x;\\\\u0-9a-f%\"ä{}]{0,40}") {
        for reading in readings(&text) {
            prop_assert_eq!(reading.origins.len(), reading.text.len() + 1);
            prop_assert_eq!(reading.origins.last(), Some(&text.len()));
            prop_assert!(reading.origins.is_sorted());
        }
    }
}
