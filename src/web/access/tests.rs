use std::ffi::OsString;

use axum::http::HeaderValue;

use super::*;

const TOKEN: &str = "correct-horse";

fn with_token(token: &str) -> Access {
    Access::from_sources(
        Some(token.into()),
        &config::Admin::default(),
        Path::new("."),
    )
    .unwrap()
}

fn error_of(variable: Option<OsString>, file: Option<&str>, folder: &Path) -> String {
    let admin = config::Admin {
        token_file: file.map(PathBuf::from),
    };
    Access::from_sources(variable, &admin, folder)
        .unwrap_err()
        .to_string()
}

fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn check(access: &Access, peer: &str, list: &[(&'static str, &str)]) -> Result<(), Denied> {
    let uri = Uri::from_static("/api/v1/reload");
    access.check(Some(peer.parse().unwrap()), &uri, &headers(list))
}

fn check_token(value: &str) -> Result<(), Denied> {
    let access = with_token(TOKEN);
    check(&access, "192.0.2.7:5000", &[("authorization", value)])
}

#[test]
fn the_token_is_taken_from_the_environment_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "from-file\n").unwrap();
    let admin = config::Admin {
        token_file: Some("token".into()),
    };
    let given = |access: &Access, token: &str| {
        check(
            access,
            "192.0.2.7:5000",
            &[("authorization", &format!("Bearer {token}"))],
        )
    };
    let both = Access::from_sources(Some("from-env".into()), &admin, folder.path()).unwrap();
    assert_eq!(given(&both, "from-env"), Ok(()));
    assert_eq!(given(&both, "from-file"), Err(Denied::WrongToken));
    let file = Access::from_sources(None, &admin, folder.path()).unwrap();
    assert_eq!(given(&file, "from-file"), Ok(()));
}

#[test]
fn a_source_without_a_usable_token_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("blank"), " \n").unwrap();
    std::fs::write(folder.path().join("spaced"), "two words\n").unwrap();
    assert_eq!(
        error_of(Some(OsString::new()), None, folder.path()),
        "the environment variable CHATPROBE_ADMIN_TOKEN holds an empty admin token; put one in, or take the setting away"
    );
    let blank = error_of(None, Some("blank"), folder.path());
    assert!(
        blank.ends_with("blank` holds an empty admin token; put one in, or take the setting away")
    );
    let spaced = error_of(None, Some("spaced"), folder.path());
    assert!(
        spaced.contains("spaced` cannot be used; it may have up to 256 visible"),
        "{spaced}"
    );
    let long = error_of(Some("x".repeat(257).into()), None, folder.path());
    assert!(long.contains("cannot be used"), "{long}");
    let missing = error_of(None, Some("missing"), folder.path());
    assert!(
        missing.starts_with("cannot read the admin token file `"),
        "{missing}"
    );
}

#[test]
fn only_the_token_itself_is_accepted() {
    for right in [
        "Bearer correct-horse",
        "bearer correct-horse",
        "BEARER  correct-horse",
    ] {
        assert_eq!(check_token(right), Ok(()), "{right}");
    }
    for wrong in [
        "Bearer correct-horsf",
        "Bearer correct-hors",
        "Bearer correct-horse2",
        "Bearer CORRECT-HORSE",
        "Bearer  ",
    ] {
        assert_eq!(check_token(wrong), Err(Denied::WrongToken), "{wrong}");
    }
    let long = format!("Bearer {}", "x".repeat(1000));
    assert_eq!(check_token(&long), Err(Denied::WrongToken));
    for other in ["", "Bearer", "Basic correct-horse", "correct-horse"] {
        assert_eq!(check_token(other), Err(Denied::NoToken), "{other}");
    }
    let twice = [
        ("authorization", "Bearer correct-horse"),
        ("authorization", "Bearer other"),
    ];
    let access = with_token(TOKEN);
    assert_eq!(
        check(&access, "127.0.0.1:5000", &twice),
        Err(Denied::NoToken)
    );
}

#[test]
fn a_token_is_asked_of_loopback_peers_too_and_is_never_shown() {
    let access = with_token(TOKEN);
    let host = [("host", "localhost")];
    assert_eq!(
        check(&access, "127.0.0.1:5000", &host),
        Err(Denied::NoToken)
    );
    assert!(!format!("{access:?}").contains(TOKEN));
}

