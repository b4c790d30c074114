//! The simulator alone, from its command line to its end.

use std::net::TcpListener;

use crate::support::{Centre, Folder, Process, Signal, free_address, get};

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

/// The address that a simulator says of itself.
async fn address(process: &mut Process, begin: &str) -> String {
    let line = process.line(begin).await;
    let mut words = line.split_whitespace();
    let url = words.find(|word| word.starts_with("http://")).unwrap();
    url.trim_end_matches([';', '/']).to_owned()
}

#[tokio::test]
async fn the_contact_center_is_what_is_simulated_when_nothing_is_said() {
    for arguments in [&["simulate"][..], &["simulate", "contact-center"]] {
        let arguments = [arguments, &["--listen", "127.0.0.1:0", "--agents", "7"]].concat();
        let mut process = Process::start(&arguments);
        let url = address(&mut process, "the simulated contact centre is at").await;
        let stats = get(&format!("{url}/stats")).await.unwrap();
        assert!(stats.contains(r#""agents_total":7"#), "{stats}");
        process.finish().await;
    }
}

#[tokio::test]
async fn rooms_are_simulated_by_their_name_and_options_go_before_their_settings() {
    let folder = Folder::new();
    let file = folder.write(
        "rooms.yaml",
        "listen: 192.0.2.1:1\nredis: redis://192.0.2.1:1\n",
    );
    let redis = format!("redis://{}", free_address());
    let mut process = Process::start(&[
        "simulate",
        "rooms",
        "--settings",
        &file,
        "--listen",
        "127.0.0.1:0",
        "--redis",
        &redis,
    ]);
    let url = address(&mut process, "the simulated chat rooms are at").await;
    // Nobody is there, which would take longer to find out with the address of the file.
    process.line("no subscription at Redis").await;
    let stats = get(&format!("{url}/stats")).await.unwrap();
    assert!(stats.contains(r#""subscribed":false"#), "{stats}");
    process.finish().await;
    assert!(get(&format!("{url}/stats")).await.is_none());
}

#[tokio::test]
async fn what_the_rooms_cannot_use_is_said_without_secrets() {
    let folder = Folder::new();
    let wrong = folder.write("rooms.yaml", "room: 3\n");
    let beside = folder.write("centre.yaml", "rooms: {}\n");
    for (arguments, says) in [
        (&["rooms", "--settings", &wrong][..], "unknown"),
        (&["rooms", "--redis", "tcp://:secret@127.0.0.1:1"], "redis"),
        (&["contact-center", "--settings", &beside], "simulate rooms"),
        (&["--agents", "3", "rooms"], "rooms"),
    ] {
        let mut process = Process::start(&[&["simulate"], arguments].concat());
        assert_eq!(process.ended().await, 2, "{arguments:?}");
        let log = process.log();
        assert!(log.contains(says), "{arguments:?}: {log}");
        assert!(!log.contains("secret"), "{log}");
    }
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
