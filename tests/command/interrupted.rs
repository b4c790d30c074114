//! `chatprobe run` that a signal ends.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::{Method, Uri},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::Instant};

use crate::support::{Finished, Folder, Process, Run, Signal, eventually};

/// Its answers name what they made; `POST /setup`, `POST /chat` and `DELETE /slow` take their time.
#[derive(Clone, Default)]
struct Desk(Arc<Mutex<Vec<String>>>);

const SLOW: Duration = Duration::from_millis(1_500);

impl Desk {
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let desk = Self::default();
        let router = Router::new().fallback(answer).with_state(desk.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (desk, url)
    }

    /// The requests so far, in the order of the alphabet.
    fn requests(&self) -> Vec<String> {
        let mut requests = self.0.lock().unwrap().clone();
        requests.sort();
        requests
    }

    async fn has(&self, count: usize, request: &str) {
        eventually(&format!("{count} times {request}"), async || {
            let requests = self.requests();
            let found = requests.iter().filter(|one| one.starts_with(request));
            (found.count() >= count).then_some(())
        })
        .await;
    }
}

async fn answer(State(desk): State<Desk>, method: Method, uri: Uri) -> Json<Value> {
    let request = format!("{method} {}", uri.path());
    desk.0.lock().unwrap().push(request.clone());
    match request.as_str() {
        "POST /setup" | "POST /chat" | "DELETE /slow" => tokio::time::sleep(SLOW).await,
        "DELETE /never" => std::future::pending().await,
        _ => {}
    }
    Json(json!({ "id": 7 }))
}

const SETUP: &str = "
setup:
  - step: hook
    http: { post: '{{ target.url }}/setup' }
    capture: { hook: body.id }
  - step: second
    http: { post: '{{ target.url }}/second' }
teardown:
  - step: unhook
    when: hook is defined
    http: { delete: '{{ target.url }}/setup/{{ hook }}' }
";

const CHAT: &str = "
correlation: [chat_id]
steps:
  - step: open
    http: { post: '{{ target.url }}/chat' }
    capture: { chat_id: body.id }
  - think: 1h
always:
  - step: close
    when: chat_id is defined
    http: { delete: '{{ target.url }}/chat/{{ chat_id }}' }
";

fn run(url: &str, parts: &[&str]) -> Run {
    let folder = Folder::new();
    let scenario = format!("scenario: desk\n{}", parts.concat());
    let scenario = folder.write("desk.yaml", &scenario);
    Run::new(folder, &scenario, url)
}

async fn interrupted(run: &Run, process: Process) -> Finished {
    process.signal(Signal::SIGTERM);
    run.finish(process).await.exits(130)
}

#[tokio::test]
async fn a_setup_whose_answer_is_on_its_way_is_taken_back() {
    let (desk, url) = Desk::start().await;
    let run = run(&url, &[SETUP, CHAT]);
    let process = run.start();
    desk.has(1, "POST /setup").await;
    let run = interrupted(&run, process).await;
    assert_eq!(desk.requests(), ["DELETE /setup/7", "POST /setup"]);
    assert_eq!(run.passed("hook"), 1);
    assert_eq!(run.chats("started"), 0);
    assert_eq!(run.report["verdict"], "stopped");
    assert_eq!(run.report["orphans"], json!([]));
}

#[tokio::test]
async fn chats_whose_answers_are_on_their_way_are_closed() {
    for (signal, name) in [
        (Signal::SIGTERM, "SIGTERM"),
        (Signal::SIGINT, "SIGINT"),
        (Signal::SIGHUP, "SIGHUP"),
    ] {
        let (desk, url) = Desk::start().await;
        let run = run(&url, &[CHAT]).load("{ customers: 3, for: 1h }");
        let process = run.start();
        desk.has(3, "POST /chat").await;
        process.signal(signal);
        let run = run.finish(process).await.exits(130);
        let closed = ["DELETE /chat/7"; 3];
        assert_eq!(
            desk.requests(),
            [closed, ["POST /chat"; 3]].concat(),
            "{signal}"
        );
        assert_eq!((run.chats("started"), run.chats("stopped")), (3, 3));
        assert_eq!((run.passed("open"), run.passed("close")), (3, 3));
        assert_eq!(run.report["orphans_total"], 0);
        assert_eq!(run.report["ended_by"], name.to_lowercase());
        let says = format!("verdict: stopped: stopped by {name}");
        assert!(run.output.contains(&says), "{run:#?}");
    }
}

