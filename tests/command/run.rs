//! `chatprobe run`: verdicts, exit codes, figures.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{
    Centre, Folder, Process, Run, SCENARIO, Signal, eventually, free_address, get, plain, requests,
};

#[tokio::test]
async fn a_run_whose_chats_pass_exits_with_zero_and_shows_its_figures() {
    let centre = Centre::start("{}").await;
    let run = Run::of_shipped(&centre.url)
        .load("{ chats: 5 }")
        .with(&[
            "--threshold",
            "{ step: agent_join, p95: 10s }",
            "--seed",
            "7",
        ])
        .done()
        .await
        .exits(0);
    assert_eq!((run.chats("started"), run.chats("passed")), (5, 5));
    assert_eq!(run.report["verdict"], "passed");
    assert_eq!(run.report["state"], "ended");
    assert_eq!(run.report["seed"], 7);
    assert_eq!(run.report["inputs"]["reply_delay"], "10ms");
    assert_eq!(run.passed("send_chat"), 10);
    for part in [
        "contact-center-chat against centre, load { chats: 5 }, ",
        "step ",
        "p99",
        "(whole chats)",
        "chats: 5 started, 5 passed, 0 failed, 0 stopped, at most 5 at once",
        "15 consumed",
        "held   agent_join p95 <= 10 s",
        "verdict: passed",
    ] {
        assert!(run.output.contains(part), "`{part}` in:\n{}", run.output);
    }
    let row = run
        .output
        .lines()
        .find(|line| line.trim_start().starts_with("send_chat"));
    let cells: Vec<_> = row.unwrap().split_whitespace().collect();
    assert_eq!(cells[..3], ["send_chat", "10", "0"]);
    let table = run.output.lines().skip(1);
    let wide: Vec<_> = table
        .take_while(|line| !line.starts_with("chats:"))
        .filter(|line| line.chars().count() > 80)
        .collect();
    assert_eq!(wide, Vec::<&str>::new(), "for terminals of 80 columns");
    let steps = run.report["steps"].as_array().unwrap().len();
    let rows = run
        .output
        .lines()
        .position(|line| line.starts_with("chats:"));
    // Below the line on top: the head, a line each, and the whole chats.
    assert_eq!(rows, Some(steps + 3), "no row is broken:\n{}", run.output);
}

#[tokio::test]
async fn failures_are_told_by_step_and_reason_with_one_example_each() {
    let centre = Centre::start(
        "faults: { errors: [{ probability: 1, status: 503, only: [engagement_create] }] }",
    )
    .await;
    let run = Run::of_shipped(&centre.url)
        .load("{ chats: 30 }")
        .done()
        .await
        .exits(1);
    let says = "failed: 30 at engagement_create: status\n    such as chat ";
    assert!(run.output.contains(says), "{run:#?}");
    assert_eq!(run.output.matches("such as").count(), 1, "{run:#?}");
    let example = run.output.lines().find(|line| line.contains("such as"));
    assert!(example.unwrap().contains("503"), "{run:#?}");
    assert!(example.unwrap().contains(" session_id="), "{run:#?}");
}

#[tokio::test]
async fn the_report_goes_to_standard_output_alone_when_asked() {
    let centre = Centre::start("{}").await;
    let folder = Folder::new();
    let file = folder.write("c.yaml", &plain(&centre.url, ""));
    let mut process = Process::start(&[
        "run",
        SCENARIO,
        "--config",
        &file,
        "--json",
        "-",
        "-i",
        "session_pause=0s",
        "-i",
        "first_message_delay=0s",
        "-i",
        "reply_delay=0s",
    ]);
    assert_eq!(process.ended().await, 0, "{}", process.log());
    let report: serde_json::Value = serde_json::from_str(&process.output()).unwrap();
    assert_eq!(report["chats"]["passed"], 1);
    assert!(process.log().contains("verdict: passed"));
}

#[tokio::test]
async fn a_broken_threshold_exits_with_one() {
    let centre = Centre::start("{}").await;
    let run = Run::of_shipped(&centre.url)
        .with(&["--threshold", "{ step: agent_join, max: 1ms }"])
        .done()
        .await
        .exits(1);
    assert_eq!(run.chats("passed"), 1);
    assert_eq!(run.report["verdict"], "failed");
    assert!(
        run.output.contains("BROKEN agent_join max <= 1 ms"),
        "{run:#?}"
    );
    assert!(run.output.contains("verdict: failed: broken: "), "{run:#?}");
}

