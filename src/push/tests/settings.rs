//! What is read of `push`, and what is wrong with it.

use std::path::Path;

use secrecy::SecretString;

use crate::{
    document::{Problems, parse},
    event::Mode,
    push::PushSettings,
    testing::TemporaryFolder,
};

fn read(text: &str, folder: &Path) -> Result<PushSettings, Vec<String>> {
    let problems = Problems::default();
    let node = parse("push.yaml", text).unwrap();
    let settings = PushSettings::read(&node, folder, &problems);
    let said = problems.into_result().err().unwrap_or_default();
    settings.ok_or_else(|| said.iter().map(ToString::to_string).collect())
}

fn headers(settings: &PushSettings) -> Vec<(String, String)> {
    settings.headers()
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut named = headers.iter().filter(|(known, _)| known == name);
    named.next().map(|(_, value)| value.as_str())
}

#[test]
fn the_path_says_the_format_and_secrets_come_from_files_into_headers() {
    let folder = TemporaryFolder::new();
    std::fs::write(folder.path().join("token"), "s3cret-token\n").unwrap();
    let prometheus = read(
        "{ url: 'http://p.example:9090/api/v1/write', token: { file: token }, headers: { X-Scope-OrgID: team } }",
        folder.path(),
    )
    .unwrap();
    let sent = headers(&prometheus);
    assert_eq!(value(&sent, "Content-Encoding"), Some("snappy"));
    assert_eq!(value(&sent, "X-Scope-OrgID"), Some("team"));
    assert_eq!(value(&sent, "authorization"), Some("Bearer s3cret-token"));
    assert!(!format!("{prometheus:?}").contains("s3cret"));
    let said = "no access for s3cret-token".to_owned();
    assert!(!prometheus.redaction().redact(said).contains("s3cret"));

    let influx =
        "{ url: 'http://i.example:8086/api/v2/write?org=o&bucket=b', token: { file: token } }";
    let influx = read(influx, folder.path()).unwrap();
    assert_eq!(
        value(&headers(&influx), "authorization"),
        Some("Token s3cret-token")
    );
    assert_eq!(
        influx.receiver.url,
        "http://i.example:8086/api/v2/write?org=o&bucket=b&precision=ms"
    );
    assert!(!influx.shown().contains("bucket"), "{}", influx.shown());

    let basic = "{ url: 'http://i.example:8086/write?db=d', basic: { user: u, password: { file: token } } }";
    let basic = read(basic, folder.path()).unwrap();
    // `u:s3cret-token`
    assert_eq!(
        value(&headers(&basic), "authorization"),
        Some("Basic dTpzM2NyZXQtdG9rZW4=")
    );

    let elsewhere = "{ url: 'http://v.example/insert', format: influx }";
    assert!(read(elsewhere, folder.path()).is_ok());
}

#[test]
fn bursts_alone_are_pushed_unless_all_runs_are_to_be() {
    let wants = |runs: &str| {
        let text = format!("{{ url: 'http://p/api/v1/write'{runs} }}");
        let settings = read(&text, Path::new(".")).unwrap();
        [Mode::Burst, Mode::Probe].map(|mode| settings.wants(mode))
    };
    assert_eq!(wants(""), [true, false]);
    assert_eq!(wants(", runs: bursts"), [true, false]);
    assert_eq!(wants(", runs: all"), [true, true]);
}

#[test]
fn what_cannot_be_pushed_with_is_told_with_its_place() {
    let url = "url: 'http://p/api/v1/write'";
    for (text, column, part) in [
        ("{ format: influx }".to_owned(), 1, "`url` is missing"),
        ("{ url: 'p:9090' }".to_owned(), 8, "not an address"),
        (
            "{ url: 'http://u:p@h/api/v1/write' }".to_owned(),
            8,
            "credentials",
        ),
        (
            "{ url: 'http://h/metrics' }".to_owned(),
            8,
            "`format: influx`",
        ),
        (
            "{ url: 'http://h/write' }".to_owned(),
            8,
            "`/write?db=NAME`",
        ),
        (
            "{ url: 'http://h/api/v2/write?org=o' }".to_owned(),
            8,
            "bucket",
        ),
        (
            "{ url: 'http://h/write?db=d&precision=ns' }".to_owned(),
            8,
            "`ns`",
        ),
        (format!("{{ {url}, format: otlp }}"), 41, "`otlp`"),
        (format!("{{ {url}, token: secret }}"), 40, "{ env: NAME }"),
        (format!("{{ {url}, runs: some }}"), 39, "`bursts` or `all`"),
        (format!("{{ {url}, timeout: 1ms }}"), 42, "`100ms` to `5m`"),
        (
            format!("{{ {url}, labels: {{ run: x }} }}"),
            43,
            "label `run`",
        ),
        (format!("{{ {url}, labels: {{ le-x: x }} }}"), 43, "`le-x`"),
        (format!("{{ {url}, labels: {{ x: '' }} }}"), 46, "not empty"),
        (
            format!("{{ {url}, labels: {{ x: 'a\\' }} }}"),
            46,
            "backslashes",
        ),
        (
            format!("{{ {url}, headers: {{ Authorization: x }} }}"),
            44,
            "`token`",
        ),
        (
            format!("{{ {url}, headers: {{ X-Api-Key: x }} }}"),
            44,
            "secret",
        ),
        (format!("{{ {url}, headers: {{ 'a b': x }} }}"), 44, "`a b`"),
        (
            format!("{{ {url}, retries: 3 }}"),
            33,
            "unknown key `retries`",
        ),
    ] {
        let said = read(&text, Path::new(".")).err().unwrap_or_default();
        let place = format!("push.yaml:1:{column}:");
        let fits = said.len() == 1 && said[0].starts_with(&place) && said[0].contains(part);
        assert!(fits, "{text}: {place} {part} in {said:?}");
    }
}

#[test]
fn an_address_on_the_command_line_has_the_secrets_of_the_configuration_only_if_it_is_the_same() {
    let folder = TemporaryFolder::new();
    std::fs::write(folder.path().join("token"), "s3cret-token").unwrap();
    let configured = read(
        "{ url: 'http://p/api/v1/write', token: { file: token }, labels: { site: a } }",
        folder.path(),
    )
    .unwrap();
    let problems = Problems::default();
    let option = |text: &str, token: Option<&str>| {
        let token = token.map(SecretString::from);
        PushSettings::of_option(text, Some(&configured), token, &problems)
    };
    let same = option("http://p/api/v1/write", None).unwrap();
    assert!(same == configured);
    let other = option("http://q/api/v1/write", None).unwrap();
    assert_eq!(value(&headers(&other), "authorization"), None);
    let own = option("http://q/api/v1/write", Some("mine")).unwrap();
    assert_eq!(value(&headers(&own), "authorization"), Some("Bearer mine"));
    assert!(option("none", None).is_none());
    assert!(problems.into_result().is_ok());

    let problems = Problems::default();
    assert!(PushSettings::of_option("http://q/", None, None, &problems).is_none());
    let said = problems.into_result().unwrap_err();
    assert!(said[0].to_string().starts_with("--push"), "{said:?}");
}
