use base64::Engine as _;
use proptest::prelude::*;

use super::*;

fn of_values(values: &[String]) -> Redaction {
    Redaction::new(std::iter::empty(), values)
}

fn of_secret(secret: &str) -> Redaction {
    Redaction::new([secret].into_iter(), &[])
}

#[test]
fn a_value_that_is_in_the_mask_does_not_grow_the_text() {
    let stars: Vec<_> = (1..20).map(|count| "*".repeat(count)).collect();
    let text = "* and ** and ********************".to_owned();
    let redacted = of_values(&stars).redact(text.clone());
    assert!(redacted.len() <= 3 * text.len(), "{redacted}");
}

#[test]
fn a_secret_of_one_character_goes_too() {
    assert_eq!(of_secret("a").redact("status".to_owned()), "st***tus");
}

#[test]
fn a_short_text_concerns_the_values_that_are_written_in_it() {
    let values = ["a/b c".to_owned()];
    for text in ["it is a/b c", "it is a%2Fb+c"] {
        assert!(Redaction::may_concern(text, &values), "{text}");
    }
    assert!(!Redaction::may_concern("it is a/b", &values));
    assert!(Redaction::may_concern(&"x".repeat(SHORT_TEXT + 1), &values));
}

#[test]
fn the_end_of_a_longer_secret_does_not_stay_behind() {
    let values = ["pass", "password", "word-of-all"].map(str::to_owned);
    assert_eq!(
        of_values(&values).redact("my password".to_owned()),
        "my ***"
    );
}

#[test]
fn a_secret_is_found_however_it_is_encoded() {
    let secret = "käse/b r+ot~x?";
    let redaction = of_secret(secret);
    for encoded in [
        "k%C3%A4se%2Fb%20r%2Bot~x%3F",
        "k%c3%a4se%2fb%20r%2bot~x%3f",
        "k%C3%A4se/b%20r%2Bot~x%3F",
        "k%C3%A4se%2Fb+r%2Bot%7Ex%3F",
        r"käse\/b r+ot~x?",
    ] {
        assert_eq!(
            redaction.redact(format!("<{encoded}>")),
            "<***>",
            "{encoded}"
        );
    }
    for before in ["", "a", "ab", "abc", "user:"] {
        for behind in ["", "!", "??"] {
            let text = format!("{before}{secret}{behind}");
            for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                let shown = redaction.redact(encoded.clone());
                assert!(shown.contains(MASK), "{shown}");
                // What is left is of the neighbours, and two characters that both have a part in.
                let neighbours = (before.len() + behind.len()).div_ceil(3) * 4;
                assert!(
                    shown.len() <= MASK.len() + neighbours + 2,
                    "{encoded}: {shown}"
                );
            }
        }
    }
}

#[test]
fn behind_the_beginning_of_a_value_that_is_too_long_nothing_is_shown() {
    let value = "0123456789abcdef".repeat(1_000);
    let shown = of_values(std::slice::from_ref(&value)).redact(format!("it is {value} here"));
    assert_eq!(shown, "it is ***");
}

#[test]
fn where_there_is_too_much_to_look_for_nothing_is_shown() {
    let many: Vec<_> = (0..=MOST_VALUES)
        .map(|number| format!("value-{number:04}"))
        .collect();
    assert_eq!(of_values(&many).redact("anything".to_owned()), MASK);
    assert_eq!(
        of_values(&many[1..]).redact("anything".to_owned()),
        "anything"
    );
    let long: Vec<_> = (0..200)
        .map(|number| format!("{number:04}").repeat(1_000))
        .collect();
    assert_eq!(of_values(&long).redact("anything".to_owned()), MASK);
}

proptest! {
    #[test]
    fn no_value_is_left_and_nothing_grows_threefold(
        values in proptest::collection::vec("[ab*\\\\/é]{1,6}", 0..20), text in "[ab*\\\\/é]{0,200}",
    ) {
        let shown = of_values(&values).redact(text.clone());
        prop_assert!(shown.len() <= MASK.len() * text.len(), "{}", shown);
        // With asterisks a mask and what stands beside it can be a value.
        for value in values.iter().filter(|value| !value.contains('*')) {
            prop_assert!(!shown.contains(value), "{} in {}", value, shown);
        }
    }
}

#[test]
fn a_secret_is_found_in_the_base64_of_its_percent_encoding() {
    let secret = "s3cret/with+more==";
    for before in ["id:", "my-id:", "an-id:"] {
        let pair = format!("{before}s3cret%2Fwith%2Bmore%3D%3D");
        let text = base64::engine::general_purpose::STANDARD.encode(pair);
        let redacted = of_secret(secret).redact(text.clone());
        assert!(redacted.contains("***"), "{before}: {redacted}");
        assert!(redacted.len() < text.len() / 2, "{before}: {redacted}");
    }
}