#[tokio::test]
async fn a_failed_chat_exits_with_one_and_is_shown_with_its_step_and_reason() {
    let nobody = crate::support::free_address();
    let run = Run::of_shipped(&format!("http://{nobody}"))
        .done()
        .await
        .exits(1);
    assert_eq!(run.failed("webhook_create", "connect"), 1);
    assert_eq!(run.chats("started"), 0);
    assert!(
        run.output.contains("verdict: failed: the setup failed: "),
        "{run:#?}"
    );
}

#[tokio::test]
async fn a_run_that_was_stalled_is_invalid_and_exits_with_three() {
    let centre = Centre::start("{}").await;
    let run = Run::of_shipped(&centre.url);
    let file = run.folder.read("chatprobe.yaml");
    run.folder
        .write("chatprobe.yaml", &file.replace("1m", "500ms"));
    let run = run.load("{ rate: 20/s, for: 4s }");
    let process = run.start();
    centre
        .stats_when("chats", |stats| {
            requests(stats, "session_create", "201") > 5
        })
        .await;
    // Chats that are due meanwhile start late, and that is not the target's fault.
    process.pause(Duration::from_millis(1_500)).await;
    let run = run.finish(process).await.exits(3);
    assert_eq!(run.chats("passed"), 80);
    assert_eq!(run.report["verdict"], "invalid");
    assert!(
        run.output
            .contains("verdict: invalid: the load generator was saturated: "),
        "{run:#?}"
    );
}

#[tokio::test]
async fn an_interrupt_ends_the_chats_with_their_always_steps() {
    let centre = Centre::start("{}").await;
    let run = Run::of_shipped(&centre.url)
        .load("{ customers: 3, for: 1h }")
        .with(&["-i", "first_message_delay=1h"]);
    let process = run.start();
    centre
        .stats_when("three agents", |stats| stats["joins"]["count"] == 3)
        .await;
    process.signal(Signal::SIGINT);
    let run = run.finish(process).await.exits(130);
    assert_eq!((run.chats("started"), run.chats("stopped")), (3, 3));
    assert_eq!(run.report["verdict"], "stopped");
    assert!(
        run.output
            .ends_with("verdict: stopped: stopped by SIGINT (Ctrl-C)\n"),
        "{run:#?}"
    );
    for (step, count) in [
        ("participant_get", 3),
        ("engagement_disconnect", 3),
        ("session_terminate", 3),
        ("webhook_delete", 1),
    ] {
        assert_eq!(run.passed(step), count, "{step}");
    }
    let stats = centre.stats().await;
    assert_eq!(stats["now"]["engagements_open"], 0);
    assert_eq!(stats["now"]["sessions_open"], 0);
    assert_eq!(requests(&stats, "webhook_delete", "200"), 1);
}

