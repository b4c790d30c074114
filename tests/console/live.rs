//! Open pages are as if they were opened now.

use serde_json::{Value, json};

use crate::{
    PROBE,
    support::{Browser, Centre, Folder, QUICK, Service, eventually, plain},
};

/// The title and everything that the page shows, whatever the order of attributes. Which configuration a page was made
/// under is no part of what it shows.
const SNAPSHOT: &str = r#"
const written = (node) => {
    if (node.nodeType === Node.TEXT_NODE) {
        return node.data;
    }
    const attributes = [...node.attributes].filter(({ name }) => name !== "data-configuration");
    const pairs = attributes.map(({ name, value }) => ` ${name}="${value}"`).sort();
    return `<${node.localName}${pairs.join("")}>\n${[...node.childNodes].map(written).join("")}</${node.localName}>\n`;
};
return `${document.title}\n${written(document.querySelector("main"))}`;
"#;

async fn snapshot(browser: &Browser) -> String {
    let shown = browser.run(SNAPSHOT, json!([])).await;
    shown.as_str().unwrap().to_owned()
}

/// Waits until the open page is as a reload shows it; `is_there` says that what is waited for has come.
async fn assert_as_reloaded(browser: &Browser, what: &str, is_there: impl Fn(&str) -> bool) {
    let open = eventually(what, async || {
        let shown = snapshot(browser).await;
        is_there(&shown).then_some(shown)
    })
    .await;
    browser.reload().await;
    let mut reloaded = String::new();
    for _ in 0..100 {
        reloaded = snapshot(browser).await;
        if reloaded == open {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let lines = open.lines().zip(reloaded.lines());
    let different: Vec<_> = lines.filter(|(open, reloaded)| open != reloaded).collect();
    panic!("{what}: {:#?}", &different[..different.len().min(5)]);
}

/// Of a run that is over: nothing can be ordered any more, and the legends are about the whole run.
fn is_of_ended_run(page: &str, verdict: &str) -> bool {
    let is_told = page.contains(verdict) && page.contains("Took") && page.contains("mean ");
    is_told && page.contains("data-baseline=") && !page.contains("data-order=\"run ")
}

async fn kept(centre: &Centre) -> Service {
    let more = format!("data: {{ directory: data }}\n{PROBE}");
    Service::start(&plain(&centre.url, &more)).await
}

/// Opens the page of this run in three tabs while it goes on.
async fn three_tabs(browser: &Browser, service: &Service, run: &str) -> Vec<String> {
    let mut tabs = Vec::new();
    for _ in 0..3 {
        let tab = browser
            .open_tab(&format!("{}/runs/{run}", service.web))
            .await;
        browser.shows("#controls", "Stop now").await;
        tabs.push(tab);
    }
    tabs
}

async fn assert_ended(browser: &Browser, tabs: &[String], verdict: &str) {
    for tab in tabs {
        browser.turn_to(tab).await;
        let what = format!("the page of a run that {verdict}");
        assert_as_reloaded(browser, &what, |page| is_of_ended_run(page, verdict)).await;
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_run_that_passes_and_one_that_fails_end_on_open_pages() {
    let centre = Centre::start("{}").await;
    let service = kept(&centre).await;
    let browser = Browser::start(1280, 900).await;
    for (thresholds, verdict) in [("", "passed"), (", thresholds: [ { p95: 1ms } ]", "failed")] {
        let run = service
            .burst("{ rate: 5/s, for: 6s }", QUICK, thresholds)
            .await;
        let tabs = three_tabs(&browser, &service, &run).await;
        assert_ended(&browser, &tabs, verdict).await;
    }
    // The second one has a run before it.
    browser
        .shows("#documents", "Compare with the run before")
        .await;
}

#[tokio::test]
async fn a_run_that_is_stopped_and_one_that_a_threshold_aborts_end_on_open_pages() {
    let centre = Centre::start("{ join: 1h }").await;
    let service = kept(&centre).await;
    let browser = Browser::start(1280, 900).await;
    let load = "{ rate: 5/s, for: 10m }";
    let inputs = "{ session_pause: 0s, agent_join_timeout: 300ms }";
    for stop in ["", "{ now: true }"] {
        let run = service.burst(load, inputs, "").await;
        let tabs = three_tabs(&browser, &service, &run).await;
        let path = format!("/api/v1/runs/{run}/stop");
        assert_eq!(service.order("POST", &path, stop).await.status, 202);
        assert_ended(&browser, &tabs, "stopped").await;
    }
    let inputs = "{ session_pause: 0s, agent_join_timeout: 8s }";
    let abort = ", thresholds: [ { failed: 1%, abort: true } ]";
    let run = service.burst(load, inputs, abort).await;
    let tabs = three_tabs(&browser, &service, &run).await;
    assert_ended(&browser, &tabs, "failed").await;
    let report = service.read(&format!("/api/v1/runs/{run}")).await.body;
    assert!(
        report["elapsed_seconds"].as_f64().unwrap() < 60.0,
        "{report:#}"
    );
}

#[tokio::test]
async fn what_somebody_writes_unfolds_and_ticks_stays_and_what_became_true_comes() {
    let centre = Centre::start("{}").await;
    let service = kept(&centre).await;
    let browser = Browser::start(1280, 900).await;
    let run = service.burst("{ rate: 5/s, for: 10m }", QUICK, "").await;
    browser.open(&format!("{}/runs/{run}", service.web)).await;
    browser.click("#documents summary").await;
    browser.focus("[name='change']").await;
    browser.press(&["4"]).await;
    service
        .order("PATCH", &format!("/api/v1/runs/{run}"), "{ rate: 7/s }")
        .await;
    browser.shows("#standing", "rate: 7/s").await;
    let state = "return [document.activeElement.name, document.activeElement.value, document.querySelector('#documents details').open]";
    let found = browser.run(state, json!([])).await;
    assert_eq!(found, json!(["change", "4", true]));
    // An order that can be given no more goes, even with the focus in it.
    service
        .order("POST", &format!("/api/v1/runs/{run}/stop"), "")
        .await;
    browser.shows("#documents", "Keep it as a baseline").await;
    assert_eq!(browser.text("[name='change']").await, None);
    let focused = browser
        .run("return document.activeElement.tagName", json!([]))
        .await;
    assert_eq!(focused, "H1");

    // Another tab gives the run a name.
    let put = service
        .order(
            "PUT",
            "/api/v1/baselines/release-4",
            &format!("{{ run: {run} }}"),
        )
        .await;
    assert_eq!(put.status, 200, "{put:?}");
    browser
        .shows("#documents", "It is the baseline release-4")
        .await;

    browser.open(&format!("{}/runs", service.web)).await;
    browser.click(&format!("[value='{run}']")).await;
    let later = service.burst("{ rate: 5/s, for: 3s }", QUICK, "").await;
    let row = format!("[data-key='{later}']");
    browser.shows(&row, "running").await;
    let ticked =
        "return [...document.querySelectorAll('[name=run]:checked')].map((box) => box.value)";
    assert_eq!(browser.run(ticked, json!([])).await, json!([run]));
    browser.shows(&row, "passed").await;
    assert_eq!(browser.run(ticked, json!([])).await, json!([run]));
    browser.click(&format!("[value='{later}']")).await;
    browser.shows("#compare button", "Compare two").await;
}

async fn probe(service: &Service) -> Value {
    let probes = service.read("/api/v1/probes").await.body;
    probes[0].clone()
}

#[tokio::test]
async fn the_pages_of_now_of_a_probe_and_of_the_history_go_on_by_themselves() {
    let centre = Centre::start("{}").await;
    let service = kept(&centre).await;
    let browser = Browser::start(1280, 900).await;
    let mut tabs = Vec::new();
    for path in ["/", "/probes/watch", "/runs", "/runs?mode=burst"] {
        let tab = browser.open_tab(&format!("{}{path}", service.web)).await;
        browser.shows("h1", "").await;
        tabs.push((path, tab));
    }
    eventually("the first run of the probe", async || {
        (!probe(&service).await["latest_result"].is_null()).then_some(())
    })
    .await;
    let run = service.burst("{ chats: 2 }", QUICK, "").await;
    for order in ["run", "pause"] {
        let path = format!("/api/v1/probes/watch/{order}");
        assert!(service.order("POST", &path, "").await.status < 300);
    }
    eventually("the end of both runs", async || {
        let burst = service.read(&format!("/api/v1/runs/{run}")).await.body;
        let probe = probe(&service).await;
        (burst["state"] == "ended" && probe["running"] == false).then_some(())
    })
    .await;
    let latest = probe(&service).await["latest_run"]
        .as_str()
        .unwrap()
        .to_owned();
    for (path, tab) in &tabs {
        browser.turn_to(tab).await;
        let there = match *path {
            "/runs?mode=burst" => run.clone(),
            _ => latest.clone(),
        };
        assert_as_reloaded(&browser, path, |page| {
            let is_of_probe = match *path {
                "/" => page.contains("/resume"),
                // With the hour, which is written a moment later.
                "/probes/watch" => page.contains("/resume") && page.contains("\n2</td>"),
                _ => true,
            };
            let is_over = !page.contains("running") && !page.contains("finishing");
            page.contains(&there) && is_of_probe && is_over
        })
        .await;
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_browser_with_many_open_pages_has_room_for_another() {
    let centre = Centre::start("{}").await;
    let service = kept(&centre).await;
    let browser = Browser::start(1280, 900).await;
    // A browser has six connections to a service without HTTP/2.
    for _ in 0..8 {
        browser.open_tab(&format!("{}/", service.web)).await;
        browser.shows("#probes", "watch").await;
    }
    let paused = service
        .order("POST", "/api/v1/probes/watch/pause", "")
        .await;
    assert_eq!(paused.status, 200);
    browser.shows("#probes", "paused").await;
}

#[tokio::test]
async fn open_pages_say_that_the_configuration_changed_and_show_the_new_one() {
    let centre = Centre::start("{}").await;
    let before = plain(&centre.url, PROBE);
    let service = Service::start_in(Folder::new(), &before, &[], &[]).await;
    let browser = Browser::start(1280, 900).await;
    let mut tabs = Vec::new();
    for path in ["/", "/probes/watch", "/bursts/new", "/configuration"] {
        tabs.push(browser.open_tab(&format!("{}{path}", service.web)).await);
        browser.shows("h1", "").await;
    }
    let more =
        "bursts: { rush: { scenario: contact-center-chat, target: centre, load: { chats: 7 } } }";
    let after = plain(
        &centre.url,
        &format!("{}\n{more}", PROBE.replace("1h", "2h")),
    );
    service.folder.write("chatprobe.yaml", &after);
    browser.click("[data-order='configuration preview']").await;
    browser.shows("#said", "Nothing was changed").await;
    assert_eq!(browser.text("#changed").await.as_deref(), Some(""));
    browser.click("[data-order='configuration reload']").await;
    browser.confirm().await;
    browser.shows("#said", "in force since").await;
    browser.shows("#changes", "watch").await;
    for (tab, place, shown) in [
        (&tabs[3], "#plan", "{ chats: 7 }"),
        (&tabs[2], "#changed", "load it anew"),
        (&tabs[1], "#standing", "every 2 h"),
        (&tabs[0], "#probes", "2 h"),
    ] {
        browser.turn_to(tab).await;
        browser
            .shows("#changed", "The configuration changed at")
            .await;
        browser.shows(place, shown).await;
    }
    browser.turn_to(&tabs[2]).await;
    browser.click("#changed a").await;
    browser.shows("select[name='burst']", "rush").await;
    assert_eq!(browser.text("#changed").await.as_deref(), Some(""));
    // The configuration as it was: pages of then are true again.
    service.reload(&before);
    browser
        .shows("#changed", "The configuration changed at")
        .await;
    browser.turn_to(&tabs[0]).await;
    eventually("nothing to say", async || {
        (browser.text("#changed").await.as_deref() == Some("")).then_some(())
    })
    .await;
}
