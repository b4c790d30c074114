use std::{ffi::OsString, path::PathBuf};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
    http::Version,
};

use super::{sender::HostError, *};
use crate::testing::TemporaryFolder;

const TOKEN: &str = "correct-horse-battery";

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
        ..config::Admin::default()
    };
    Access::from_sources(variable, &admin, folder)
        .unwrap_err()
        .to_string()
}

fn request(peer: Option<&str>, target: &str, headers: &[(&str, &str)]) -> Request {
    let mut request = Request::post(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(peer) = peer {
        let peer: SocketAddr = peer.parse().unwrap();
        request = request.extension(ConnectInfo(peer));
    }
    request.body(Body::empty()).unwrap()
}

fn check(access: &Access, peer: &str, headers: &[(&str, &str)]) -> Result<(), Denied> {
    let request = request(Some(peer), "/api/v1/reload", headers);
    check_request(access, &request)
}

fn check_request(access: &Access, request: &Request) -> Result<(), Denied> {
    let checked = access.check(&RequestSender::of(request), &Guesses::default());
    checked.map_err(|refused| refused.denied)
}

/// The name of the host that a request is for.
fn host_of(target: &str, headers: &[(&str, &str)]) -> Result<Option<String>, HostError> {
    let request = request(None, target, headers);
    let host = RequestSender::of(&request).host()?;
    Ok(host.map(|host| host.name().to_owned()))
}

fn check_token(value: &str) -> Result<(), Denied> {
    let access = with_token(TOKEN);
    check(&access, "192.0.2.7:5000", &[("authorization", value)])
}

#[test]
fn the_token_is_taken_from_the_environment_before_the_file() {
    let folder = TemporaryFolder::new();
    std::fs::write(folder.path().join("token"), "from-the-token-file\n").unwrap();
    let admin = config::Admin {
        token_file: Some("token".into()),
        ..config::Admin::default()
    };
    let given = |access: &Access, token: &str| {
        check(
            access,
            "192.0.2.7:5000",
            &[("authorization", &format!("Bearer {token}"))],
        )
    };
    let both =
        Access::from_sources(Some("from-the-environment".into()), &admin, folder.path()).unwrap();
    assert_eq!(given(&both, "from-the-environment"), Ok(()));
    assert_eq!(given(&both, "from-the-token-file"), Err(Denied::WrongToken));
    let file = Access::from_sources(None, &admin, folder.path()).unwrap();
    assert_eq!(given(&file, "from-the-token-file"), Ok(()));
}

#[test]
fn a_source_without_a_usable_token_is_an_error() {
    let folder = TemporaryFolder::new();
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
    let short = error_of(Some("fifteen-letters".into()), None, folder.path());
    assert_eq!(
        short,
        "the admin token in the environment variable CHATPROBE_ADMIN_TOKEN has 15 characters and could be guessed; it needs at least 16, for instance those that `openssl rand -hex 32` makes"
    );
    assert!(!short.contains("letters"));
    with_token("sixteen-letters!");
    let missing = error_of(None, Some("missing"), folder.path());
    assert!(
        missing.starts_with("cannot read the admin token file `"),
        "{missing}"
    );
}

#[test]
fn only_the_token_itself_is_accepted() {
    for right in [
        "Bearer correct-horse-battery",
        "bearer correct-horse-battery",
        "BEARER  correct-horse-battery",
    ] {
        assert_eq!(check_token(right), Ok(()), "{right}");
    }
    for wrong in [
        "Bearer correct-horse-batterz",
        "Bearer correct-horse-batter",
        "Bearer correct-horse-battery2",
        "Bearer CORRECT-HORSE-BATTERY",
        "Bearer  ",
    ] {
        assert_eq!(check_token(wrong), Err(Denied::WrongToken), "{wrong}");
    }
    let long = format!("Bearer {}", "x".repeat(1000));
    assert_eq!(check_token(&long), Err(Denied::WrongToken));
    for other in ["", "Bearer", "Basic correct-horse-battery", TOKEN] {
        assert_eq!(check_token(other), Err(Denied::NoToken), "{other}");
    }
    let twice = [
        ("authorization", "Bearer correct-horse-battery"),
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
    let unknown = request(None, "/", &host);
    assert_eq!(check_request(&access, &unknown), Err(Denied::Remote));
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
    let absolute = "http://example.com/api/v1/reload";
    let absolute = request(Some("127.0.0.1:1"), absolute, &[("host", "localhost")]);
    assert_eq!(check_request(&access, &absolute), Err(Denied::NotLocal));
}

#[test]
fn a_request_is_for_one_host() {
    let of = |host: &str| host_of("/", &[("host", host)]);
    for (written, name) in [
        ("localhost", "localhost"),
        ("localhost.:8080", "localhost"),
        ("Probe.example.com:443", "Probe.example.com"),
        ("[::1]:8080", "::1"),
        ("127.0.0.1:", "127.0.0.1"),
    ] {
        assert_eq!(of(written), Ok(Some(name.to_owned())), "{written}");
    }
    for unreadable in [
        "",
        ":8080",
        "localhost:x",
        "localhost:99999",
        "evil@localhost",
        "local host",
        "localhost/",
        "localhost,evil.example",
        "[::1",
    ] {
        let answer = of(unreadable);
        let readable = matches!(&answer, Ok(Some(name)) if name == unreadable);
        assert!(
            answer == Err(HostError::Unreadable) || readable,
            "{unreadable}: {answer:?}"
        );
        assert_ne!(answer, Ok(Some("localhost".to_owned())), "{unreadable}");
    }
    assert_eq!(of("evil@localhost"), Err(HostError::Unreadable));
    let two = [("host", "localhost"), ("host", "localhost")];
    assert_eq!(host_of("/", &two), Err(HostError::Several));
    assert_eq!(host_of("/", &[]), Err(HostError::Missing));

    let host = ("host", "localhost:8080");
    let localhost = Ok(Some("localhost".to_owned()));
    assert_eq!(host_of("http://LOCALHOST:8080/", &[host]), localhost);
    assert_eq!(
        host_of("http://localhost/", &[("host", "localhost:80")]),
        localhost
    );
    for other in [
        "http://evil.example/",
        "http://localhost/",
        "http://localhost:8081/",
    ] {
        let answer = host_of(other, &[host]);
        assert_eq!(answer, Err(HostError::Contradictory), "{other}");
    }
    assert_eq!(
        host_of("http://a@localhost:8080/", &[host]),
        Err(HostError::Unreadable)
    );

    let mut old = request(None, "/", &[]);
    *old.version_mut() = Version::HTTP_10;
    assert_eq!(RequestSender::of(&old).host(), Ok(None));
    assert_eq!(Access::local().answers(None), Ok(()));
}

#[test]
fn without_a_token_only_names_of_ours_are_answered() {
    let answers = |access: &Access, host: &str| {
        let request = request(Some("127.0.0.1:1"), "/", &[("host", host)]);
        let host = RequestSender::of(&request).host().unwrap();
        access.answers(host.as_ref())
    };
    let hosts = ["probe.example.com", "BÜCHER.example"].map(|name| name.to_owned().try_into());
    let admin = config::Admin {
        hosts: hosts.into_iter().collect::<Result<_, _>>().unwrap(),
        ..config::Admin::default()
    };
    let access = Access::from_sources(None, &admin, Path::new(".")).unwrap();
    for ours in [
        "localhost:8080",
        "127.0.0.1:8080",
        "[::1]",
        "10.1.2.3:8080",
        "[2001:db8::1]:8080",
        "PROBE.example.com",
        "probe.example.com.:443",
        "xn--bcher-kva.example",
    ] {
        assert_eq!(answers(&access, ours), Ok(()), "{ours}");
    }
    for foreign in [
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.probe.example.com",
        "2130706433",
    ] {
        assert_eq!(
            answers(&access, foreign),
            Err(Denied::ForeignHost),
            "{foreign}"
        );
        assert_eq!(answers(&with_token(TOKEN), foreign), Ok(()), "{foreign}");
    }
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
    let of_proxies = "forwarded via x-real-ip x-forwarded-for x-forwarded-host x-forwarded-proto \
        x-forwarded-of-tomorrow x-client-ip true-client-ip cf-connecting-ip \
        x-envoy-external-address X-Forwarded Forwarded-For X-Original-Forwarded-For \
        X-Originating-IP X-Remote-IP X-Remote-Addr Client-IP Proxy-Client-IP WL-Proxy-Client-IP \
        X-Cluster-Client-IP X-Azure-ClientIP Fly-Client-IP Fastly-Client-IP CF-Connecting-IPv6 \
        X-Host X-Varnish";
    for name in of_proxies.split_whitespace() {
        let list = [("host", "localhost"), (name, "192.0.2.7")];
        let answer = check(&access, "127.0.0.1:1", &list);
        assert_eq!(answer, Err(Denied::NotLocal), "{name}");
    }
    for name in [
        "accept",
        "x-request-id",
        "user-agent",
        "x-clients",
        "cookie",
    ] {
        let list = [("host", "localhost"), (name, "192.0.2.7")];
        assert_eq!(check(&access, "127.0.0.1:1", &list), Ok(()), "{name}");
    }
    // What nginx sends without further settings.
    let mut old = request(Some("127.0.0.1:1"), "/", &[("host", "127.0.0.1:8080")]);
    assert_eq!(check_request(&access, &old), Ok(()));
    *old.version_mut() = Version::HTTP_10;
    assert_eq!(check_request(&access, &old), Err(Denied::NotLocal));
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
