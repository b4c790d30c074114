//! Thresholds on the page of a run in progress and after its end.

use serde_json::json;

use crate::support::{Browser, Centre, QUICK, Service, eventually, plain};

const THRESHOLDS: &str = "[ { step: agent_join, p95: 1h }, { step: agent_join, p95: 1ms }, { step: send_chat, failed: 50% }, { failed: 50% } ]";

/// What is shown of the thresholds of a run, each in a line.
async fn shown(browser: &Browser) -> Vec<String> {
    let script = "return [...document.querySelectorAll('[aria-label=\"Thresholds\"] .standing')].map((one) => one.innerText)";
    let states = browser.run(script, json!([])).await;
    let states = states.as_array().unwrap().iter();
    states
        .map(|state| state.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_threshold_is_pending_until_it_is_measured_and_the_page_has_what_the_api_has() {
    // Agents join late enough for a look at a run of which nothing is measured.
    let centre = Centre::start("{ join: 3s }").await;
    let service = Service::start(&plain(&centre.url, crate::PROBE)).await;
    let more = format!(", thresholds: {THRESHOLDS}");
    let run = service.burst("{ chats: 2 }", QUICK, &more).await;
    let browser = Browser::start(1280, 900).await;
    browser.open(&format!("{}/runs/{run}", service.web)).await;
    browser.shows("[aria-label='Thresholds']", "nothing").await;
    assert_eq!(shown(&browser).await, ["… pending"; 4]);
    let judged = ["✓ held", "✗ broken", "✓ held", "✓ held"];
    eventually("every threshold judged", async || {
        let shown = shown(&browser).await;
        // Nothing is broken before it was measured.
        let broken = shown.iter().filter(|state| **state == "✗ broken");
        assert!(broken.count() <= 1, "{shown:?}");
        (shown == judged).then_some(())
    })
    .await;
    let path = format!("/api/v1/runs/{run}");
    let report = eventually("the end of the run", async || {
        let report = service.read(&path).await.body;
        (report["state"] == "ended").then_some(report)
    })
    .await;
    browser.open(&format!("{}/runs/{run}", service.web)).await;
    assert_eq!(shown(&browser).await, judged);
    let thresholds = report["thresholds"].as_array().unwrap().iter();
    let states: Vec<_> = thresholds.map(|threshold| &threshold["state"]).collect();
    assert_eq!(states, ["held", "broken", "held", "held"]);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
