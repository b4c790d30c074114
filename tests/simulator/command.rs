//! The simulator alone, from its command line to its end.

use std::net::TcpListener;

use crate::support::{Centre, Folder, Process, Signal, get};

#[tokio::test]
async fn the_simulator_says_where_it_is_and_ends_when_asked() {
    let mut centre = Centre::start("{}").await;
    assert!(get(&format!("{}/stats", centre.url)).await.is_some());
    centre.process.finish().await;
    assert!(get(&format!("{}/stats", centre.url)).await.is_none());
}

#[tokio::test]
async fn an_interrupt_ends_it_like_a_termination() {
    let mut centre = Centre::start("{}").await;
    centre.process.signal(Signal::SIGINT);
    assert_eq!(centre.process.ended().await, 0);
}

#[tokio::test]
async fn options_go_before_the_settings_file() {
    let folder = Folder::new();
    // An address that is not ours would be an error.
    let file = folder.write("centre.yaml", "listen: 192.0.2.1:1\nagents: 3\n");
    let mut process = Process::start(&[
        "simulate",
        "--settings",
        &file,
        "--listen",
        "127.0.0.1:0",
        "--agents",
        "5",
    ]);
    let line = process.line("http://").await;
    let url = line.split_whitespace().last().unwrap();
    let stats = get(url).await.unwrap();
    assert!(stats.contains(r#""agents_total":5"#), "{stats}");
}

#[tokio::test]
async fn what_cannot_be_used_is_said_in_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Folder::new();
    let wrong = folder.write("centre.yaml", "agent: 3\n");
    for (arguments, says) in [
        (["--listen", &address], "cannot listen on"),
        (["--agents", "0"], "from 1 up"),
        (["--settings", &wrong], "unknown"),
        (["--settings", "/nowhere/centre.yaml"], "cannot be read"),
    ] {
        let mut process = Process::start(&[&["simulate"], &arguments[..]].concat());
        assert_eq!(process.ended().await, 2, "{arguments:?}");
        assert!(
            process.log().contains(says),
            "{arguments:?}: {}",
            process.log()
        );
    }
}
