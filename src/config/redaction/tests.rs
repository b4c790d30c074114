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
