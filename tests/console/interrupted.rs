//! Runs that something ended before their load was through, on their pages after a restart.

use serde_json::{Value, json};

use crate::{
    states::ended,
    support::{Browser, Centre, Folder, Process, Service, eventually, get, plain},
};

const DATA: &str = "data: { directory: data }\nshutdown: { grace: 0s }";
/// The chats of a run with these do not end by themselves.
const ENDLESS: &str = "{ session_pause: 0s, first_message_delay: 1h, reply_delay: 0s }";
/// Held, broken, and one for which nothing is measured.
const THRESHOLDS: &str =
    ", thresholds: [ { step: agent_join, p95: 1h }, { step: agent_join, p95: 1ms }, { p95: 1h } ]";

/// The selector of the word that says how a step fared.
fn word_of(step: &str) -> String {
    format!("[data-step='{step}'] .word")
}

/// The text of every element that a selector finds.
async fn texts(browser: &Browser, selector: &str) -> Vec<String> {
    let script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)";
    let texts = browser.run(script, json!([selector])).await;
    let texts = texts.as_array().unwrap().iter();
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

/// The report of a run once agents have joined so many of its chats.
async fn joined(service: &Service, run: &str, chats: u64) -> Value {
    eventually("agents", async || {
        let report = service.read(&format!("/api/v1/runs/{run}")).await.body;
        let mut steps = report["steps"].as_array()?.iter();
        let join = steps.find(|step| step["step"] == "agent_join")?;
        (join["passed"].as_u64()? >= chats).then_some(report)
    })
    .await
}

fn split(service: Service) -> (Process, Folder) {
    let Service {
        process, folder, ..
    } = service;
    (process, folder)
}

#[tokio::test]
async fn the_page_of_a_run_that_was_killed_has_all_that_it_had() {
    let centre = Centre::start("{ join: 200ms }").await;
    let configuration = plain(&centre.url, DATA);
    let service = Service::start(&configuration).await;
    let run = service
        .burst("{ rate: 4/s, for: 10m }", ENDLESS, THRESHOLDS)
        .await;
    let path = format!("/api/v1/runs/{run}");
    let changed = service.order("PATCH", &path, "{ rate: 10/s }").await;
    assert_eq!(changed.status, 200);
    joined(&service, &run, 20).await;
    let browser = Browser::start(1280, 900).await;
    browser.open(&format!("{}/runs/{run}", service.web)).await;
    browser.shows("#charts", "Wait for the agent").await;
    let charts = texts(&browser, "#charts figcaption").await;
    let generator = texts(&browser, "#generator dt").await;
    browser.open("about:blank").await;
    let (process, folder) = split(service);
    // Killed, not asked to end.
    drop(process);

    let service = Service::start_in(folder, &configuration, &[], &[]).await;
    let report = service.read(&path).await.body;
    let in_progress = report["chats"]["in_progress"].as_u64().unwrap();
    browser.open(&format!("{}/runs/{run}", service.web)).await;
    browser.shows("h1", "interrupted").await;
    browser
        .shows("#standing", "the process ended under it")
        .await;
    let states = texts(&browser, "[aria-label='Thresholds'] .standing").await;
    assert_eq!(states, ["✓ held", "✗ broken", "– not judged"]);
    browser.shows(".facts", "rate: 10/s").await;
    for step in ["send_chat", "whole chats"] {
        browser.shows(&word_of(step), "no result").await;
    }
    assert_eq!(texts(&browser, "#charts figcaption").await, charts);
    assert_eq!(texts(&browser, "#generator dt").await, generator);
    let known = texts(&browser, "#generator dd").await;
    assert!(!known[0].contains('–'), "{known:?}");
    eventually("the wait for the agent", async || {
        let script = "return [...document.querySelectorAll('#charts figure')].find((one) => one.innerText.includes('Wait for')).querySelector('path.s0').getAttribute('d')";
        let path = browser.run(script, json!([])).await;
        path.as_str()?.contains('L').then_some(())
    })
    .await;
    // One number of chats in progress, and no more of them that may be open.
    let says = format!("{in_progress} in progress when it was cut off");
    browser.shows("#chats", &says).await;
    let open = report["orphans"].as_array().unwrap().iter();
    let open = open.filter(|orphan| orphan["chat"] != 0).count();
    assert!(open > 0 && open as u64 <= in_progress, "{report:#}");
    let says = format!("{in_progress} chats in progress, {open} with");
    browser.shows("#standing", &says).await;
    browser
        .shows("#failures", "The setup: the process ended")
        .await;
    browser.shows("#failures", "webhook_id").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn every_document_of_a_run_says_what_ended_it() {
    let centre = Centre::start("{}").await;
    let configuration = plain(&centre.url, DATA);
    let mut service = Service::start(&configuration).await;
    // Both may be in progress for a moment.
    let load = "{ rate: 2/s, for: 10m, max_active: 100 }";
    let stopped = service.burst(load, ENDLESS, "").await;
    joined(&service, &stopped, 1).await;
    let stop = format!("/api/v1/runs/{stopped}/stop");
    service.order("POST", &stop, "{ now: true }").await;
    // One burst at a time has the target.
    ended(&service, &stopped).await;
    let shut_down = service.burst(load, ENDLESS, "").await;
    joined(&service, &shut_down, 1).await;
    service.process.finish().await;
    let log = service.process.log();
    let (_, folder) = split(service);
    let service = Service::start_in(folder, &configuration, &[], &[]).await;
    let browser = Browser::start(1280, 900).await;
    for (run, by, says) in [
        (&stopped, "operator", "stopped by an operator"),
        (&shut_down, "shutdown", "the service was shut down"),
    ] {
        let path = format!("/api/v1/runs/{run}");
        let report = service.read(&path).await.body;
        assert_eq!(
            (&report["verdict"], &report["ended_by"]),
            (&json!("stopped"), &json!(by))
        );
        let reasons = report["verdict_reasons"].to_string();
        assert!(reasons.contains(says), "{reasons}");
        browser.open(&format!("{}/runs/{run}", service.web)).await;
        browser.shows("#standing .note", says).await;
        let words = ["agent_join", "send_chat", "whole chats"].map(word_of);
        let [join, send, whole] = words.each_ref().map(|selector| browser.text(selector));
        let words = tokio::join!(join, send, whole);
        let word = |text: Option<String>| text.unwrap_or_default();
        assert_eq!(
            [word(words.0), word(words.1), word(words.2)],
            [": passed", ": not run", ": stopped"]
        );
        for document in ["report.html", "junit.xml"] {
            let text = get(&format!("{}{path}/{document}", service.web))
                .await
                .unwrap();
            assert!(text.contains(says), "{document}: {text}");
        }
        let mut lines = log.lines().filter(|line| line.contains("burst ended"));
        assert!(
            lines.any(|line| line.contains(run) && line.contains(says)),
            "{log}"
        );
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
