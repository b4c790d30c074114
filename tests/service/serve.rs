//! `chatprobe serve`: from its start to its probes and bursts.

use std::net::TcpListener;

use tokio::time::{Duration, Instant};

use crate::support::{
    Centre, Folder, Metrics, PROBE, Process, QUICK, SCENARIO, Service, events, free_address, get,
    plain, shipped, write_scenarios,
};

fn probe(every: &str, inputs: &str) -> String {
    format!(
        "probes: {{ one: {{ scenario: {SCENARIO}, target: centre, every: {every}, inputs: {inputs} }} }}"
    )
}

/// The shipped configuration on ports that are free.
fn shipped_elsewhere(folder: &Folder) -> (String, String) {
    let mut text = std::fs::read_to_string(shipped("chatprobe.yaml")).unwrap();
    let mut addresses = Vec::new();
    for address in [
        "127.0.0.1:4000",
        "127.0.0.1:8080",
        "127.0.0.1:8001",
        "127.0.0.1:14222",
    ] {
        let free = free_address().to_string();
        assert!(text.contains(address));
        text = text.replace(address, &free);
        addresses.push(free);
    }
    write_scenarios(folder);
    (text, addresses.remove(0))
}

#[tokio::test]
async fn the_shipped_configuration_has_probed_within_ten_seconds() {
    let begun = Instant::now();
    let folder = Folder::new();
    let (configuration, simulator) = shipped_elsewhere(&folder);
    let mut service = Service::start_in(folder, &configuration, &[], &[]).await;
    service
        .process
        .lines("probe succeeded for the first time", 2)
        .await;
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    let log = service.process.log();
    for part in [
        &format!(" is running as process {}", service.process.id()),
        "  open      http://127.0.0.1:",
        "/metrics",
        "/api/v1/openapi.json",
        "  callbacks http://127.0.0.1:",
        &format!("  simulator http://{simulator}/stats"),
        "  rooms     http://127.0.0.1:",
        "probe=\"contact-center-chat\"",
        "probe=\"websocket-support-chat\"",
    ] {
        assert!(log.contains(part), "`{part}` in:\n{log}");
    }
    let probe = [("scenario", SCENARIO), ("target", "contact-center")];
    let chats = [probe[0], probe[1], ("mode", "probe")];
    let metrics = service
        .when("the run has ended", |metrics| {
            metrics.count("chatprobe_probe_last_success", &probe) == 1
        })
        .await;
    for (name, count) in [
        ("chatprobe_chats_started_total", 1),
        ("chatprobe_chats_passed_total", 1),
        ("chatprobe_chats_active", 0),
        ("chatprobe_agent_join_seconds_count", 1),
        ("chatprobe_chat_duration_seconds_count", 1),
    ] {
        assert_eq!(metrics.count(name, &chats), count, "{name}");
    }
    assert!(metrics.sum("chatprobe_chats_failed_total", &[]) < 0.5);
    every_step_is_counted(&metrics, &chats);
    every_event_is_accounted_for(&service, &simulator).await;
}

fn every_step_is_counted(metrics: &Metrics, chats: &[(&str, &str); 3]) {
    for (step, count) in [
        ("webhook_create", 1),
        ("session_create", 1),
        ("engagement_create", 1),
        ("agent_join", 1),
        ("send_chat", 2),
        ("receive_chat", 2),
        ("interact_end", 1),
        ("participant_get", 0),
        ("webhook_delete", 1),
    ] {
        let step = [chats[0], chats[1], chats[2], ("step", step)];
        assert_eq!(
            metrics.count("chatprobe_steps_passed_total", &step),
            count,
            "{step:?}"
        );
    }
}

/// Whatever the centre delivered has met a fate.
async fn every_event_is_accounted_for(service: &Service, simulator: &str) {
    service
        .when("as many events as the centre delivered", |metrics| {
            metrics.sum("chatprobe_callback_events_total", &[]) > 5.5
        })
        .await;
    let stats = get(&format!("http://{simulator}/stats")).await.unwrap();
    let stats = serde_json::from_str(&stats).unwrap();
    let metrics = service.metrics().await;
    let fate = |fate| {
        metrics.count(
            "chatprobe_callback_events_total",
            &[("fate", fate), PROBE[0]],
        )
    };
    // Customer, engagement, agent, two answers, and the farewell, which nobody waits for.
    assert_eq!(events(&stats, "acknowledged"), 6);
    assert_eq!(fate("consumed"), 3);
    assert_eq!(fate("ignored") + fate("late"), 3);
    assert!(metrics.sum("chatprobe_callback_events_total", &[]) < 6.5);
}

