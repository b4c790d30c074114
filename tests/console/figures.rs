//! What pages and reports say of a run is what the API says of it.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    PROBE,
    expected::{Expected, Told, burst_now, html_report, probe_now, row, run_page, word},
    keyboard::open,
    reading::{figures, read},
    states::ended,
    support::{Browser, Centre, QUICK, Service, eventually, get, plain},
};

/// A page, and what it has to say of a report.
pub type Page<'a> = (&'a str, String, fn(&Value) -> Expected);

fn pages(run: &str) -> [Page<'static>; 3] {
    [
        ("the run page", format!("/runs/{run}"), run_page),
        (
            "the report",
            format!("/api/v1/runs/{run}/report.html"),
            html_report,
        ),
        ("the list of runs", "/runs".to_owned(), row),
    ]
}

/// What is wrong on the open page, between two reports of the API: a figure that is there moved from one to the other.
fn differences(
    shown: &BTreeMap<String, String>,
    before: &Expected,
    after: &Expected,
) -> Vec<String> {
    let wrong = before.iter().filter_map(|(place, first)| {
        let Some(shown) = shown.get(place) else {
            return Some(format!("{place}: not there, the API says {first:?}"));
        };
        let last = after.get(place).unwrap_or(first);
        let right = match (first, last) {
            (Told::Number(first), Told::Number(last)) => is_between(shown, *first, *last),
            _ => [first, last].contains(&&word(shown)),
        };
        (!right).then(|| {
            format!("{place}: the page says `{shown}`, the API {first:?} and then {last:?}")
        })
    });
    wrong.collect()
}

fn is_between(shown: &str, first: Option<f64>, last: Option<f64>) -> bool {
    let Some(reading) = read(shown) else {
        return false;
    };
    match (reading.value, first, last) {
        (None, first, last) => first.is_none() || last.is_none(),
        (Some(value), first, last) => {
            let ends = || first.iter().chain(&last).copied();
            ends().next().is_some()
                && value >= ends().fold(f64::INFINITY, f64::min) - reading.off
                && value <= ends().fold(f64::NEG_INFINITY, f64::max) + reading.off
        }
    }
}

/// The names of figures that stand in a table or list of the run page and are not expected there.
fn unexpected(shown: &BTreeMap<String, String>, expected: &Expected) -> Vec<String> {
    // It moves to and fro while a page is a second old.
    const OF_LATE: &str = "Chats / started of late";
    let lists = [
        "Steps / ",
        "Chats / ",
        "Thresholds / ",
        "Events received / ",
        "Sockets / ",
        "Deliveries / ",
    ];
    let listed = shown
        .keys()
        .filter(|place| lists.iter().any(|list| place.starts_with(list)));
    let unknown = listed.filter(|place| !expected.contains_key(*place) && *place != OF_LATE);
    unknown
        .map(|place| format!("{place}: the API has nothing that this test holds against it"))
        .collect()
}

/// Compares the page that is open with the API; what moves meanwhile is looked at again.
pub async fn compare(
    browser: &Browser,
    service: &Service,
    run: &str,
    (name, path, expect): &Page<'_>,
) {
    let report = async || service.read(&format!("/api/v1/runs/{run}")).await.body;
    let mut wrong = Vec::new();
    for _ in 0..5 {
        let before = expect(&report().await);
        // A page in progress was rendered up to a second ago.
        sleep(Duration::from_millis(1_200)).await;
        if !path.is_empty() {
            open(browser, service, path).await;
        }
        let shown = figures(browser).await;
        let after = expect(&report().await);
        wrong = differences(&shown, &before, &after);
        if *name == "the run page" {
            wrong.extend(unexpected(&shown, &after));
        }
        if wrong.is_empty() {
            return;
        }
    }
    panic!("{name} of {run}:\n{}", wrong.join("\n"));
}

const FAULTS: &str = "{ faults: { agents: { never_come: 0.3 }, errors: [ { probability: 0.2, status: 503, only: [send_chat] } ] } }";
const THRESHOLDS: &str = ", thresholds: [ { step: agent_join, p95: 10s }, { failed: 1% }, { step: webhook_delete, p95: 10s } ]";

fn waiting(timeout: &str) -> String {
    format!(
        "{{ session_pause: 0s, first_message_delay: 0s, reply_delay: 0s, agent_join_timeout: {timeout} }}"
    )
}

