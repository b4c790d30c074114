use serde_json::Value;

use super::Service;
use crate::runner::RunHandle;

async fn names(service: &Service, query: &str) -> Vec<String> {
    let answer = service.get(&format!("/api/v1/runs{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let list = answer.json();
    let runs = list["runs"].as_array().unwrap().iter();
    runs.map(|run| run["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn runs_are_listed_latest_first_and_can_be_filtered() {
    let service = Service::start().await;
    super::until(|| service.web.scheduler.probes()[0].latest_run.is_some()).await;
    let probe = service.web.scheduler.probes()[0]
        .latest_run
        .clone()
        .unwrap();
    super::until(|| {
        service
            .web
            .scheduler
            .run(&probe)
            .unwrap()
            .report()
            .verdict
            .is_some()
    })
    .await;
    let own = "{ scenario: contact-center-chat, target: contact-center, load: { chats: 1 } }";
    let ended = service.burst(own).await;
    service.ended(&ended).await;
    let running = service.burst("{ burst: lunch-rush }").await;
    super::until(|| running.report().state == crate::runner::RunState::Running).await;

    assert_eq!(
        names(&service, "").await,
        ["lunch-rush", "ad-hoc", "morning-check"]
    );
    assert_eq!(names(&service, "?mode=probe").await, ["morning-check"]);
    assert_eq!(names(&service, "?mode=burst&state=ended").await, ["ad-hoc"]);
    assert_eq!(names(&service, "?state=running").await, ["lunch-rush"]);
    assert_eq!(names(&service, "?name=ad-hoc").await, ["ad-hoc"]);
    assert_eq!(names(&service, "?limit=2").await, ["lunch-rush", "ad-hoc"]);
    assert_eq!(names(&service, "?limit=0").await, Vec::<String>::new());
    assert_eq!(names(&service, "?limit=1000").await.len(), 3);
    let before = format!("?before={}", ended.id());
    assert_eq!(names(&service, &before).await, ["morning-check"]);
}

#[tokio::test]
async fn a_parameter_that_means_nothing_is_refused() {
    let service = Service::start().await;
    for (query, told) in [
        (
            "mode=both",
            "parameter `mode`: unknown word `both`; known here: `probe`, `burst`",
        ),
        ("limit=many", "parameter `limit`: expected a whole number"),
        ("limit=1001", "parameter `limit`: 1001 is more than 1000"),
        (
            "sort=name",
            "unknown parameter `sort`; known here: `mode`, `state`, `verdict`, `name`, `before`, `limit`",
        ),
    ] {
        let (status, error) = service.get(&format!("/api/v1/runs?{query}")).await.error();
        assert_eq!(status, 400);
        assert!(error.contains(told), "{error}");
    }
}

#[tokio::test]
async fn a_run_is_shown_with_its_figures_while_it_goes_on_and_after_it_ended() {
    let service = Service::start().await;
    let run = service
        .burst("{ burst: lunch-rush, load: { chats: 3 }, inputs: { reply_delay: 200ms } }")
        .await;
    let path = format!("/api/v1/runs/{}", run.id());
    let report = service.get(&path).await.json();
    assert_eq!(report["load"], "{ chats: 3 }");
    service.ended(&run).await;
    let report = service.get(&path).await.json();
    assert_eq!(report["state"], "ended");
    assert_eq!(report["chats"]["passed"], 3);
    assert_ne!(report["verdict"], Value::Null);
}

/// A run of three chats, each of them with a pause that `reply_delay` says.
async fn thinking(service: &Service, reply_delay: &str) -> RunHandle {
    let more = format!("load: {{ chats: 3 }}, inputs: {{ reply_delay: {reply_delay} }}");
    let thresholds = "thresholds: [ { p95: 15s }, { failed: 0% }, { mean: 1ms } ]";
    let body = format!("{{ burst: lunch-rush, {more}, {thresholds} }}");
    service.burst(&body).await
}

#[tokio::test]
async fn thresholds_are_pending_in_every_document_of_a_run_in_progress_and_judged_after_its_end() {
    let service = Service::start().await;
    let states = |report: &Value| -> Vec<String> {
        let thresholds = report["thresholds"].as_array().unwrap().iter();
        let states = thresholds.map(|threshold| threshold["state"].as_str().unwrap().to_owned());
        states.collect()
    };
    let run = thinking(&service, "1h").await;
    let path = format!("/api/v1/runs/{}", run.id());
    let read = async |path: &str| service.get(path).await.text;
    let report = service.get(&path).await.json();
    assert_eq!(states(&report), ["pending"; 3]);
    let record = service.get(&format!("{path}/report.json")).await.json();
    assert_eq!(states(&record["report"]), ["pending"; 3]);
    for page in [format!("/runs/{}", run.id()), format!("{path}/report.html")] {
        let page = read(&page).await;
        assert_eq!(page.matches("… pending").count(), 3, "{page}");
        assert!(!page.contains("✗ broken"), "{page}");
    }
    let junit = read(&format!("{path}/junit.xml")).await;
    assert_eq!(junit.matches("<skipped").count(), 4, "{junit}");
    assert!(!junit.contains("<failure"), "{junit}");
    service
        .order("POST", &format!("{path}/stop"), "{ now: true }")
        .await;
    service.ended(&run).await;
    let report = service.get(&path).await.json();
    assert_eq!(states(&report), ["not_judged"; 3]);

    let run = thinking(&service, "20ms").await;
    service.ended(&run).await;
    let report = service.get(&format!("/api/v1/runs/{}", run.id())).await;
    assert_eq!(states(&report.json()), ["held", "held", "broken"]);
    let page = read(&format!("/runs/{}", run.id())).await;
    assert_eq!(page.matches("✓ held").count(), 2, "{page}");
    assert_eq!(page.matches("✗ broken").count(), 1, "{page}");
}

#[tokio::test]
async fn a_run_whose_task_broke_is_interrupted_and_not_in_progress_for_ever() {
    let service = Service::start().await;
    let run = thinking(&service, "1h").await;
    run.abort();
    service.ended(&run).await;
    let path = format!("/api/v1/runs/{}", run.id());
    let report = service.get(&path).await.json();
    assert_eq!(report["state"], "interrupted");
    assert_eq!(report["ended_by"], "crash");
    assert_eq!(report["verdict"], Value::Null);
    assert_eq!(report["verdict_reasons"][0], "its task ended under it");
    assert_eq!(report["thresholds"][0]["state"], "not_judged");
    let record = service.get(&format!("{path}/report.json")).await.json();
    assert_eq!(record["report"], report);
    let page = service.get(&format!("/runs/{}", run.id())).await.text;
    assert!(page.contains("? interrupted"), "{page}");
    let page = service.get("/").await.text;
    assert!(page.contains("There are none."), "{page}");
}

#[tokio::test]
async fn the_last_record_is_there_without_a_data_directory_and_hours_are_not() {
    let service = Service::start().await;
    let run = service
        .burst("{ burst: lunch-rush, load: { chats: 3 }, by: Grace }")
        .await;
    let path = format!("/api/v1/runs/{}/report.json", run.id());
    assert_eq!(service.get(&path).await.json()["report"]["id"], run.id());
    service.ended(&run).await;
    let record = service.get(&path).await.json();
    assert_eq!(record["report"]["asked_by"], "Grace");
    let samples = record["samples"].as_array().unwrap().iter();
    let started: u64 = samples
        .map(|sample| sample["started"].as_u64().unwrap())
        .sum();
    assert_eq!(started, 3);
    let hours = service.get("/api/v1/probes/morning-check/hours").await;
    assert_eq!(hours.json(), serde_json::json!({ "hours": [] }));
    let failures = service.get("/api/v1/failures").await;
    assert_eq!(failures.json(), serde_json::json!({ "failures": [] }));
    for (path, error) in [
        ("/api/v1/probes/x/hours", "there is no probe `x`"),
        ("/api/v1/failures/x", "there is no failure `x`"),
        ("/api/v1/runs/x/report.json", "there is no run `x`"),
    ] {
        let (status, told) = service.get(path).await.error();
        assert!(status == 404 && told.contains(error), "{told}");
    }
    let wrong = service
        .get("/api/v1/probes/morning-check/hours?before=noon")
        .await;
    assert_eq!(wrong.status, 400);
    let body = format!("{{ burst: lunch-rush, by: {} }}", "x".repeat(101));
    let (status, _, problems) = service
        .order("POST", "/api/v1/bursts", &body)
        .await
        .refusal();
    assert!(
        status == 422 && problems[0].contains("1 to 100 characters"),
        "{problems:?}"
    );
}

#[tokio::test]
async fn a_run_that_nobody_knows_is_not_found() {
    let service = Service::start().await;
    for (method, path) in [
        ("GET", "/api/v1/runs/x"),
        ("GET", "/api/v1/runs/x/events"),
        ("POST", "/api/v1/runs/x/stop"),
        ("POST", "/api/v1/runs/x/pause"),
        ("POST", "/api/v1/runs/x/resume"),
        ("PATCH", "/api/v1/runs/x"),
    ] {
        let answer = service.order(method, path, "{ rate: 1/s }").await;
        let answer = if path.ends_with("stop") {
            service.order(method, path, "").await
        } else {
            answer
        };
        assert_eq!(
            answer.error(),
            (404, "there is no run `x`, or it ended too long ago; `/api/v1/runs` lists those that are known".to_owned()),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_run_says_everywhere_how_many_chats_its_graceful_stop_has_stopped() {
    let service = Service::start().await;
    let load = "{ rate: 10/s, for: 200ms, graceful_stop: 10ms }";
    let body = format!("{{ burst: lunch-rush, load: {load}, inputs: {{ reply_delay: 1h }} }}");
    let run = service.burst(&body).await;
    service.ended(&run).await;
    let path = format!("/api/v1/runs/{}", run.id());
    let report = service.get(&path).await.json();
    let stop = &report["graceful_stop"];
    assert_eq!(
        (&stop["limit_seconds"], &stop["stopped"]),
        (&0.01.into(), &2.into())
    );
    assert_eq!(report["chats"]["stopped"], 2);
    assert_eq!(report["ended_by"], "load");
    let page = format!("/runs/{}", run.id());
    for path in [
        &page,
        &format!("{path}/report.html"),
        &format!("{path}/junit.xml"),
    ] {
        let text = service.get(path).await.text;
        let says = "2 chats in flight were stopped 10 ms after the last start";
        assert!(text.contains(says), "{path}: {text}");
    }
}