#[tokio::test]
async fn a_signal_that_cuts_nothing_short_leaves_verdict_and_exit_code_as_they_are() {
    let short = CHAT.replace("  - think: 1h\n", "");
    for (threshold, code, verdict) in [("{ max: 1h }", 0, "passed"), ("{ max: 1ms }", 1, "failed")]
    {
        let (desk, url) = Desk::start().await;
        let run = run(&url, &[&short]).with(&["--threshold", threshold]);
        let process = run.start();
        desk.has(1, "POST /chat").await;
        process.signal(Signal::SIGTERM);
        let run = run.finish(process).await.exits(code);
        assert_eq!(desk.requests(), ["DELETE /chat/7", "POST /chat"]);
        assert_eq!(run.chats("passed"), 1);
        assert_eq!(run.report["ended_by"], "load");
        let says = format!("verdict: {verdict}");
        assert!(run.output.contains(&says), "{run:#?}");
    }
}

#[tokio::test]
async fn a_signal_to_a_run_that_a_threshold_has_ended_leaves_verdict_and_exit_code_as_they_are() {
    let first_fails = CHAT.replace(
        "think: 1h",
        "think: \"{{ '1h' if chat.number == 2 else chat_id ~ ' chats' }}\"",
    );
    let slow = first_fails.replace("/chat/{{ chat_id }}", "/slow");
    let (desk, url) = Desk::start().await;
    let run = run(&url, &[&slow]).load("{ chats: 2 }");
    let run = run.with(&["--threshold", "{ failed: 0%, abort: true }"]);
    let process = run.start();
    // Of the one that failed, and of the one that was stopped because of it.
    desk.has(2, "DELETE /slow").await;
    process.signal(Signal::SIGTERM);
    let run = run.finish(process).await.exits(1);
    assert_eq!((run.chats("failed"), run.chats("stopped")), (1, 1));
    assert_eq!(run.passed("close"), 2);
    assert_eq!(run.report["verdict"], "failed");
    assert_eq!(run.report["ended_by"], "threshold");
}

#[tokio::test]
async fn a_signal_to_the_teardown_of_a_setup_that_failed_leaves_verdict_and_exit_code_as_they_are()
{
    let fails = SETUP
        .replace(
            "teardown:",
            "  - think: '{{ hook ~ \" chats\" }}'\nteardown:",
        )
        .replace("/setup/{{ hook }}", "/slow");
    let (desk, url) = Desk::start().await;
    let run = run(&url, &[&fails, CHAT]);
    let process = run.start();
    desk.has(1, "DELETE /slow").await;
    process.signal(Signal::SIGTERM);
    let run = run.finish(process).await.exits(1);
    assert_eq!(run.chats("started"), 0);
    assert_eq!(run.passed("unhook"), 1);
    assert_eq!(run.report["verdict"], "failed");
    assert_eq!(run.report["ended_by"], "setup");
}

#[tokio::test]
async fn a_second_signal_to_the_teardown_tells_what_may_be_left_and_keeps_the_exit_code() {
    let short = CHAT.replace("  - think: 1h\n", "");
    let never = SETUP.replace("/setup/{{ hook }}", "/never");
    let (desk, url) = Desk::start().await;
    let run = run(&url, &[&never, &short]);
    let mut process = run.start();
    desk.has(1, "DELETE /never").await;
    process.signal(Signal::SIGINT);
    process.line("once more to end at once").await;
    process.signal(Signal::SIGINT);
    let run = run.finish(process).await.exits(0);
    assert_eq!(run.chats("passed"), 1);
    assert_eq!(run.report["ended_by"], "load");
    let failure = &run.report["teardown_failed"];
    assert_eq!(failure["step"], Value::Null);
    let detail = failure["detail"].as_str().unwrap();
    let told = format!("the teardown failed: {detail}; something may be left at the target");
    assert!(run.output.contains(&told), "{run:#?}");
    assert_eq!(run.report["orphans"][0]["chat"], 0);
}

