use proptest::prelude::*;

use super::*;

fn fields(text: &str) -> Vec<String> {
    let mut values = Vec::new();
    note_fields(text, MOST_LEVELS, &mut values);
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
        "passcode",
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

#[test]
fn what_has_a_confidential_name_is_noted_where_its_json_is_encoded() {
    for text in [
        r"<pre>{&quot;access_token&quot;:&quot;abc/12345&quot;}</pre>",
        r"<pre>{&#34;access_token&#34;: &#34;abc/12345&#34;}</pre>",
        r#"{"request":"{\"access_token\":\"abc/12345\"}"}"#,
        r#"{"request":"{\u0022access_token\u0022:\u0022abc\/12345\u0022}"}"#,
        "https://h/?next=%2Fa%3Faccess_token%3Dabc%2F12345",
        "%7B%22access_token%22%3A%22abc/12345%22%7D",
        "/a?b=1&amp;access_token=abc/12345",
    ] {
        let mut values = Vec::new();
        note_confidential(text, &mut values);
        assert!(
            values.contains(&"abc/12345".to_owned()),
            "{text}: {values:?}"
        );
    }
}

#[test]
fn tokens_of_callback_addresses_are_noted_wherever_they_stand() {
    let token = format!("{TOKEN_BEGIN}5f2b1c9a77de4f0c9e0a8f3e1d2c3b4a");
    for text in [
        token.clone(),
        format!("https://probe.example.com/hooks/{token}/x"),
        format!(r#"[{{"url":"http:\/\/h\/{token}"}}]"#),
        format!("posted to http://h/{token}, thank you"),
    ] {
        let mut values = Vec::new();
        note_confidential(&text, &mut values);
        assert!(values.contains(&token), "{text}: {values:?}");
    }
    for text in [
        "cb-",
        "cb-5f2b",
        "cb-5f2b1c9a77de4f0c9e0a8f3e1d2c3bzz",
        "cb-äääääääääääääääää",
    ] {
        let mut values = Vec::new();
        note_confidential(text, &mut values);
        assert!(values.is_empty(), "{text}: {values:?}");
    }
}

fn noted(text: &str) -> Vec<String> {
    let mut values = Vec::new();
    note_confidential(text, &mut values);
    values
}

#[test]
fn headers_of_text_protocols_are_noted_under_their_names() {
    let stomp = "CONNECT\nlogin:ada\npasscode:hunter-2\r\nauthorization:Bearer abc.def\n\n\0";
    let values = ["hunter-2", "abc.def", "Bearer abc.def"];
    assert_eq!(noted(stomp), values);
    // As SockJS and evidence of failed chats have it.
    for text in [
        serde_json::json!([stomp]).to_string(),
        serde_json::json!({ "kind": "text", "text": serde_json::json!([stomp]).to_string() })
            .to_string(),
    ] {
        let noted = noted(&text);
        for value in values {
            assert!(noted.contains(&value.to_owned()), "{text}: {noted:?}");
        }
    }
    assert_eq!(noted("token:abcdef\0"), ["abcdef"]);
    for text in [
        "token: not there",
        "the token:abcdef",
        "token:abc",
        "https://h/x",
    ] {
        assert_eq!(noted(text), [""; 0], "{text}");
    }
}

#[test]
fn attributes_and_elements_of_xml_are_noted_under_their_names() {
    for (text, value) in [
        ("<login user='ada' password='hunter-2'/>", "hunter-2"),
        (r#"<login password="it's me" user="ada"/>"#, "it's me"),
        ("<a x:secret='hunter-2", "hunter-2"),
        ("<auth mechanism='PLAIN'>AGFkYQ==</auth>", "AGFkYQ=="),
        ("<w:Password a='b'> hunter-2\n</w:Password>", "hunter-2"),
    ] {
        assert_eq!(noted(text), [value], "{text}");
        let evidence = serde_json::json!({ "text": text }).to_string();
        assert!(noted(&evidence).contains(&value.to_owned()), "{evidence}");
    }
    assert!(noted("<b token='a&amp;bcd'/>").contains(&"a&bcd".to_owned()));
    for text in [
        "<token/>some text",
        "<credentials>\n     <user>ada</user></credentials>",
        "x='hunter-2' the token 'hunter-2'",
        r#"{"next":"/a?token=","user":"ada"}"#,
        "<user>ada-lovelace</user>",
    ] {
        assert_eq!(noted(text), [""; 0], "{text}");
    }
}

#[test]
fn what_commands_sign_in_with_is_noted() {
    for (line, secrets) in [
        ("PASS hunter-2", &["hunter-2"][..]),
        ("PASS :two words\r\n", &["two words"]),
        ("pass hunter-2", &["hunter-2"]),
        ("OPER ada hunter-2", &["hunter-2"]),
        ("WEBIRC hunter-2 gate h 127.0.0.1", &["hunter-2"]),
        ("AUTHENTICATE AGFkYQBwdw==", &["AGFkYQBwdw=="]),
        (
            "@label=1 :ada!a@h AUTHENTICATE :AGFkYQBwdw==",
            &["AGFkYQBwdw=="],
        ),
        ("AUTH PLAIN AGFkYQBwdw==", &["AGFkYQBwdw=="]),
        ("AUTH SCRAM-SHA-256 biwsbj1hZGE=", &["biwsbj1hZGE="]),
        ("PRIVMSG NickServ :IDENTIFY hunter-2", &["hunter-2"]),
        (
            "PRIVMSG NickServ@services.h :identify ada hunter-2",
            &["hunter-2"],
        ),
        (
            "PRIVMSG Q@CServe.quakenet.org :AUTH ada hunter-2",
            &["hunter-2"],
        ),
        (
            ":ada!a@h NOTICE NickServ :GHOST ada hunter-2",
            &["hunter-2"],
        ),
        ("PRIVMSG NickServ :REGISTER hunter-2 ada@h", &["hunter-2"]),
        ("PRIVMSG NickServ :SET PASSWORD hunter-2", &["hunter-2"]),
        ("NS IDENTIFY ada hunter-2", &["hunter-2"]),
        ("NICKSERV :IDENTIFY hunter-2", &["hunter-2"]),
        ("JOIN #a,#b key-1,key-2", &["key-1", "key-2"]),
        ("a1 LOGIN ada \"hunter-2\"", &["hunter-2"]),
        ("a1 AUTHENTICATE PLAIN AGFkYQBwdw==", &["AGFkYQBwdw=="]),
        (
            "NICK ada\r\nUSER ada 0 * :Ada\r\nPASS hunter-2\r\n",
            &["hunter-2"],
        ),
        (
            "Authorization: Digest username=\"ada\"",
            &["Digest username=\"ada\""],
        ),
    ] {
        for text in [
            line.to_owned(),
            serde_json::json!({ "kind": "text", "text": line }).to_string(),
        ] {
            let noted = noted(&text);
            for secret in secrets {
                let secret = (*secret).to_owned();
                assert!(noted.contains(&secret), "{text}: {noted:?}");
            }
            assert!(!noted.contains(&"PLAIN".to_owned()), "{text}: {noted:?}");
        }
    }
    for line in [
        "PASS",
        "Pass me the salt",
        "AUTHENTICATE PLAIN",
        "AUTHENTICATE +",
        "AUTH LOGIN",
        "auth failed",
        "JOIN #lobby",
        "JOIN lobby quickly",
        "PRIVMSG ada :identify yourself",
        "PRIVMSG NickServ :HELP",
        "PRIVMSG #lobby :PASS hunter-2",
        "login as ada",
        "the response is below",
    ] {
        assert_eq!(noted(line), [""; 0], "{line}");
    }
}

#[test]
fn answers_of_sasl_in_xml_are_noted() {
    let sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
    for text in [
        format!("<response xmlns='{sasl}'>Yz1iaXdz</response>"),
        format!("<auth xmlns='{sasl}' mechanism='PLAIN'>Yz1iaXdz</auth>"),
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>Yz1iaXdz</initial-response></authenticate>".to_owned(),
    ] {
        assert_eq!(noted(&text), ["Yz1iaXdz"], "{text}");
    }
    assert_eq!(noted("<response>some text</response>"), [""; 0]);
}
