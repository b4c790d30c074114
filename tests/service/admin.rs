//! The admin API of a running service: bursts by hand, orders to them, who may give them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    Answer, Centre, Folder, Metrics, PROBE, Process, QUICK, SCENARIO, Service, events, eventually,
    free_address, get, plain, requests,
};

const BURST: [(&str, &str); 3] = [PROBE[0], PROBE[1], ("mode", "burst")];
const TOKEN: &str = "a-token-for-this-test";

/// Chats that last until somebody ends them.
const LASTING: &str = "{ session_pause: 1h }";

async fn serve(centre: &Centre, more: &str) -> Service {
    Service::start(&plain(&centre.url, more)).await
}

async fn report(service: &Service, run: &str) -> Value {
    let answer = service.read(&format!("/api/v1/runs/{run}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The report of a run once this holds of it.
async fn report_when(
    service: &Service,
    run: &str,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Value {
    eventually(what, async || {
        Some(report(service, run).await).filter(&holds)
    })
    .await
}

async fn ended(service: &Service, run: &str) -> Value {
    report_when(service, run, "the end of the run", |report| {
        report["state"] == "ended"
    })
    .await
}

async fn order(service: &Service, run: &str, verb: &str, body: &str) -> Answer {
    service
        .order("POST", &format!("/api/v1/runs/{run}/{verb}"), body)
        .await
}

/// The events of a report, and the sum of their fates.
fn received_and_settled(report: &Value) -> (u64, u64) {
    let events = &report["events"];
    let fates = events["by_fate"].as_object().unwrap();
    let settled = fates.values().map(|count| count.as_u64().unwrap()).sum();
    (events["received"].as_u64().unwrap(), settled)
}

#[tokio::test]
async fn a_burst_started_by_hand_is_told_from_its_start_to_its_verdict() {
    let centre = Centre::start("{}").await;
    let service = serve(&centre, "").await;
    let run = service.burst("{ chats: 25 }", QUICK, "").await;
    let report = ended(&service, &run).await;
    assert_eq!(report["verdict"], "passed", "{report}");
    assert_eq!(report["trigger"], "api");
    assert_eq!(
        (&report["chats"]["started"], &report["chats"]["passed"]),
        (&json!(25), &json!(25))
    );
    let joins = report["steps"].as_array().unwrap().iter();
    let joins = joins.clone().find(|step| step["step"] == "agent_join");
    assert_eq!(joins.unwrap()["passed"], 25, "{report}");
    let (received, settled) = received_and_settled(&report);
    assert_eq!(received, settled);
    // Six events a chat; the farewell may come when the run is over already.
    assert!((125..=150).contains(&received), "{received}");

    let listed = service.read("/api/v1/runs?mode=burst").await.body;
    assert_eq!(listed["runs"][0]["id"], run.as_str(), "{listed}");
    let metrics = service.metrics().await;
    assert_eq!(metrics.count("chatprobe_chats_passed_total", &BURST), 25);
    assert_eq!(
        metrics.count(
            "chatprobe_bursts_total",
            &[("burst", "ad-hoc"), ("verdict", "passed")]
        ),
        1
    );
    let stats = centre.settled().await;
    assert_eq!(requests(&stats, "session_create", "201"), 25);
    assert_eq!(events(&stats, "acknowledged"), 150);
    service
        .when("the fate of every event", |metrics| {
            let settled = metrics.sum("chatprobe_callback_events_total", &[]);
            (settled - 150.0).abs() < 0.5
        })
        .await;
}

#[tokio::test]
async fn a_run_is_paused_resumed_quickened_and_stopped() {
    let centre = Centre::start("{}").await;
    let service = serve(&centre, "").await;
    let load = "{ rate: 20/s, for: 1h, max_active: 5000 }";
    let run = service.burst(load, QUICK, "").await;
    let started = |report: &Value| report["chats"]["started"].as_u64().unwrap();
    report_when(&service, &run, "chats", |report| started(report) > 5).await;

    assert_eq!(order(&service, &run, "pause", "").await.status, 202);
    let paused = report_when(&service, &run, "the pause", |report| {
        report["state"] == "paused" && report["chats"]["in_progress"] == 0
    })
    .await;
    assert_eq!(order(&service, &run, "resume", "").await.status, 202);
    let changed = service
        .order("PATCH", &format!("/api/v1/runs/{run}"), "{ rate: 200/s }")
        .await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let begun = Instant::now();
    let quick = report_when(&service, &run, "two hundred more", |report| {
        started(report) >= started(&paused) + 200
    })
    .await;
    // At the old rate this would have taken ten seconds.
    assert!(
        begun.elapsed().as_secs_f64() < 5.0,
        "{:?}: {quick}",
        begun.elapsed()
    );

    assert_eq!(order(&service, &run, "stop", "").await.status, 202);
    let report = ended(&service, &run).await;
    assert_eq!(report["chats"]["in_progress"], 0);
    assert_eq!(report["chats"]["started"], report["chats"]["passed"]);
    let (received, settled) = received_and_settled(&report);
    assert_eq!(received, settled);
    let late = order(&service, &run, "pause", "").await;
    assert_eq!(late.status, 409, "{late:?}");
}

#[tokio::test]
async fn a_run_that_is_ended_now_takes_its_chats_back_at_the_centre() {
    let centre = Centre::start("{}").await;
    let service = serve(&centre, "").await;
    let run = service.burst("{ chats: 12 }", LASTING, "").await;
    centre
        .stats_when("all sessions", |stats| {
            requests(stats, "session_create", "201") == 12
        })
        .await;
    let stop = order(&service, &run, "stop", "{ now: true }").await;
    assert_eq!(stop.status, 202, "{stop:?}");
    let report = ended(&service, &run).await;
    assert_eq!(report["chats"]["stopped"], 12, "{report}");
    assert_eq!(report["verdict"], "stopped");
    let stats = centre.settled().await;
    assert_eq!(requests(&stats, "session_terminate", "200"), 12, "{stats}");
    assert_eq!(requests(&stats, "webhook_delete", "200"), 1, "{stats}");
}

#[tokio::test]
async fn what_a_stop_cuts_short_has_neither_passed_nor_failed_anywhere() {
    let centre = Centre::start("{ join: 1h }").await;
    let service = serve(&centre, "").await;
    let more = ", thresholds: [{ step: agent_join, failed: 50% }]";
    let run = service.burst("{ chats: 6 }", QUICK, more).await;
    centre
        .stats_when("all engagements", |stats| {
            requests(stats, "engagement_create", "200") == 6
        })
        .await;
    let step = |report: &Value, name: &str| {
        let steps = report["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["step"] == name).unwrap();
        ["passed", "failed", "stopped"].map(|count| step[count].as_u64().unwrap())
    };
    report_when(&service, &run, "all engagements", |report| {
        step(report, "engagement_create") == [6, 0, 0]
    })
    .await;
    let answer = order(&service, &run, "stop", "{ now: true }").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let report = ended(&service, &run).await;
    assert_eq!(step(&report, "agent_join"), [0, 0, 6], "{report}");
    assert_eq!(step(&report, "interact_end"), [0, 0, 0]);
    let chats = &report["chats"];
    assert_eq!(
        (&chats["failed"], &chats["stopped"]),
        (&json!(0), &json!(6))
    );
    assert_eq!(report["thresholds"][0]["measured"], "nothing");

    let metrics = service.metrics().await;
    let of_step = [("mode", "burst"), ("step", "agent_join")];
    assert_eq!(metrics.count("chatprobe_steps_stopped_total", &of_step), 6);
    assert!(metrics.sum("chatprobe_steps_failed_total", &of_step) < 1.0);
    assert!(
        !metrics.text.contains("reason=\"stopped\""),
        "{}",
        metrics.text
    );

    let text = async |path: &str| get(&format!("{}{path}", service.web)).await.unwrap();
    let page = text(&format!("/runs/{run}")).await;
    let row = |page: &str, name: &str| {
        let from = page.find(&format!("data-step=\"{name}\"")).unwrap();
        let begin = page[..from].rfind("<tr").unwrap();
        let end = page[from..].find("</tr>").unwrap();
        page[begin..from + end].to_owned()
    };
    for name in ["agent_join", "whole chats"] {
        let row = row(&page, name);
        let stopped = format!("stopped <span data-count=\"{name} stopped\">6</span>");
        assert!(
            row.contains(&stopped) && !row.contains("class=\"failed\""),
            "{row}"
        );
    }
    let document = async |name: &str| text(&format!("/api/v1/runs/{run}/{name}")).await;
    assert!(document("report.html").await.contains("Stopped</th>"));
    let steps = document("steps.csv").await;
    let line = steps.lines().find(|line| line.starts_with("agent_join,"));
    assert!(line.unwrap().starts_with("agent_join,0,0,,") && line.unwrap().ends_with(",6,0"));
    let junit = document("junit.xml").await;
    assert!(
        junit.contains("0 passed, 0 failed; 6 stopped before their end"),
        "{junit}"
    );
}

#[tokio::test]
async fn a_burst_cannot_exceed_the_caps_and_runs_share_them() {
    let centre = Centre::start("{}").await;
    let service = serve(&centre, "limits: { max_active_chats: 20, max_rate: 10/s }").await;
    let refused = async |load: &str| {
        let body = format!("{{ scenario: {SCENARIO}, target: centre, load: {load} }}");
        let answer = service.order("POST", "/api/v1/bursts", &body).await;
        assert!([409, 422].contains(&answer.status), "{load}: {answer:?}");
        answer.body.to_string()
    };
    let above = refused("{ rate: 11/s, for: 1s }").await;
    assert!(above.contains("`limits.max_rate` allows 10/s"), "{above}");
    let above = refused("{ chats: 11 }").await;
    assert!(above.contains("`limits.max_rate` allows 10/s"), "{above}");
    let above = refused("{ chats: 21, ramp: 10s }").await;
    assert!(above.contains("limits.max_active_chats"), "{above}");
    let run = service
        .burst("{ chats: 15, ramp: 1500ms }", LASTING, "")
        .await;
    let no_room = refused("{ chats: 6 }").await;
    assert!(no_room.contains("limits.max_active_chats"), "{no_room}");
    service.burst("{ chats: 5 }", LASTING, "").await;
    report_when(&service, &run, "all of its chats", |report| {
        report["chats"]["started"] == 15
    })
    .await;
}

#[tokio::test]
async fn probes_go_on_beside_a_burst() {
    let centre = Centre::start("{}").await;
    let probes = format!(
        "probes: {{ one: {{ scenario: {SCENARIO}, target: centre, every: 500ms, inputs: {QUICK} }} }}"
    );
    let service = serve(&centre, &probes).await;
    let before = service.passed(4).await;
    let run = service
        .burst("{ rate: 40/s, for: 1h, max_active: 500 }", QUICK, "")
        .await;
    report_when(&service, &run, "a burst in progress", |report| {
        report["chats"]["passed"].as_u64().unwrap() > 20
    })
    .await;
    let passed = |metrics: &Metrics| metrics.count("chatprobe_chats_passed_total", &PROBE);
    let at_work = service.metrics().await;
    let during = service.passed(passed(&at_work) + 4).await;
    assert!(report(&service, &run).await["chats"]["in_progress"].as_u64() > Some(0));
    let failed = during.sum("chatprobe_chats_failed_total", &PROBE);
    assert!(failed < 0.5, "{failed}");
    // The machine of a test is slow at times; what a probe must not be is held up by the burst.
    let mean = |from: &Metrics, to: &Metrics| {
        let step = [PROBE[0], PROBE[1], PROBE[2], ("step", "send_chat")];
        let gained = |series| to.value(series, &step) - from.value(series, &step);
        gained("chatprobe_step_duration_seconds_sum")
            / gained("chatprobe_step_duration_seconds_count")
    };
    let slowed = mean(&before, &during);
    assert!(
        slowed < 1.0,
        "a message of a probe took {slowed} s beside the burst"
    );
}

#[tokio::test]
async fn a_reload_by_the_api_says_what_changed_or_what_is_wrong() {
    let centre = Centre::start("{}").await;
    let probe = |every: &str| {
        let probe = format!("scenario: {SCENARIO}, target: centre, every: {every}");
        plain(&centre.url, &format!("probes: {{ one: {{ {probe} }} }}"))
    };
    let service = Service::start(&probe("1h")).await;
    let reload = async |text: &str| {
        service.folder.write("chatprobe.yaml", text);
        service.order("POST", "/api/v1/reload", "").await
    };
    let good = reload(&probe("2h")).await;
    assert_eq!(good.status, 200, "{good:?}");
    assert_eq!(good.body["started"], json!(["one"]));
    let bad = reload(&probe("soon")).await;
    assert_eq!(bad.status, 422, "{bad:?}");
    let problems = bad.body["problems"].to_string();
    assert!(
        problems.contains("chatprobe.yaml:5:") && problems.contains("`soon` is not a duration"),
        "{problems}"
    );
    let listed = service.read("/api/v1/probes").await.body.to_string();
    assert!(
        listed.contains("\"every\":\"2h\""),
        "the old one goes on: {listed}"
    );
}

#[tokio::test]
async fn with_a_token_who_changes_something_has_to_show_it() {
    let centre = Centre::start("{}").await;
    let configuration = plain(&centre.url, "");
    let token = [("CHATPROBE_ADMIN_TOKEN", TOKEN)];
    let mut service = Service::start_in(Folder::new(), &configuration, &[], &token).await;
    let body = format!(
        "{{ scenario: {SCENARIO}, target: centre, load: {{ chats: 1 }}, inputs: {QUICK} }}"
    );
    for (shown, status) in [(None, 401), (Some("another"), 401), (Some(TOKEN), 202)] {
        service.token = shown.map(str::to_owned);
        let answer = service.order("POST", "/api/v1/bursts", &body).await;
        assert_eq!(answer.status, status, "{shown:?}: {answer:?}");
        assert_eq!(service.read("/api/v1/runs").await.status, 200);
    }
    service.process.finish().await;
    assert!(!service.process.log().contains(TOKEN));
}

/// Whoever may not do it cannot fill the log either.
#[tokio::test]
async fn refused_requests_and_wrong_tokens_are_all_counted_in_a_few_lines() {
    let centre = Centre::start("{}").await;
    let token = [("CHATPROBE_ADMIN_TOKEN", TOKEN)];
    let configuration = plain(&centre.url, "");
    let mut service = Service::start_in(Folder::new(), &configuration, &[], &token).await;
    service.token = None;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let sign_in = client
        .post(format!("{}/sign-in", service.web))
        .header("origin", &service.web)
        .header("content-type", "application/x-www-form-urlencoded")
        .body("token=another");
    for _ in 0..60 {
        let answer = service.order("POST", "/api/v1/reload", "").await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    let mut delayed = Duration::ZERO;
    for _ in 0..4 {
        let began = Instant::now();
        let answer = sign_in.try_clone().unwrap().send().await.unwrap();
        assert_eq!(answer.status(), 403);
        delayed = began.elapsed();
    }
    assert!(delayed >= Duration::from_millis(250), "{delayed:?}");
    let denied = service.metrics().await;
    let count = |reason| denied.count("chatprobe_web_requests_denied_total", &[("reason", reason)]);
    assert_eq!((count("no_token"), count("wrong_token")), (60, 4));
    service.process.finish().await;
    let log = service.process.log();
    let lines: Vec<_> = log
        .lines()
        .filter(|told| told.contains(" refused: "))
        .collect();
    assert!((10..30).contains(&lines.len()), "{log}");
    assert!(
        lines
            .iter()
            .all(|line| line.contains(" peer=127.0.0.1:") && line.contains(" host=\"127.0.0.1:")),
        "{log}"
    );
    let rest = log
        .lines()
        .filter(|told| told.contains("requests refused besides"));
    let untold = lines.iter().copied().chain(rest).map(|told| {
        let (_, number) = told.split_once("untold=").unwrap();
        let number = number.split_whitespace().next().unwrap();
        number.parse::<usize>().unwrap()
    });
    assert_eq!(lines.len() + untold.sum::<usize>(), 64, "{log}");
}

#[tokio::test]
async fn a_listener_that_others_can_reach_is_refused_without_a_token() {
    let folder = Folder::new();
    let address = format!("0.0.0.0:{}", free_address().port());
    let text =
        plain("http://127.0.0.1:1", "").replace("web: 127.0.0.1:0", &format!("web: '{address}'"));
    let file = folder.write("chatprobe.yaml", &text);
    let mut process = Process::start(&["serve", "--config", &file]);
    assert_eq!(process.ended().await, 2);
    let log = process.log();
    assert!(
        log.contains(&address) && log.contains("set CHATPROBE_ADMIN_TOKEN or `admin.token_file`"),
        "{log}"
    );

    folder.write("token", TOKEN);
    let file = folder.write(
        "chatprobe.yaml",
        &format!("{text}admin: {{ token_file: token }}\n"),
    );
    let mut process = Process::start(&["serve", "--config", &file]);
    process.line("/metrics").await;
    process.finish().await;
}

#[tokio::test]
async fn the_document_of_the_api_is_served() {
    let service = serve(&Centre::start("{}").await, "").await;
    let document = service.read("/api/v1/openapi.json").await.body;
    assert_eq!(
        document["openapi"].as_str().map(|version| &version[..2]),
        Some("3.")
    );
    assert!(document["paths"]["/api/v1/bursts"]["post"].is_object());
    assert_eq!(service.read("/healthz").await.status, 200);
    assert_eq!(service.read("/readyz").await.status, 200);
    assert_eq!(service.read("/").await.status, 200);
}