#[tokio::test]
async fn answers_that_do_not_come_in_time_are_given_up_and_told() {
    let (desk, url) = Desk::start().await;
    let run = run(&url, &[CHAT]).with(&["--grace", "200ms"]);
    let process = run.start();
    desk.has(1, "POST /chat").await;
    let run = interrupted(&run, process).await;
    assert_eq!(desk.requests(), ["POST /chat"]);
    assert_eq!(
        (&run.step("open")["stopped"], &run.step("open")["failed"]),
        (&json!(1), &json!(0))
    );
    assert!(run.output.contains("stopped: 1 at open\n"), "{run:#?}");
    assert_eq!(run.report["orphans_total"], 1);
    let told = "may still be open at the target: 1\n    chat 1: `open` got no answer";
    assert!(run.output.contains(told), "{run:#?}");
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_what_is_open_is_listed() {
    let (desk, url) = Desk::start().await;
    let never = CHAT.replace("/chat/{{ chat_id }}", "/never");
    let run = run(&url, &[SETUP, &never]);
    let mut process = run.start();
    desk.has(1, "POST /second").await;
    process.signal(Signal::SIGINT);
    let before = Instant::now();
    process.line("once more to end at once").await;
    process.signal(Signal::SIGINT);
    let run = run.finish(process).await.exits(130);
    assert!(before.elapsed() < Duration::from_secs(4), "{run:#?}");
    assert_eq!(run.report["verdict"], "stopped");
    let orphans = run.report["orphans"].as_array().unwrap();
    let setup = orphans.iter().find(|orphan| orphan["chat"] == 0).unwrap();
    assert_eq!(setup["correlation"]["hook"], "7");
    assert_eq!(setup["why"], "`unhook` was stopped");
    assert!(
        run.output
            .contains("    the setup: `unhook` was stopped hook=7"),
        "{run:#?}"
    );
}

#[tokio::test]
async fn chats_that_are_being_closed_at_the_second_signal_are_listed_by_their_names() {
    let (desk, url) = Desk::start().await;
    let never = CHAT.replace("/chat/{{ chat_id }}", "/never");
    let run = run(&url, &[&never]).load("{ chats: 2 }");
    let mut process = run.start();
    desk.has(2, "POST /chat").await;
    process.signal(Signal::SIGTERM);
    desk.has(2, "DELETE /never").await;
    process.line("once more to end at once").await;
    let before = Instant::now();
    process.signal(Signal::SIGTERM);
    let run = run.finish(process).await.exits(130);
    assert!(before.elapsed() < Duration::from_secs(3), "{run:#?}");
    assert_eq!(run.report["orphans_total"], 2);
    for orphan in run.report["orphans"].as_array().unwrap() {
        assert_eq!(orphan["correlation"]["chat_id"], "7");
        assert_eq!(orphan["why"], "`close` was stopped");
    }
    assert!(run.output.contains("chat_id=7"), "{run:#?}");
}

#[tokio::test]
async fn a_signal_that_is_repeated_at_the_same_moment_is_one() {
    let (desk, url) = Desk::start().await;
    let run = run(&url, &[CHAT]);
    let process = run.start();
    desk.has(1, "POST /chat").await;
    // `timeout` does this: to the process, and to its group.
    for signal in [Signal::SIGTERM, Signal::SIGTERM, Signal::SIGHUP] {
        process.signal(signal);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let run = run.finish(process).await.exits(130);
    assert_eq!(desk.requests(), ["DELETE /chat/7", "POST /chat"]);
    assert_eq!(run.passed("close"), 1);
}

#[tokio::test]
async fn a_run_that_is_to_outlive_its_terminal_does() {
    let (desk, url) = Desk::start().await;
    let short = CHAT.replace("1h", "1s");
    let run = run(&url, &[&short]);
    // What `nohup` does.
    let process = run.start_limited("-S -n 1024 && trap '' HUP");
    desk.has(1, "POST /chat").await;
    process.signal(Signal::SIGHUP);
    let run = run.finish(process).await.exits(0);
    assert_eq!(run.chats("passed"), 1);
}

#[tokio::test]
async fn a_run_with_a_chat_that_does_not_end_is_reported_when_the_time_for_its_end_is_over() {
    // A request that takes more than a minute to be written, during which its chat looks at nothing else.
    let mut busy =
        "steps:\n  - step: open\n    http:\n      post: '{{ target.url }}/chat'\n      json:\n"
            .to_owned();
    let sums = ["(range(100000) | sum)"; 10].join(" + ");
    for number in 0..1_000 {
        writeln!(busy, "        n{number}: '{{{{ {sums} }}}}'").unwrap();
    }
    let (_desk, url) = Desk::start().await;
    // One thread is left for the signal.
    let run = run(&url, &[&busy]);
    let run = run.with(&["--workers", "2", "--grace", "10ms"]);
    let mut process = run.start();
    process.line("1 active").await;
    let asked = Instant::now();
    process.signal(Signal::SIGTERM);
    process.line("once more to end at once").await;
    let run = run.finish(process).await;
    let took = asked.elapsed();
    assert_eq!(run.code, 130, "{run:#?}");
    // Two times 5 s to clean up, and what the run may take to count.
    assert!(took > Duration::from_secs(10), "{took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(run.report["state"], "interrupted");
    assert_eq!(run.chats("in_progress"), 1);
    assert!(run.log.contains("cut off: 1 "), "{run:#?}");
}
