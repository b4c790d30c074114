use proptest::prelude::*;

use super::*;

fn fields(text: &str) -> Vec<String> {
    let mut values = Vec::new();
    note_fields(text, &mut values);
    values
}

#[test]
fn names_are_read_by_their_words() {
    for name in [
        "token",
        "accessToken",
        "access_tokens",
        "ACCESS-TOKEN",
        "accesstoken",
        "clientSecret",
        "userPassword",
        "pwd",
        "x-auth",
        "oauth",
        "APIKey",
        "api_key",
        "apikey",
        "X-Session-Key",
        "keys_and_key",
        "idJWT",
        "Set-Cookie",
        "session_cookie",
        "JSESSIONID",
        "Proxy-Authorization",
        "credentials",
    ] {
        assert!(is_confidential(name), "{name}");
    }
    for name in [
        "",
        "author",
        "authenticated",
        "keyboard",
        "monkey",
        "key",
        "keyName",
        "sessionId",
        "engagement_id",
        "correlationId",
        "token_type",
        "tokenExpiresIn",
        "authUrl",
        "passed",
        "bypass",
    ] {
        assert!(!is_confidential(name), "{name}");
    }
}

proptest! {
    #[test]
    fn the_look_at_the_whole_name_misses_none(
        // Words that matter, the beginnings of some, and a letter that is `k` in lower case only.
        name in "(token|Token|KEY|key|Keys|auth|AUTH|toKen|\u{212a}ey|pass|word|jwt|o|url|[-_ a-zA-Zé]){0,6}",
    ) {
        prop_assert_eq!(is_confidential(&name), has_confidential_word(&name), "{}", name);
    }
}

#[test]
fn all_texts_and_numbers_under_a_confidential_name_are_noted() {
    let text = r#"{"a": "b", "tokens": [["first", "abc"], {"id": 12345, "n": 1.50, "m": 123, "on": true}],
        "auth": {"user": "lovelace"}, "secret" : "qq\"\u0041", "pwd": "\u0041", "last": "seen"}"#;
    assert_eq!(
        fields(text),
        [
            "first",
            "12345",
            "1.50",
            "lovelace",
            r#"qq\"\u0041"#,
            "qq\"A"
        ]
    );
}

#[test]
fn what_is_cut_off_is_read_as_far_as_it_goes() {
    for text in [
        r#"{"access_token": "abcdef", "x": "lon"#,
        r#"[{"access_token": "abcdef"#,
        r#"{"auth": [{"n": ["abcdef"#,
        r#"data: {"token":"abcdef"}"#,
        r#"}}]{"token":"abcdef"}"#,
    ] {
        assert_eq!(fields(text), ["abcdef"], "{text}");
    }
    assert_eq!(fields(r#"{"token": 123456"#), ["123456"]);
    assert!(fields(r#"{"token""#).is_empty() && fields(r#"{"token": "#).is_empty());
    assert_eq!(fields(r#"{"token": "abcd\"#), [r"abcd\"]);
}

#[test]
fn parameters_of_addresses_and_forms_are_noted() {
    let mut values = Vec::new();
    note_confidential(
        "https://h/a?x=1&access_token=a%20bc#id_token=cdef",
        &mut values,
    );
    assert_eq!(values, ["a%20bc", "a bc", "cdef"]);
    values.clear();
    note_confidential("user=ada&pwd=pp+q&key=k-11&author=me&secret", &mut values);
    assert_eq!(values, ["pp+q", "pp q", "k-11"]);
    values.clear();
    note_confidential("the secret=is out", &mut values);
    assert!(values.is_empty(), "{values:?}");
    assert_eq!(fields(r#"{"next": "/work?api_key=abcdef"}"#), ["abcdef"]);
}
