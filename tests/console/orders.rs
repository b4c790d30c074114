//! What the console says behind an order is what happened.

use serde_json::{Value, json};

use crate::support::{Browser, Centre, QUICK, Service, eventually, plain};

async fn probe(service: &Service) -> Value {
    let probes = service.read("/api/v1/probes").await.body;
    probes[0].clone()
}

async fn report(service: &Service, run: &str) -> Value {
    service.read(&format!("/api/v1/runs/{run}")).await.body
}

#[tokio::test]
async fn run_now_tells_of_the_start_of_the_run_and_of_its_outcome() {
    let centre = Centre::start("{ join: 4s }").await;
    let more = format!(
        "probes: {{ watch: {{ scenario: contact-center-chat, target: centre, every: 1h, inputs: {QUICK} }} }}"
    );
    let service = Service::start(&plain(&centre.url, &more)).await;
    let first = eventually("the first run", async || {
        let probe = probe(&service).await;
        probe["latest_result"]["run"].as_str().map(str::to_owned)
    })
    .await;
    let browser = Browser::start(1280, 900).await;
    browser.open(&format!("{}/", service.web)).await;
    browser.click("[data-order='probe run']").await;
    browser.shows("#said", "has started").await;
    let run = probe(&service).await["latest_run"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(run, first);
    let linked = "return document.querySelector('#said a').pathname";
    assert_eq!(browser.run(linked, json!([])).await, format!("/runs/{run}"));
    browser.shows("#said", "is running").await;
    browser.shows("#probes", "running").await;
    // Once more while it runs: nothing starts, and this is said.
    browser.click("[data-order='probe run']").await;
    browser.shows("#said", "is running already").await;
    assert_eq!(probe(&service).await["latest_run"], run);
    let direct = service.order("POST", "/api/v1/probes/watch/run", "").await;
    assert_eq!(direct.status, 409, "{direct:?}");
    assert!(direct.text("error").contains(&run), "{direct:?}");

    browser.shows("#said", "passed after").await;
    let ended = report(&service, &run).await;
    assert_eq!(
        (&ended["state"], &ended["verdict"]),
        (&json!("ended"), &json!("passed"))
    );
    let runs = service.read("/api/v1/runs?mode=probe").await.body;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 2);
    browser.click("#said a").await;
    browser.shows("h1", "passed").await;
    assert_eq!(browser.path().await, format!("/runs/{run}"));
}