#[tokio::test]
async fn a_taken_port_is_one_clear_sentence_and_exit_code_two() {
    for setting in ["listen.web", "listen.callbacks", "simulator.listen"] {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = taken.local_addr().map(|address| (taken, address)).unwrap();
        let free = || free_address().to_string();
        let address = |own: &str| {
            if own == setting {
                taken.1.to_string()
            } else {
                free()
            }
        };
        let folder = Folder::new();
        let file = folder.write(
            "chatprobe.yaml",
            &format!(
                "listen: {{ web: '{}', callbacks: '{}' }}\nsimulator: {{ listen: '{}' }}\n",
                address("listen.web"),
                address("listen.callbacks"),
                address("simulator.listen"),
            ),
        );
        let mut process = Process::start(&["serve", "--config", &file]);
        assert_eq!(process.ended().await, 2, "{setting}");
        let log = process.log();
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(
            log.starts_with(&format!("chatprobe: cannot listen on {} for ", taken.1)),
            "{log}"
        );
        assert!(log.ends_with(&format!("change `{setting}`\n")), "{log}");
    }
}

#[tokio::test]
async fn a_configuration_with_problems_is_not_started() {
    let folder = Folder::new();
    let file = folder.write("chatprobe.yaml", "probes: { one: { every: soon } }\n");
    let mut process = Process::start(&["serve", "--config", &file]);
    assert_eq!(process.ended().await, 2);
    assert!(
        process.log().contains("nothing was started"),
        "{}",
        process.log()
    );
}

#[tokio::test]
async fn without_a_subcommand_the_service_runs_as_the_environment_says() {
    let folder = Folder::new();
    let file = folder.write("chatprobe.yaml", &plain("http://127.0.0.1:1", ""));
    let mut process = Process::start_in(&[], &[("CHATPROBE_CONFIG", &file)]);
    process.line("/metrics").await;
    process.finish().await;
}

/// `THP_enabled` is in there since Linux 5.0.
#[tokio::test]
async fn its_memory_has_no_huge_pages() {
    let service = Service::start(&plain("http://127.0.0.1:9", "")).await;
    let status = format!("/proc/{}/status", service.process.id());
    let status = std::fs::read_to_string(status).unwrap();
    assert!(status.contains("THP_enabled:\t0\n"), "{status}");
}

#[tokio::test]
async fn a_probe_does_not_overlap_itself_and_counts_the_slots_it_left_out() {
    let centre = Centre::start("{}").await;
    let inputs = "{ session_pause: 0s, first_message_delay: 700ms, reply_delay: 0s }";
    let service = Service::start(&plain(&centre.url, &probe("200ms", inputs))).await;
    let metrics = service
        .when("three chats", |metrics| {
            assert!(metrics.count("chatprobe_chats_active", &PROBE) <= 1);
            metrics.count("chatprobe_chats_passed_total", &PROBE) >= 3
        })
        .await;
    let skipped = [PROBE[0], PROBE[1], ("reason", "overlap")];
    // At least three slots pass during each chat.
    assert!(metrics.count("chatprobe_probe_skipped_total", &skipped) >= 9);
    let paused = [PROBE[0], PROBE[1], ("reason", "paused")];
    assert_eq!(metrics.count("chatprobe_probe_skipped_total", &paused), 0);
}

#[tokio::test]
async fn a_target_that_is_down_fails_the_probe_until_it_comes_up() {
    let address = free_address().to_string();
    let target = format!("http://{address}");
    let mut service = Service::start(&plain(&target, &probe("300ms", QUICK))).await;
    let connect = [PROBE[0], PROBE[1], PROBE[2], ("reason", "connect")];
    let failed = |metrics: &Metrics| metrics.count("chatprobe_chats_failed_total", &connect);
    let metrics = service
        .when("two failures", |metrics| failed(metrics) >= 2)
        .await;
    assert_eq!(
        metrics.count("chatprobe_probe_last_success", &PROBE[..2]),
        0
    );
    assert!(metrics.value("chatprobe_probe_last_run_timestamp_seconds", &PROBE[..2]) > 0.0);
    let never = metrics.count(
        "chatprobe_probe_last_success_timestamp_seconds",
        &PROBE[..2],
    );
    assert_eq!(never, 0);
    let step = [
        connect[0],
        connect[1],
        connect[2],
        connect[3],
        ("step", "webhook_create"),
    ];
    assert!(metrics.count("chatprobe_steps_failed_total", &step) >= 2);
    assert_eq!(
        metrics.count(
            "chatprobe_step_duration_seconds_count",
            &[PROBE[0], PROBE[1], PROBE[2], ("step", "webhook_create")]
        ),
        0
    );

    let _centre = Centre::start_at(&address, "{}").await;
    service
        .when("success", |metrics| {
            metrics.count("chatprobe_probe_last_success", &PROBE[..2]) == 1
        })
        .await;
    service.process.line("probe recovered").await;
    let log = service.process.log();
    assert_eq!(
        log.matches("probe is failing").count(),
        1,
        "said once:\n{log}"
    );
}