#[tokio::test]
async fn a_run_in_progress_and_its_end_are_told_as_the_api_tells_them() {
    let centre = Centre::start(FAULTS).await;
    let service = Service::start(&plain(&centre.url, PROBE)).await;
    let load = "{ customers: 4, for: 1h }";
    let run = service.burst(load, &waiting("1h"), THRESHOLDS).await;
    let path = format!("/api/v1/runs/{run}");
    // In the end all four wait for agents who never come, and nothing moves but the time.
    let mut before = Value::Null;
    eventually("a run that stands still", async || {
        let chats = service.read(&path).await.body["chats"].take();
        let still =
            chats == before && chats["in_progress"] == 4 && chats["failed"].as_u64() > Some(0);
        before = chats;
        sleep(Duration::from_millis(300)).await;
        still.then_some(())
    })
    .await;
    let browser = Browser::start(1280, 900).await;
    for page in &pages(&run) {
        compare(&browser, &service, &run, page).await;
    }
    compare(
        &browser,
        &service,
        &run,
        &("Now", "/".to_owned(), burst_now),
    )
    .await;

    // The page that stays open, and what comes of it.
    open(&browser, &service, &format!("/runs/{run}")).await;
    let opened = browser.text("[data-elapsed]").await;
    eventually("a change of the page", async || {
        (browser.text("[data-elapsed]").await != opened).then_some(())
    })
    .await;
    let live = (
        "the run page",
        String::new(),
        run_page as fn(&Value) -> Expected,
    );
    compare(&browser, &service, &run, &live).await;
    service
        .order("POST", &format!("{path}/stop"), "{ now: true }")
        .await;
    ended(&service, &run).await;
    browser.shows("h1", "stopped").await;
    compare(&browser, &service, &run, &live).await;
    for page in &pages(&run) {
        compare(&browser, &service, &run, page).await;
    }
}

#[tokio::test]
async fn runs_that_have_ended_and_probes_are_told_as_the_api_tells_them() {
    let centre = Centre::start(FAULTS).await;
    let probe = PROBE.replace(
        "every: 1h",
        &format!("every: 1h, inputs: {}", waiting("300ms")),
    );
    let service = Service::start(&plain(&centre.url, &probe)).await;
    let browser = Browser::start(1280, 900).await;
    for thresholds in ["", THRESHOLDS, ", thresholds: [ { failed: 100% } ]"] {
        let load = "{ chats: 40, ramp: 2s }";
        let run = service.burst(load, &waiting("300ms"), thresholds).await;
        let report = ended(&service, &run).await;
        assert!(
            report["chats"]["passed"] != 0 && report["chats"]["failed"] != 0,
            "{report:#}"
        );
        for page in &pages(&run) {
            compare(&browser, &service, &run, page).await;
        }
        // What programs read has every digit.
        let table = get(&format!("{}/api/v1/runs/{run}/steps.csv", service.web))
            .await
            .unwrap();
        let exact = report["steps"][1]["latency"]["p95"].as_f64().unwrap();
        assert!(
            table
                .lines()
                .nth(2)
                .unwrap()
                .split(',')
                .any(|cell| cell.parse() == Ok(exact)),
            "{table}"
        );
    }
    let runs = service.read("/api/v1/runs?mode=probe").await.body;
    let run = runs["runs"][0]["id"].as_str().unwrap().to_owned();
    ended(&service, &run).await;
    compare(
        &browser,
        &service,
        &run,
        &("Now", "/".to_owned(), probe_now),
    )
    .await;
}

#[tokio::test]
async fn what_a_short_run_did_not_measure_is_said_and_is_no_zero() {
    let centre = Centre::start("{}").await;
    let service = Service::start(&plain(&centre.url, PROBE)).await;
    // The machine is read once a second, which may be within the run.
    let run = eventually("a run without a reading", async || {
        let run = service.burst("{ chats: 1 }", QUICK, "").await;
        let report = ended(&service, &run).await;
        report["machine"]["cpus"]["mean"].is_null().then_some(run)
    })
    .await;
    let browser = Browser::start(1280, 900).await;
    for page in &pages(&run) {
        compare(&browser, &service, &run, page).await;
    }
    open(&browser, &service, &format!("/runs/{run}")).await;
    for chart in ["Memory", "CPUs used"] {
        let script = "return [...document.querySelectorAll('#charts figure')].find((one) => one.querySelector('figcaption').textContent === arguments[0]).innerText";
        eventually(&format!("{chart} is not measured"), async || {
            let text = browser.run(script, json!([chart])).await;
            text.as_str()?.contains("not measured").then_some(())
        })
        .await;
    }
    let moments = "return [...document.querySelectorAll('#charts figure')[0].querySelectorAll('text')].map((one) => one.textContent).filter((text) => text.includes(':'))";
    assert_eq!(browser.run(moments, json!([])).await, json!(["0:00"]));
    open(
        &browser,
        &service,
        &format!("/api/v1/runs/{run}/report.html"),
    )
    .await;
    browser.shows("main", "too short for a reading").await;
}
