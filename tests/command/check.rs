//! `chatprobe check`.

use crate::support::{Folder, Process, plain, shipped};

#[tokio::test]
async fn the_shipped_configuration_is_valid_and_told() {
    let file = shipped("chatprobe.yaml").display().to_string();
    let mut process = Process::start(&["check", "--config", &file]);
    assert_eq!(process.ended().await, 0, "{}", process.log());
    let output = process.output();
    for part in [
        "is valid",
        "target    contact-center: http://127.0.0.1:4000",
        "scenario  contact-center-chat:",
        "probe     contact-center-chat: contact-center-chat against contact-center, every 30s",
        "burst     nightly: contact-center-chat against contact-center, at `0 3 * * *` Europe/Berlin",
        "burst     lunch-rush: contact-center-chat against contact-center, when asked for",
        "            next due 20",
        "            agent_join p95 <= 15s",
        "            failed <= 1%, else it ends",
        "listen    web 127.0.0.1:8080",
        "listen    callbacks 127.0.0.1:8001",
        "simulator 127.0.0.1:4000, 200 agents",
        "series    ",
    ] {
        assert!(output.contains(part), "`{part}` in:\n{output}");
    }
    assert_eq!(process.log(), "");
}

#[tokio::test]
async fn every_problem_is_shown_at_its_line_and_nothing_else() {
    let folder = Folder::new();
    let probe = "probes: { one: { scenario: contact-center-chat, target: centre, evry: 3s } }";
    let file = folder.write("chatprobe.yaml", &plain("http://127.0.0.1:1", probe));
    let mut process = Process::start(&["check", "--config", &file]);
    assert_eq!(process.ended().await, 2);
    let log = process.log();
    for part in [
        &format!("{file}:5:"),
        "unknown key `evry`",
        "`every`",
        probe,
        "   ^",
        "nothing was started",
    ] {
        assert!(log.contains(part), "`{part}` in:\n{log}");
    }
    assert_eq!(process.output(), "");
}

#[tokio::test]
async fn what_the_service_refuses_to_start_with_is_not_valid() {
    let folder = Folder::new();
    folder.write("empty", "\n");
    for (sections, says) in [
        (
            "listen: { web: 0.0.0.0:0, callbacks: 127.0.0.1:0 }",
            "there is no admin token",
        ),
        (
            "admin: { token_file: missing }\nlisten: { web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }",
            "cannot read the admin token file",
        ),
        (
            "admin: { token_file: empty }\nlisten: { web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }",
            "holds an empty admin token",
        ),
    ] {
        let file = folder.write("chatprobe.yaml", sections);
        let mut logs = Vec::new();
        for command in ["check", "serve"] {
            let mut process = Process::start(&[command, "--config", &file]);
            assert_eq!(process.ended().await, 2, "{command}: {sections}");
            assert_eq!(process.output(), "");
            assert!(process.log().contains(says), "{}", process.log());
            logs.push(process.log());
        }
        assert_eq!(logs[0], logs[1]);
    }
}
