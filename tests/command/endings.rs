//! Chats that would not end by themselves.

use std::{fs, time::Duration};

use tokio::time::Instant;

use crate::support::{Centre, Finished, Folder, Run};

/// Each chat does this and closes what it opened.
fn scenario(rest: &str) -> String {
    format!(
        "
scenario: endless
{rest}
steps:
  - step: ask
    http: {{ get: '{{{{ target.url }}}}/stats' }}
  - think: 8760h
always:
  - step: say
    http: {{ get: '{{{{ target.url }}}}/stats' }}
"
    )
}

/// Runs it with all documents; they are in `reports` of the folder.
async fn run(rest: &str, load: &str) -> (Finished, Run) {
    let centre = Centre::start("{}").await;
    let folder = Folder::new();
    let file = folder.write("endless.yaml", &scenario(rest));
    let reports = folder.argument("reports");
    let run = Run::new(folder, &file, &centre.url).load(load);
    let run = run.with(&["--report", &reports]);
    (run.done().await, run)
}

fn document(run: &Run, name: &str) -> String {
    fs::read_to_string(run.folder.path(&format!("reports/{name}"))).unwrap()
}

#[tokio::test]
async fn a_load_with_a_time_ends_whatever_its_chats_think_and_says_how_many_it_stopped() {
    let began = Instant::now();
    let load = "{ rate: 5/s, for: 1s, graceful_stop: 1s }";
    let (ended, run) = run("", load).await;
    assert!(began.elapsed() < Duration::from_secs(20));
    // Nothing of what was measured failed.
    let ended = ended.exits(0);
    assert_eq!((ended.chats("started"), ended.chats("stopped")), (5, 5));
    assert_eq!(ended.chats("failed"), 0);
    assert_eq!(ended.passed("say"), 5, "their `always` steps");
    assert_eq!(ended.report["verdict"], "passed");
    assert_eq!(ended.report["ended_by"], "load");
    assert_eq!(
        ended.report["graceful_stop"],
        serde_json::json!({ "limit_seconds": 1.0, "exceeded": true, "stopped": 5 })
    );
    let says = "5 chats in flight were stopped 1 s after the last start";
    assert!(ended.output.contains(says), "{ended:#?}");
    for name in ["report.html", "junit.xml"] {
        assert!(document(&run, name).contains(says), "{name}");
    }
}

#[tokio::test]
async fn a_chat_that_passes_its_deadline_has_failed_where_it_was_and_cleans_up() {
    let (ended, run) = run("deadline: 2s", "{ chats: 2 }").await;
    let ended = ended.exits(1);
    assert_eq!((ended.chats("failed"), ended.chats("stopped")), (2, 0));
    assert_eq!(ended.report["chats"]["failed_by_reason"]["timeout"], 2);
    assert_eq!(ended.passed("say"), 2, "their `always` steps");
    let failure = &ended.report["failures"][0];
    assert_eq!(
        (&failure["step"], &failure["reason"]),
        (&"think".into(), &"timeout".into())
    );
    let detail = failure["detail"].as_str().unwrap();
    assert!(detail.contains("deadline of 2 s"), "{detail}");
    assert!(detail.contains("after step `ask`"), "{detail}");
    assert!(ended.output.contains(detail), "{ended:#?}");
    for name in ["report.html", "junit.xml"] {
        assert!(
            document(&run, name).contains("its deadline of 2 s"),
            "{name}"
        );
    }
}
