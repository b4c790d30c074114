use proptest::prelude::*;

use super::*;

fn allowed(addresses: &[&str]) -> Origins {
    let origins = addresses.iter().map(|address| Origin::read(address));
    origins.collect::<Result<_, _>>().unwrap()
}

/// Whether an address is asked whose beginning is the scenario's own, and the rest is not.
fn asked(own: &str, rest: &str, also: &[&str]) -> Result<(), AddressError> {
    check(&allowed(also), &format!("{own}{rest}"), own.len())
}

#[test]
fn what_comes_from_elsewhere_chooses_a_path_and_no_server() {
    for (own, rest) in [
        ("http://h", ""),
        ("http://h", "/a?b#c"),
        ("http://h", "?b"),
        ("http://h", "#c"),
        ("http://h:80/base", "@evil.example/"),
        ("http://h/", "/evil.example"),
        ("http://h", "\\evil.example"),
        ("http://[::1]:8080", "/a"),
        ("HTTP://h", "/a"),
        ("http://bücher.example", "/a"),
        // The same server, written out.
        ("http://h", ":80/a"),
    ] {
        assert_eq!(asked(own, rest, &[]), Ok(()), "{own} {rest}");
    }
    for (own, rest, server) in [
        ("http://h", ".evil.example/", "http://h.evil.example"),
        ("http://h", ":81/", "http://h:81"),
        ("http://h:8", "0/", "http://h"),
        ("https://", "evil.example/", "https://evil.example"),
        ("", "http://evil.example/a", "http://evil.example"),
        ("", "https://evil.example:444", "https://evil.example:444"),
        ("", "ws://evil.example/a", "http://evil.example"),
        ("http://h", "\t.evil.example/", "http://h.evil.example"),
        ("http:", "//evil.example/", "http://evil.example"),
        ("http:", "\\\\evil.example/", "http://evil.example"),
        ("http://", "@evil.example/", "http://evil.example"),
    ] {
        let refused = asked(own, rest, &["http://other.example"]).unwrap_err();
        let AddressError::Elsewhere(origin) = &refused else {
            panic!("{own} {rest}: {refused}");
        };
        assert_eq!(origin.to_string(), server, "{own} {rest}");
        assert_eq!(asked(own, rest, &[server]), Ok(()), "{own} {rest}");
        assert!(
            refused
                .to_string()
                .contains(&format!("also: [\"{server}\"]"))
        );
    }
}

#[test]
fn an_address_with_a_user_is_not_asked_whoever_wrote_it() {
    for (own, rest) in [
        ("http://127.0.0.1:4000", "@127.0.0.1:27993/"),
        ("http://h", "@h/"),
        ("http://user:password@h/", ""),
        ("", "http://user@h/"),
        ("http://h", ":password@evil.example"),
    ] {
        let also = ["http://h", "http://evil.example", "http://127.0.0.1:27993"];
        let refused = asked(own, rest, &also);
        assert_eq!(refused, Err(AddressError::Credentials), "{own} {rest}");
    }
}

#[test]
fn an_allowed_server_is_compared_by_scheme_host_and_port() {
    for (also, address, goes) in [
        (
            "https://files.example.com",
            "https://files.example.com/a",
            true,
        ),
        (
            "https://files.example.com",
            "https://FILES.example.com:443/a",
            true,
        ),
        (
            "https://files.example.com",
            "wss://files.example.com/a",
            true,
        ),
        (
            "wss://files.example.com",
            "https://files.example.com/a",
            true,
        ),
        (
            "https://files.example.com",
            "http://files.example.com/a",
            false,
        ),
        (
            "https://files.example.com",
            "https://files.example.com:444/a",
            false,
        ),
        (
            "https://files.example.com",
            "https://files.example.com.evil/a",
            false,
        ),
        (
            "https://files.example.com",
            "https://a.files.example.com/a",
            false,
        ),
        // From http to https on the usual ports.
        (
            "http://files.example.com",
            "https://files.example.com/a",
            true,
        ),
        (
            "http://files.example.com:81",
            "https://files.example.com/a",
            false,
        ),
        ("http://127.0.0.1:1", "http://127.1:1/", true),
        ("https://*.example.com", "https://a.example.com/", true),
        ("https://*.example.com", "https://a.b.example.com/", true),
        ("https://*.example.com", "https://example.com/", false),
        ("https://*.example.com", "https://evilexample.com/", false),
        (
            "https://*.example.com",
            "https://a.example.com.evil/",
            false,
        ),
        (
            "https://*.example.com:8443",
            "https://a.example.com:8443/",
            true,
        ),
        (
            "https://*.example.com:8443",
            "https://a.example.com/",
            false,
        ),
    ] {
        assert_eq!(
            asked("", address, &[also]).is_ok(),
            goes,
            "{also} {address}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever stands behind the target, a request goes to the target or is refused.
    #[test]
    fn no_text_behind_the_target_leads_elsewhere(
        own in "https?://(h|h:80|h:8080|h/base|1\\.2\\.3\\.4|\\[::1\\]:1)", rest in "[/\\\\?#%@:.a-z0-9 \\t\\n\\[\\]]{0,12}",
    ) {
        let address = format!("{own}{rest}");
        if check(&Origins::default(), &address, own.len()).is_ok() {
            let (whole, begin) = (Url::parse(&address).unwrap(), Url::parse(&own).unwrap());
            prop_assert_eq!(whole.origin(), begin.origin(), "{}", address);
            prop_assert!(!has_credentials(&whole), "{}", address);
        }
    }
}
