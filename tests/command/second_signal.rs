//! The second signal ends the process even where the runtime has no time for it.

use std::{
    io::{self, Write as _},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

use crate::support::{Folder, eventually};

const SCENARIO: &str = "
scenario: patient
steps:
  - step: greet
    http: { get: '{{ target.url }}/' }
";

/// The end of a pipe that is full and that nobody reads: whoever writes to it waits.
fn full_pipe() -> (io::PipeReader, io::PipeWriter) {
    let (reader, writer) = io::pipe().unwrap();
    let mut filled = writer.try_clone().unwrap();
    // It ends when the reader is closed.
    thread::spawn(move || while filled.write_all(&[b'\n'; 4096]).is_ok() {});
    (reader, writer)
}

#[tokio::test]
async fn the_second_signal_ends_a_run_that_is_blocked() {
    let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", target.local_addr().unwrap());
    let folder = Folder::new();
    let scenario = folder.write("patient.yaml", SCENARIO);
    let (unread, full) = full_pipe();
    let mut process = Command::new(env!("CARGO_BIN_EXE_chatprobe"))
        .args(["run", &scenario, "--target", &url, "--load", "{ chats: 1 }"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(full)
        .spawn()
        .unwrap();
    // Whose answer does not come, so that there is something to wait for and to tell of.
    let _connection = target.accept().await.unwrap();

    let id = Pid::from_raw(i32::try_from(process.id()).unwrap());
    kill(id, Signal::SIGTERM).unwrap();
    // By then it is blocked in writing its message about the signal.
    sleep(Duration::from_secs(1)).await;
    assert!(process.try_wait().unwrap().is_none());
    kill(id, Signal::SIGTERM).unwrap();
    let asked = Instant::now();
    let ended = eventually("the end", async || process.try_wait().unwrap()).await;
    assert_eq!(ended.code(), Some(130));
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop(unread);
}
