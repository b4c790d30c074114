//! `chatprobe check`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use support::{Folder, Process, plain, shipped};

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