#[test]
fn without_a_token_only_loopback_peers_are_heard() {
    let access = Access::local();
    let host = [("host", "localhost:8080")];
    for near in [
        "127.0.0.1:5000",
        "127.9.9.9:5000",
        "[::1]:5000",
        "[::ffff:127.0.0.1]:5000",
    ] {
        assert_eq!(check(&access, near, &host), Ok(()), "{near}");
    }
    for far in [
        "192.0.2.7:5000",
        "[2001:db8::1]:5000",
        "[::ffff:192.0.2.7]:5000",
        "0.0.0.0:5000",
    ] {
        assert_eq!(check(&access, far, &host), Err(Denied::Remote), "{far}");
    }
    let unknown = access.check(None, &Uri::from_static("/"), &headers(&host));
    assert_eq!(unknown, Err(Denied::Remote));
}

#[test]
fn without_a_token_the_host_has_to_be_this_machine() {
    let access = Access::local();
    for own in [
        "localhost",
        "LOCALHOST:8080",
        "127.0.0.1:8080",
        "[::1]:8080",
        "127.0.0.2",
    ] {
        assert_eq!(
            check(&access, "127.0.0.1:1", &[("host", own)]),
            Ok(()),
            "{own}"
        );
    }
    for other in [
        "rebound.example.com:8080",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "localhost@example.com",
        "192.0.2.7",
        "[2001:db8::1]",
        "",
    ] {
        let answer = check(&access, "127.0.0.1:1", &[("host", other)]);
        assert_eq!(answer, Err(Denied::NotLocal), "{other}");
    }
    assert_eq!(check(&access, "127.0.0.1:1", &[]), Err(Denied::NotLocal));
    let two = [("host", "localhost"), ("host", "example.com")];
    assert_eq!(check(&access, "127.0.0.1:1", &two), Err(Denied::NotLocal));
    let absolute = Uri::from_static("http://example.com/api/v1/reload");
    let peer = Some("127.0.0.1:1".parse().unwrap());
    let answer = access.check(peer, &absolute, &headers(&[("host", "localhost")]));
    assert_eq!(answer, Err(Denied::NotLocal));
}

#[test]
fn without_a_token_pages_of_other_sites_are_not_heard() {
    let access = Access::local();
    let host = ("host", "localhost:8080");
    let with = |header| check(&access, "127.0.0.1:1", &[host, header]);
    assert_eq!(with(("origin", "http://localhost:8080")), Ok(()));
    assert_eq!(with(("sec-fetch-site", "same-origin")), Ok(()));
    assert_eq!(with(("sec-fetch-site", "none")), Ok(()));
    for foreign in [
        ("origin", "https://example.com"),
        ("origin", "http://localhost:3000"),
        ("origin", "http://127.0.0.1:8080"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        assert_eq!(with(foreign), Err(Denied::OtherSite), "{foreign:?}");
    }
}

#[test]
fn without_a_token_what_a_proxy_passes_on_is_not_heard() {
    let access = Access::local();
    for name in ["forwarded", "x-forwarded-for", "x-forwarded-host"] {
        let list = [("host", "localhost"), (name, "192.0.2.7")];
        assert_eq!(check(&access, "127.0.0.1:1", &list), Err(Denied::NotLocal));
    }
}

#[test]
fn a_listener_that_others_can_reach_needs_a_token() {
    let open: SocketAddr = "0.0.0.0:8080".parse().unwrap();
    assert_eq!(
        Access::local()
            .allows_listening_on(open)
            .unwrap_err()
            .to_string(),
        "`listen.web` is 0.0.0.0:8080, which others can reach, and there is no admin token; set CHATPROBE_ADMIN_TOKEN or `admin.token_file`, or listen on 127.0.0.1"
    );
    for near in ["127.0.0.1:0", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
        let near = near.parse().unwrap();
        assert!(Access::local().allows_listening_on(near).is_ok(), "{near}");
    }
    assert!(with_token(TOKEN).allows_listening_on(open).is_ok());
}