#[test]
fn a_secret_is_found_in_html_json_and_addresses_however_it_is_escaped_there() {
    let secret = r#"p"a's/s<&>w+o=r`d ä"#;
    let redaction = of_secret(secret);
    for encoded in [
        // Python, PHP, Go, lodash, Mustache, OWASP and what a person may write.
        "p&quot;a&#x27;s/s&lt;&amp;&gt;w+o=r`d ä",
        "p&quot;a&#039;s/s&lt;&amp;&gt;w+o=r`d &auml;",
        "p&#34;a&#39;s/s&lt;&amp;&gt;w&#43;o=r`d ä",
        "p&quot;a&#39;s&#x2F;s&lt;&amp;&gt;w+o&#x3D;r&#x60;d ä",
        "p&quot;a&apos;s&sol;s&lt;&amp;&gt;w&plus;o&equals;r&grave;d&#32;&#xE4;",
        "p&#0034a&#X27;s/s&LT;&AMP;&GT;w+o=r`d ä",
        // JSON and JavaScript.
        r#"p\"a's\/s<&>w+o=r`d ä"#,
        r"p\u0022a\u0027s/s\u003c\u0026\u003Ew\u002bo=r`d \u00e4",
        r"p\x22a\'s\x2Fs\x3c\x26\x3ew+o\x3dr\`d\u{20}ä",
        // Addresses that encode what others leave, or the other way round.
        "p%22a%27s/s%3c%26%3Ew+o=r%60d%20%C3%A4",
        "%70%22%61%27%73%2F%73%3C%26%3E%77%2B%6F%3D%72%60%64%20%c3%a4",
        // Within one another.
        r"p\u0026quot;a\u0026#39;s/s\u0026lt;\u0026amp;\u0026gt;w+o=r`d ä",
        r"p\&quot;a's\/s&lt;&amp;&gt;w+o=r`d ä",
        "p&amp;quot;a&amp;#39;s/s&amp;lt;&amp;amp;&amp;gt;w+o=r`d ä",
        "p%5C%22a's/s%3C%26%3Ew%2Bo=r`d%20ä",
        "p%2522a%2527s/s%253C%2526%253Ew%252Bo%253Dr%2560d%2520%25C3%25A4",
    ] {
        let page = format!("<p>{encoded}</p> &amp; \\n %20 more");
        let redacted = redaction.redact(page.clone());
        assert_eq!(redacted, "<p>***</p> &amp; \\n %20 more", "{encoded}");
        let values = [secret.to_owned()];
        assert!(Redaction::may_concern(&page, &values), "{encoded}");
        assert_eq!(of_values(&values).redact(page), redacted);
        // Cut off at any place behind its first characters, no part of it stays.
        for (end, _) in encoded.char_indices().skip(8) {
            let mut cut = format!("<p>{}", &encoded[..end]);
            redaction.drop_half(&mut cut);
            assert!(cut.len() <= "<p>".len(), "{encoded} up to {end}: {cut}");
        }
    }
}

#[test]
fn base64_is_found_in_html_and_addresses_too() {
    let redaction = of_secret("s3cret>?with?>more");
    let encoded = STANDARD_NO_PAD.encode("user:s3cret>?with?>more");
    assert!(encoded.contains('+') && encoded.contains('/'), "{encoded}");
    for written in [
        encoded.replace('+', "&#43;").replace('/', "&#x2F;"),
        encoded.replace('+', "%2B").replace('/', "%2F"),
        encoded.replace('/', "\\/"),
    ] {
        let shown = redaction.redact(written.clone());
        assert!(
            shown.len() < 16 && shown.contains(MASK),
            "{written}: {shown}"
        );
    }
}

#[test]
fn a_callback_address_is_found_in_base64_and_other_values_are_not() {
    let token = format!("{TOKEN_BEGIN}5f2b1c9a77de4f0c9e0a8f3e1d2c3b4a");
    let values = [token.clone(), "chat-0123456789".to_owned()];
    for begin in ["http://h:1/cb/", "http://h:12/cb/", "http://h:123/cb/"] {
        let address = format!("{begin}{token}?x=1");
        for encoded in [
            STANDARD_NO_PAD.encode(&address),
            URL_SAFE_NO_PAD.encode(&address),
        ] {
            for text in [format!("got <{encoded}>"), format!("got &lt;{encoded}%3D")] {
                assert!(Redaction::may_concern(&text, &values), "{text}");
                let shown = of_values(&values).redact(text.clone());
                assert!(
                    shown.contains(MASK) && shown.len() < text.len() - 40,
                    "{shown}"
                );
            }
        }
    }
    let other = format!(
        "got {}",
        STANDARD_NO_PAD.encode("of chat-0123456789 and of many others")
    );
    assert!(!Redaction::may_concern(&other, &values));
    assert_eq!(of_values(&values).redact(other.clone()), other);
}

#[test]
fn a_value_with_hyphens_is_found_percent_encoded() {
    let values = ["a-b_c".to_owned()];
    for text in [
        "it is a%2Db%5Fc",
        "it is a%2db%5fc",
        "it is a&#45;b_c",
        "it is a-b_c",
    ] {
        assert!(Redaction::may_concern(text, &values), "{text}");
        assert_eq!(
            of_values(&values).redact(text.to_owned()),
            "it is ***",
            "{text}"
        );
    }
    assert!(!Redaction::may_concern("it is a-b-c", &values));
}