#[tokio::test]
async fn a_second_interrupt_ends_the_run_at_once() {
    // The `always` steps would take their whole time.
    let centre =
        Centre::start("faults: { slow: [{ probability: 1, by: 1h, only: [participant_get] }] }")
            .await;
    let run = Run::of_shipped(&centre.url).with(&["-i", "first_message_delay=1h"]);
    let mut process = run.start();
    centre
        .stats_when("an agent", |stats| stats["joins"]["count"] == 1)
        .await;
    process.signal(Signal::SIGINT);
    process.line("once more to end at once").await;
    let asked = Instant::now();
    process.signal(Signal::SIGINT);
    assert_eq!(process.ended().await, 130);
    assert!(asked.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn an_open_profile_reaches_its_rate_to_the_chat() {
    let centre = Centre::start("{}").await;
    let run = Run::of_shipped(&centre.url)
        .load("{ rate: 40/s, for: 3s, max_active: 500 }")
        .done()
        .await
        .exits(0);
    assert_eq!((run.chats("started"), run.chats("dropped")), (120, 0));
    assert_eq!(
        requests(&centre.stats().await, "session_create", "201"),
        120
    );
    let elapsed = run.report["elapsed_seconds"].as_f64().unwrap();
    assert!(elapsed >= 2.9, "not faster than asked for: {elapsed}");
}

#[tokio::test]
async fn arrivals_beyond_the_room_are_dropped_and_counted() {
    let centre = Centre::start("{}").await;
    let run = Run::of_shipped(&centre.url)
        .load("{ rate: 20/s, for: 2s, max_active: 5 }")
        // The first five stay until behind the last arrival.
        .with(&["-i", "first_message_delay=4s"])
        .done()
        .await
        .exits(0);
    assert_eq!((run.chats("started"), run.chats("dropped")), (5, 35));
    assert_eq!(run.chats("most_in_progress"), 5);
    assert_eq!(requests(&centre.stats().await, "session_create", "201"), 5);
    assert!(run.output.contains("35 arrivals dropped"), "{run:#?}");
}

#[tokio::test]
async fn a_hopeless_run_ends_early_where_its_threshold_says_so() {
    let centre = Centre::start(
        "faults: { errors: [{ probability: 1, status: 500, only: [session_create] }] }",
    )
    .await;
    let run = Run::of_shipped(&centre.url)
        .load("{ rate: 50/s, for: 1h, max_active: 100 }")
        .with(&["--threshold", "{ failed: 10%, abort: true }"])
        .done()
        .await
        .exits(1);
    assert!(run.chats("failed") >= 20, "{run:#?}");
    assert!(run.output.contains("ended early"), "{run:#?}");
    // A chat whose answer comes while the run is being ended counts as stopped.
    let (failed, stopped) = (run.chats("failed"), run.chats("stopped"));
    let answers = run.failed("session_create", "status");
    assert!((failed..=failed + stopped).contains(&answers), "{run:#?}");
}

#[tokio::test]
async fn the_usual_soft_limit_on_files_is_no_limit() {
    let centre = Centre::start("{}").await;
    let run = Run::of_shipped(&centre.url).load("{ chats: 150, ramp: 500ms }");
    let run = run.finish(run.start_limited("-S -n 64")).await.exits(0);
    assert_eq!(run.chats("passed"), 150);
}

#[tokio::test]
async fn a_machine_without_files_left_is_to_blame_and_not_the_target() {
    let slow = "faults: { slow: [{ probability: 1, by: 1s }] }";
    let centre = Centre::start(slow).await;
    let run = Run::of_shipped(&centre.url).load("{ chats: 150 }").with(&[
        "-i",
        "agent_join_timeout=3s",
        "-i",
        "reply_timeout=3s",
    ]);
    let run = run.finish(run.start_limited("-n 64")).await.exits(3);
    assert!(run.failed("session_create", "internal") > 0, "{run:#?}");
    assert_eq!(run.failed("session_create", "connect"), 0, "{run:#?}");
    let reasons = run.report["verdict_reasons"].to_string();
    assert!(reasons.contains("the target is not to blame"), "{reasons}");
}

#[tokio::test]
async fn a_callback_url_with_a_path_works_and_requests_on_unknown_paths_are_told_of() {
    let centre = Centre::start("{}").await;
    let address = free_address();
    let listen = address.to_string();
    let url = format!("http://{address}/hooks/chatprobe");
    let run = Run::of_shipped(&centre.url)
        .load("{ chats: 2 }")
        .with(&["--callback-listen", &listen, "--callback-url", &url])
        .with(&["-i", "session_pause=1s"]);
    let process = run.start();
    let stray = format!("http://{address}/hooks/0123456789abcdef0123456789abcdef");
    let told = eventually("the callback listener", async || get(&stray).await).await;
    assert!(told.contains("no run has this path"), "{told}");
    let run = run.finish(process).await.exits(0);
    assert_eq!(run.chats("passed"), 2);
    assert!(run.log.contains("/hooks/012345…"), "{}", run.log);
    assert!(!run.log.contains("0123456789abcdef"), "{}", run.log);
}

#[tokio::test]
async fn a_teardown_that_fails_is_told_and_changes_no_verdict() {
    let faults =
        "{ faults: { errors: [{ probability: 1, status: 500, only: [webhook_delete] }] } }";
    let centre = Centre::start(faults).await;
    let run = Run::of_shipped(&centre.url).done().await.exits(0);
    assert_eq!(run.report["teardown_failed"]["step"], "webhook_delete");
    assert_eq!(run.failed("webhook_delete", "status"), 1);
    let told = "the teardown failed at `webhook_delete`: status: ";
    assert!(run.output.contains(told), "{run:#?}");
    assert!(run.output.ends_with("verdict: passed\n"), "{run:#?}");
}