#[tokio::test]
async fn a_stop_of_a_run_that_starts_no_chat_any_more_says_so_and_leaves_its_verdict() {
    let centre = Centre::start("{}").await;
    let service = Service::start(&plain(&centre.url, "")).await;
    let inputs = "{ session_pause: 8s, first_message_delay: 10ms, reply_delay: 10ms }";
    let run = service.burst("{ chats: 2 }", inputs, "").await;
    let browser = Browser::start(1280, 900).await;
    browser.open(&format!("{}/runs/{run}", service.web)).await;
    browser.click("[data-order='run stop']").await;
    browser
        .shows("#said", "no chat starts any more in any case")
        .await;
    assert_eq!(report(&service, &run).await["state"], "finishing");
    browser.shows("h1", "passed").await;
    assert_eq!(report(&service, &run).await["ended_by"], "load");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_stop_of_a_run_that_a_threshold_has_ended_says_so() {
    // Every chat fails, and takes its time to be closed.
    let faults = "{ errors: [ { probability: 1, status: 503, only: [send_chat] } ], \
                    slow: [ { probability: 1, by: 4s, only: [participant_get] } ] }";
    let centre = Centre::start(&format!("{{ faults: {faults} }}")).await;
    let service = Service::start(&plain(&centre.url, "")).await;
    let aborts = ", thresholds: [ { failed: 0%, abort: true } ]";
    let run = service.burst("{ rate: 2/s, for: 1m }", QUICK, aborts).await;
    let browser = Browser::start(1280, 900).await;
    browser.open(&format!("{}/runs/{run}", service.web)).await;
    eventually("the abort", async || {
        let report = report(&service, &run).await;
        (report["ended_by"] == "threshold").then_some(())
    })
    .await;
    browser.click("[data-order='run stop']").await;
    browser
        .shows("#said", "Stop: a threshold has ended it")
        .await;
    browser.shows("h1", "failed").await;
    assert_eq!(report(&service, &run).await["ended_by"], "threshold");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn orders_to_a_run_and_to_a_probe_say_what_they_came_to() {
    let centre = Centre::start("{}").await;
    let more = "probes: { watch: { scenario: contact-center-chat, target: centre, every: 1h, inputs: { session_pause: 1h } } }";
    let service = Service::start(&plain(&centre.url, more)).await;
    let run = service
        .burst("{ rate: 5/s, for: 10m }", "{ session_pause: 1h }", "")
        .await;
    let browser = Browser::start(1280, 900).await;
    browser.open(&format!("{}/runs/{run}", service.web)).await;
    eventually("chats", async || {
        let report = report(&service, &run).await;
        (report["chats"]["in_progress"].as_u64()? >= 5).then_some(())
    })
    .await;
    browser.click("[data-order='run pause']").await;
    browser.shows("#said", "Paused: no chat starts, ").await;
    let paused = report(&service, &run).await;
    assert_eq!(paused["state"], "paused");
    let told = format!("{} chats in progress", paused["chats"]["in_progress"]);
    browser.shows("#said", &told).await;
    browser.fill("[name='change']", "8/s").await;
    browser.click("form[data-patch] button").await;
    browser
        .shows("#said", "it is paused, and starts no chat")
        .await;
    browser.click("[data-order='run resume']").await;
    browser.shows("#said", "Resumed: chats start again").await;
    assert_eq!(report(&service, &run).await["state"], "running");
    browser.fill("[name='change']", "9000").await;
    browser.click("form[data-patch] button").await;
    browser
        .shows("#said", "Change: this run starts chats at a rate")
        .await;
    browser.click("[data-order='run stop']").await;
    browser.shows("#said", "may finish").await;
    assert_eq!(report(&service, &run).await["state"], "finishing");
    // What cannot be done any more is not offered.
    eventually("no button to pause", async || {
        let pause = browser.text("[data-order='run pause']").await;
        let change = browser.text("[name='change']").await;
        (pause.is_none() && change.is_none()).then_some(())
    })
    .await;
    browser.click("[data-order='run end']").await;
    browser.confirm().await;
    browser.shows("#said", "are being ended").await;
    browser.shows("h1", "stopped").await;

    browser.open(&format!("{}/probes/watch", service.web)).await;
    browser.click("[data-order='probe pause']").await;
    browser
        .shows("#said", "paused; its run in progress goes on")
        .await;
    let paused = probe(&service).await;
    assert_eq!(
        (&paused["paused"], &paused["running"]),
        (&json!(true), &json!(true))
    );
    browser.click("[data-order='probe resume']").await;
    browser.shows("#said", "runs at its next slot").await;
    assert_eq!(probe(&service).await["paused"], false);
    assert_eq!(
        browser.complaints().await.len(),
        1,
        "the change that was refused"
    );
}

#[tokio::test]
async fn a_form_that_is_sent_twice_starts_one_burst() {
    let centre = Centre::start("{}").await;
    let service = Service::start(&plain(&centre.url, "")).await;
    let browser = Browser::start(1280, 900).await;
    browser.open(&format!("{}/bursts/new", service.web)).await;
    browser.fill("[name='load']", "{ chats: 1 }").await;
    let twice = "const form = document.getElementById('burst'); form.requestSubmit(); form.requestSubmit();";
    browser.run(twice, json!([])).await;
    browser.shows("h1", "ad-hoc").await;
    let runs = service.read("/api/v1/runs?mode=burst").await.body;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "{runs:#}");
}

#[tokio::test]
async fn a_baseline_says_which_run_it_takes_its_name_from() {
    let centre = Centre::start("{}").await;
    let service = Service::start(&plain(&centre.url, "data: { directory: data }")).await;
    let browser = Browser::start(1280, 900).await;
    let mut runs = Vec::new();
    for (number, told) in [(0, "now."), (1, "in place of another run")] {
        let run = service.burst("{ chats: 1 }", QUICK, "").await;
        browser.open(&format!("{}/runs/{run}", service.web)).await;
        browser.fill("[name='baseline']", "release-4").await;
        browser.click("[data-baseline] button").await;
        browser.shows("#said", told).await;
        browser
            .shows("#documents", "It is the baseline release-4")
            .await;
        runs.push(run);
        let kept = service.read("/api/v1/baselines").await.body;
        assert_eq!(kept["baselines"][0]["run"]["id"], runs[number]);
    }
    let linked = "return document.querySelector('#said a').pathname";
    let first = format!("/runs/{}", runs[0]);
    assert_eq!(browser.run(linked, json!([])).await, first);
}
