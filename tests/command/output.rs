//! Commands whose standard output is closed or full.

use std::{
    fs::File,
    process::{Command, Stdio},
};

use crate::support::{Centre, Folder, SCENARIO, free_address, plain};

/// The exit code and the log of a command with this standard output.
fn ended(arguments: &[&str], stdout: impl Into<Stdio>) -> (i32, String) {
    let child = Command::new(env!("CARGO_BIN_EXE_chatprobe"))
        .args(arguments)
        .env_remove("CHATPROBE_LOG")
        .env_remove("CHATPROBE_ADMIN_TOKEN")
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), log)
}

/// A pipe whose reader has gone.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options()
        .write(true)
        .open("/dev/full")
        .unwrap()
        .into()
}

const QUICK: [&str; 6] = [
    "-i",
    "session_pause=0s",
    "-i",
    "first_message_delay=0s",
    "-i",
    "reply_delay=0s",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_has_gone_changes_no_verdict() {
    let centre = Centre::start("{}").await;
    let folder = Folder::new();
    let up = folder.write("up.yaml", &plain(&centre.url, ""));
    let nobody = format!("http://{}", free_address());
    let down = folder.write("down.yaml", &plain(&nobody, ""));
    for (arguments, code) in [
        (vec!["check", "--config", &up], 0),
        (vec!["run", SCENARIO, "--config", &up], 0),
        (vec!["run", SCENARIO, "--config", &up, "--json", "-"], 0),
        (vec!["run", SCENARIO, "--config", &down], 1),
    ] {
        let is_run = arguments[0] == "run";
        let quick: &[&str] = if is_run { &QUICK } else { &[] };
        let (found, log) = ended(&[&arguments, quick].concat(), closed());
        assert_eq!(found, code, "{arguments:?}: {log}");
        assert!(!log.contains("panicked"), "{arguments:?}: {log}");
        assert!(
            !log.contains("cannot write to standard output"),
            "{arguments:?}: {log}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn output_that_cannot_be_written_exits_with_two_and_says_so() {
    let centre = Centre::start("{}").await;
    let folder = Folder::new();
    let file = folder.write("chatprobe.yaml", &plain(&centre.url, ""));
    for arguments in [
        vec!["check", "--config", &file],
        [&["run", SCENARIO, "--config", &file][..], &QUICK].concat(),
        [
            &["run", SCENARIO, "--config", &file, "--json", "-"][..],
            &QUICK,
        ]
        .concat(),
    ] {
        let (code, log) = ended(&arguments, full());
        assert_eq!(code, 2, "{arguments:?}: {log}");
        assert!(!log.contains("panicked"), "{arguments:?}: {log}");
        assert!(
            log.contains("chatprobe: cannot write to standard output: no space left"),
            "{arguments:?}: {log}"
        );
    }
}

/// What cannot be used may also be said to nobody.
#[test]
fn problems_that_nobody_can_read_exit_with_two() {
    let folder = Folder::new();
    let file = folder.write("chatprobe.yaml", "probes: 1\n");
    for stderr in [closed(), full()] {
        let status = Command::new(env!("CARGO_BIN_EXE_chatprobe"))
            .args(["check", "--config", &file])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .status();
        assert_eq!(status.unwrap().code(), Some(2));
    }
}