#[tokio::test]
async fn a_scheduled_burst_runs_at_its_times() {
    let centre = Centre::start("{}").await;
    let burst = format!(
        "bursts: {{ rush: {{ scenario: {SCENARIO}, target: centre, load: {{ chats: 3 }}, inputs: {QUICK}, \
         schedule: {{ cron: '*/2 * * * * *' }}, thresholds: [{{ step: agent_join, p95: 20s }}] }} }}"
    );
    let service = Service::start(&plain(&centre.url, &burst)).await;
    let passed = [("burst", "rush"), ("verdict", "passed")];
    let metrics = service
        .when("two bursts", |metrics| {
            metrics.count("chatprobe_bursts_total", &passed) >= 2
        })
        .await;
    let chats = [PROBE[0], PROBE[1], ("mode", "burst")];
    assert!(metrics.count("chatprobe_chats_passed_total", &chats) >= 6);
    let (start, end) = (
        metrics.value("chatprobe_burst_last_start_timestamp_seconds", &passed[..1]),
        metrics.value("chatprobe_burst_last_end_timestamp_seconds", &passed[..1]),
    );
    assert!(start > 0.0 && end > 0.0);
    // Two seconds lie between two starts, so none is early.
    let log = service.process.log();
    assert_eq!(
        log.matches("burst started").count() as u64,
        metrics.count("chatprobe_bursts_total", &passed),
        "{log}"
    );
}

#[tokio::test]
async fn a_burst_that_is_due_while_its_last_run_goes_on_is_left_out_and_counted() {
    let centre = Centre::start("{}").await;
    let burst = format!(
        "bursts: {{ rush: {{ scenario: {SCENARIO}, target: centre, load: {{ chats: 2 }}, \
         inputs: {{ session_pause: 4500ms, first_message_delay: 0s, reply_delay: 0s }}, \
         schedule: {{ cron: '* * * * * *' }} }} }}"
    );
    let mut service = Service::start(&plain(&centre.url, &burst)).await;
    let active = [("burst", "rush"), PROBE[0], PROBE[1]];
    let metrics = service
        .when("a burst that passed", |metrics| {
            assert!(metrics.count("chatprobe_burst_active", &active) <= 1);
            metrics.sum(
                "chatprobe_bursts_total",
                &[("burst", "rush"), ("verdict", "passed")],
            ) > 0.5
        })
        .await;
    assert!(metrics.count("chatprobe_burst_skipped_total", &[("burst", "rush")]) >= 2);
    service
        .process
        .line("its last run is still in progress")
        .await;
}

#[tokio::test]
async fn the_log_is_one_json_object_a_line_when_asked() {
    let nobody = format!("http://{}", free_address());
    let configuration = plain(&nobody, &probe("200ms", QUICK));
    let format = ["--log-format", "json"];
    let mut service = Service::start_in(Folder::new(), &configuration, &format, &[]).await;
    service.process.line("probe is failing").await;
    service.process.finish().await;
    let mut failed = 0;
    for line in service.process.log().lines() {
        let entry: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in: {line}"));
        assert!(
            entry["timestamp"].is_string() && entry["level"].is_string(),
            "{line}"
        );
        assert!(entry["message"].is_string(), "{line}");
        if entry["message"]
            .as_str()
            .unwrap()
            .starts_with("chat failed")
        {
            failed += 1;
            assert_eq!(entry["step"], "webhook_create");
            assert_eq!(entry["reason"], "connect");
            assert_eq!(entry["scenario"], SCENARIO);
            assert_eq!(entry["target"], "centre");
        }
    }
    assert!(failed >= 1);
}
