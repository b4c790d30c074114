//! Errors of libraries and of the system reach people in plain words.

use std::net::TcpListener;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net,
};

use super::mistaken::plain;
use crate::support::{Folder, Process, free_address, shipped};

pub async fn refused(arguments: &[&str]) -> String {
    let mut process = Process::start(arguments);
    let code = process.ended().await;
    let log = process.log();
    assert_eq!(code, 2, "{arguments:?}: {log}");
    plain(&log);
    log
}

#[tokio::test]
async fn options_that_cannot_be_used_say_what_would_be_right() {
    let folder = Folder::new();
    let html = folder.write("report.html", "<!DOCTYPE html>");
    let cut = folder.write("cut.json", "{\"report\": {");
    let other = folder.write("other.json", "{\"report\": {}}");
    let nowhere = folder.argument("nowhere/x");
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = busy.local_addr().unwrap().to_string();
    let file = folder.write("a.yaml", "scenario: a\nsteps: [{ think: 1ms }]\n");
    let config = folder.write("empty.yaml", "targets: {}\n");
    let run = |more: &[&str]| {
        let target = "http://127.0.0.1:9";
        let arguments = ["run", &file, "--config", &config, "--target", target];
        [&arguments[..], more]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let whole = "expected a whole number";
    for (arguments, says) in [
        (run(&["--seed", "abc"]), whole),
        (run(&["--seed", "-5"]), whole),
        (run(&["--seed", "99999999999999999999999"]), whole),
        (run(&["--workers", "0"]), "a whole number of at least 1"),
        (
            run(&["--load", "{ chats: 5"]),
            "a `{` before this is not closed",
        ),
        (run(&["--load", "{ chats: x }"]), whole),
        (
            run(&["--baseline", &html]),
            "it is not JSON at line 1, column 1",
        ),
        (
            run(&["--baseline", &cut]),
            "it breaks off at line 1, column 12",
        ),
        (run(&["--baseline", &other]), "`id` is missing in it"),
        (run(&["--baseline", &nowhere]), "there is no such file"),
        (run(&["--report", &html]), "cannot write the report"),
        (
            run(&["--json", &nowhere]),
            "there is no such file or folder; name another place with --json",
        ),
        (
            run(&["--callback-listen", &busy]),
            "the address is in use; stop what listens there",
        ),
        (
            run(&["--callback-listen", "192.0.2.1:4000"]),
            "this machine does not have that address",
        ),
    ] {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let log = refused(&arguments).await;
        assert!(log.contains(says), "{arguments:?}: `{says}` in:\n{log}");
    }
    for (arguments, says) in [
        (
            vec!["simulate", "--agents", "many"],
            "write a number from 1 up, or `unlimited`",
        ),
        (vec!["simulate", "--seed", "x"], whole),
        (vec!["simulate", "--listen", &busy], "the address is in use"),
        (
            vec!["run", "--url", "http://x/", "--body-file", &nowhere],
            "there is no such file",
        ),
    ] {
        let log = refused(&arguments).await;
        assert!(log.contains(says), "{arguments:?}: `{says}` in:\n{log}");
    }
}

const WRONG: &str = r"
targets:
  a: { url: 'https://h', secrets: { key: { file: nowhere } } }
  b: { url: 'https://h', tls: { ca: chatprobe.yaml } }
scenarios: [nowhere, wrong.yaml]
data: { directory: 5, max_bytes: x }
bursts:
  one: { scenario: wrong, target: a, load: { chats: -1 }, schedule: { cron: '0 25 * * *', time_zone: Europe/Berlin } }
  two: { scenario: wrong, target: a, load: { chats: 1 }, schedule: { cron: '0 3 * *', time_zone: Europe/Berlin } }
";

const EXPRESSIONS: &str = r#"
scenario: wrong
inputs: { n: 2 }
steps:
  - { step: a, http: { get: 'http://h/' }, expect: "status ==" }
  - { step: b, http: { get: 'http://h/' }, expect: "status == 200 && body" }
  - { step: c, http: { get: 'http://h/' }, expect: "(status == 200" }
  - { step: d, http: { get: 'http://h/' }, expect: "body..x" }
  - { repeat: "{{ inputs.n + 'x' }}", steps: [{ think: 1s }] }
  - { repeat: "{{ 'x!' | base64_decode }}", steps: [{ think: 1s }] }
  - { repeat: "{{ inputs.n | round('x') }}", steps: [{ think: 1s }] }
"#;

#[tokio::test]
async fn a_configuration_is_told_without_the_speech_of_parsers() {
    let folder = Folder::new();
    let file = folder.write("chatprobe.yaml", WRONG);
    folder.write("wrong.yaml", EXPRESSIONS);
    let log = refused(&["check", &file]).await;
    for says in [
        "cannot read the secret file",
        "cannot read `nowhere`: there is no such file or folder",
        "it holds no certificate",
        "a number is out of range",
        "it has 4 fields",
        "a value is missing at its end",
        "; write `and`",
        "`)` is missing at its end",
        "where a name or a number belongs",
        "`+` cannot join a number and text",
        "this is not base64",
        "text stands where a number belongs",
    ] {
        assert!(log.contains(says), "`{says}` in:\n{log}");
    }
}

/// A server that answers every request with these bytes and closes the connection.
async fn answering(bytes: &'static [u8]) -> String {
    let listener = net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            if stream.read(&mut request).await.is_ok() {
                // The client may have gone.
                let _ = stream.write_all(bytes).await;
            }
        }
    });
    address.to_string()
}

#[tokio::test]
async fn a_request_that_fails_says_why_in_plain_words() {
    let garbage = answering(b"hello there\r\n\r\n").await;
    let silent = answering(b"").await;
    let short = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc").await;
    let closed = free_address();
    for (url, says) in [
        (format!("http://{closed}/"), "connection refused"),
        (
            format!("http://{garbage}/"),
            "what came back is not HTTP/1.1",
        ),
        (
            format!("http://{silent}/"),
            "closed the connection before the answer was complete",
        ),
        (
            format!("http://{short}/"),
            "the body of the answer broke off: it is shorter than",
        ),
        (format!("https://{garbage}/"), "what came back is not TLS"),
        (
            "http://nosuch.invalid/".to_owned(),
            "cannot look up `nosuch.invalid`: the name",
        ),
    ] {
        let mut process = Process::start(&["run", "--url", &url]);
        let code = process.ended().await;
        let output = process.output();
        assert_eq!(code, 1, "{url}: {output}");
        assert!(output.contains(says), "{url}: `{says}` in:\n{output}");
        plain(&output);
    }
}

#[tokio::test]
async fn a_history_that_cannot_be_kept_says_why_in_plain_words() {
    let folder = Folder::new();
    let file = folder.write("data/file", "");
    let more = format!("data: {{ directory: '{file}' }}");
    let text = format!(
        "listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}\nscenarios: ['{}']\n{more}\n",
        shipped("scenarios").display()
    );
    let config = folder.write("chatprobe.yaml", &text);
    let mut process = Process::start(&["serve", "--config", &config]);
    let line = process.line("cannot use the folder").await;
    plain(&line);
}
