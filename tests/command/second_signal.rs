//! The second signal ends the process even where the runtime has no time for it.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{Folder, Run, Signal, free_address};

/// One filter that takes much longer than the test: no step of an expression, so no limit ends it.
const BUSY: &str = "
scenario: busy
steps:
  - think: \"{{ (((range(100000) | list) * 999) | sum) ~ 'ms' }}\"
";

#[tokio::test]
async fn the_second_signal_ends_a_run_whose_runtime_is_busy() {
    let folder = Folder::new();
    let file = folder.write("busy.yaml", BUSY);
    let target = format!("http://{}", free_address());
    // More chats than there are threads.
    let run = Run::new(folder, &file, &target).load("{ chats: 40 }");
    let run = run.with(&["--workers", "2"]);
    let mut process = run.start();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(process.is_running());
    process.signal(Signal::SIGTERM);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(process.is_running(), "{}", process.log());
    process.signal(Signal::SIGTERM);
    let asked = Instant::now();
    assert_eq!(process.ended().await, 130);
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
}
