//! The proxies that the environment names are used or refused.

use std::sync::{Arc, Mutex};

use axum::{Router, routing::get};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::support::{Folder, Process};

const ASK: &str = "
scenario: ask
steps:
  - step: ask
    http: { get: '{{ target.url }}/' }
";

/// A proxy that opens tunnels, and what it was asked for.
async fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let noted = asked.clone();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let noted = noted.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                noted.lock().unwrap().push(head.clone());
                let server = head.split(' ').nth(1).unwrap();
                let mut server = TcpStream::connect(server).await.unwrap();
                let opened = b"HTTP/1.1 200 Opened\r\n\r\n";
                client.write_all(opened).await.unwrap();
                copy_bidirectional(&mut client, &mut server).await.ok();
            });
        }
    });
    (address, asked)
}

async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", get(|| async { "ok" }));
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

/// What a command says about a configuration with this target, and with what code it ends.
async fn ran(command: &[&str], target: &str, environment: &[(&str, &str)]) -> (i32, String) {
    let folder = Folder::new();
    folder.write("ask.yaml", ASK);
    let configuration = folder.write(
        "chatprobe.yaml",
        &format!("targets: {{ desk: {{ {target} }} }}\nscenarios: [ask.yaml]\n"),
    );
    let arguments = [command, &["--config", &configuration]].concat();
    let mut process = Process::start_in(&arguments, environment);
    let code = process.ended().await;
    (code, format!("{}{}", process.output(), process.log()))
}

#[tokio::test]
async fn a_run_goes_through_the_proxy_of_the_environment() {
    let (address, asked) = proxy().await;
    let url = server().await;
    let through = format!("http://ada:s3cret@{address}");
    let target = format!("url: '{url}'");
    let (code, said) = ran(&["run", "ask"], &target, &[("HTTP_PROXY", &through)]).await;
    assert_eq!(code, 0, "{said}");
    let head = asked.lock().unwrap().concat();
    assert!(
        head.starts_with(&url.replace("http://", "CONNECT ")),
        "{head}"
    );
    assert!(
        head.to_lowercase().contains("proxy-authorization: basic"),
        "{head}"
    );
    assert!(!said.contains("s3cret"), "{said}");
}

#[tokio::test]
async fn a_target_has_a_proxy_of_its_own_or_none() {
    let (address, asked) = proxy().await;
    let url = server().await;
    for (target, environment, expected) in [
        (format!("proxy: '{address}'"), vec![], 1),
        (
            "proxy: { env: OF_THE_TARGET }".to_owned(),
            vec![("OF_THE_TARGET", &*address)],
            2,
        ),
        ("proxy: none".to_owned(), vec![("HTTP_PROXY", &*address)], 2),
        (
            "variables: {}".to_owned(),
            vec![("HTTP_PROXY", &*address), ("NO_PROXY", "127.0.0.0/8")],
            2,
        ),
    ] {
        let target = format!("url: '{url}', {target}");
        let (code, said) = ran(&["run", "ask"], &target, &environment).await;
        assert_eq!(code, 0, "{said}");
        assert_eq!(asked.lock().unwrap().len(), expected, "{target}");
    }
}

#[tokio::test]
async fn a_proxy_that_cannot_be_used_is_told_before_anything_starts() {
    let environment = [("HTTPS_PROXY", "socks5://ada:s3cret@127.0.0.1:1080")];
    for command in [&["run", "ask"][..], &["check"], &["serve"]] {
        let (code, said) = ran(command, "url: 'http://127.0.0.1:9'", &environment).await;
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("`HTTPS_PROXY`"), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[tokio::test]
async fn check_lists_the_proxy_of_each_target() {
    let environment = [("HTTP_PROXY", "proxy.of.all:3128")];
    for (target, says) in [
        ("variables: {}", "through the proxy proxy.of.all:3128"),
        ("proxy: 'http://one:81'", "through the proxy one:81"),
        ("proxy: none", "http://127.0.0.1:9\n"),
        ("tls: { insecure: true }", "whatever certificate it shows"),
    ] {
        let target = format!("url: 'http://127.0.0.1:9', {target}");
        let (code, said) = ran(&["check"], &target, &environment).await;
        assert_eq!(code, 0, "{said}");
        assert!(said.contains(says), "{says} is not in: {said}");
    }
}
