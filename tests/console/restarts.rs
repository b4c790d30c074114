//! Pages before and after a restart of the service.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    PROBE,
    support::{Browser, Centre, Service, eventually, free_address, plain},
};

/// The first run gets a name, from its page that is open, and the second one is held against it and gets one, too.
async fn name_and_compare(browser: &Browser, service: &Service, first: &str, second: &str) {
    browser.fill("[name='baseline']", "release-4").await;
    browser.click("[data-baseline] button").await;
    browser.shows("#said", "the baseline release-4 now").await;
    browser
        .open(&format!("{}/runs/{second}", service.web))
        .await;
    browser.fill("[name='baseline']", "release-5").await;
    browser.click("[data-baseline] button").await;
    browser.shows("#said", "the baseline release-5 now").await;
    let named = format!("/api/v1/runs/{second}/compare/release-4/report.html");
    browser.click(&format!("[href='{named}']")).await;
    browser.shows("body", "agent_join").await;
    assert_eq!(browser.path().await, named);
    browser.open(&format!("{}/runs/{first}", service.web)).await;
    browser.shows("main", "It is the baseline release-4").await;
}

/// The run whose page is open is held against two that have names.
async fn compare_with_both(browser: &Browser, run: &str, baselines: [&str; 2]) {
    browser.click("details:has(#several) summary").await;
    for baseline in baselines {
        browser
            .click(&format!("#several [value='{baseline}']"))
            .await;
    }
    browser.click("#several button").await;
    let says =
        "Now interrupted: no chat passed or failed. Before 2 runs (2 failed): 0 of 4 chats passed";
    browser.shows("[data-overall]", says).await;
    let [one, other] = baselines;
    let compared = format!("/api/v1/runs/{run}/compare/{one},{other}/report.html");
    assert_eq!(browser.path().await, compared);
}

#[tokio::test]
async fn what_was_is_there_after_a_restart() {
    let centre = Centre::start("{ join: 1h }").await;
    let inputs = "{ session_pause: 0s, agent_join_timeout: 1500ms }";
    let probe = format!(
        "data: {{ directory: data }}\nprobes: {{ watch: {{ scenario: contact-center-chat, target: centre, every: 1h, inputs: {inputs} }} }}"
    );
    let configuration = plain(&centre.url, &probe);
    let service = Service::start(&configuration).await;
    let start = async |load: &str, inputs: &str| {
        let body = format!(
            "{{ scenario: contact-center-chat, target: centre, inputs: {inputs}, load: {load} }}"
        );
        service
            .order("POST", "/api/v1/bursts", &body)
            .await
            .text("id")
    };
    let first = start("{ chats: 2, ramp: 2s }", inputs).await;
    let second = start("{ chats: 2 }", inputs).await;
    for run in [&first, &second] {
        eventually("the end of the run", async || {
            let report = service.read(&format!("/api/v1/runs/{run}")).await.body;
            (report["state"] == "ended").then_some(())
        })
        .await;
    }
    let cut = start(
        "{ chats: 3 }",
        "{ session_pause: 0s, agent_join_timeout: 1h }",
    )
    .await;
    let database = rusqlite::Connection::open(service.folder.path("data/history.sqlite")).unwrap();
    eventually("open chats and an hour in the file", async || {
        let count = |table: &str| {
            let query = format!("SELECT count(*) FROM {table}");
            database.query_row(&query, [], |row| row.get::<_, u64>(0))
        };
        (count("open_chats").ok()? == 4 && count("probe_hours").ok()? == 1).then_some(())
    })
    .await;
    drop(database);
    // Killed, not asked to end.
    let Service {
        process, folder, ..
    } = service;
    drop(process);

    let configuration = configuration.replace("every: 1h", "every: 2h");
    let service = Service::start_in(folder, &configuration, &[], &[]).await;
    let browser = Browser::start(1280, 900).await;
    browser.open(&format!("{}/", service.web)).await;
    browser.click("nav a[href='/runs']").await;
    browser.shows("tbody", "interrupted").await;
    browser.fill("[name='name']", "ad-").await;
    browser.click("form[role='search'] button").await;
    for run in [&first, &second] {
        browser.click(&format!("[value='{run}']")).await;
    }
    browser.click("#compare button").await;
    browser.shows("body", "agent_join").await;
    let compared = format!("/api/v1/runs/{second}/compare/{first}/report.html");
    assert_eq!(browser.path().await, compared);

    // With its seconds.
    browser.open(&format!("{}/runs/{first}", service.web)).await;
    browser.shows("h1", "failed").await;
    eventually("lines in the charts", async || {
        let script = "return document.querySelectorAll('#charts path.s0[d*=\"L\"]').length";
        (browser.run(script, json!([])).await.as_u64()? >= 3).then_some(())
    })
    .await;

    name_and_compare(&browser, &service, &first, &second).await;

    browser.click("[data-failure] a").await;
    browser.shows(".note.failed", "agent_join_timeout").await;

    browser
        .open(&format!(
            "{}/runs?from=2020-01-01&verdict=failed",
            service.web
        ))
        .await;
    browser.shows("tbody", "watch").await;
    browser
        .open(&format!("{}/runs?to=2020-01-01", service.web))
        .await;
    browser
        .shows("#compare", "There are no runs like this.")
        .await;
    let interrupted = format!("{}/runs?verdict=interrupted", service.web);
    browser.open(&interrupted).await;
    browser.click(&format!("a[href='/runs/{cut}']")).await;
    browser.shows("h1", "interrupted").await;
    browser
        .shows("#failures", "may still be open at the target")
        .await;
    browser.shows("#failures", "session_id").await;
    compare_with_both(&browser, &cut, [&first, &second]).await;

    browser.open(&format!("{}/", service.web)).await;
    browser.click("a[href='/probes/watch']").await;
    browser.shows("h1", "Probe watch").await;
    browser.shows("tbody", "agent_join_timeout").await;
    let burst = service.read("/api/v1/failures?name=ad-hoc").await.body;
    assert_eq!(burst["failures"].as_array().unwrap().len(), 4, "{burst:#}");
    browser.click(".failures a").await;
    browser.shows("h1", "of watch").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

/// A proxy before a service that is not there.
async fn refuse(listener: TcpListener) {
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        // Whatever it asks for.
        let asked = client.read(&mut [0; 4096]).await;
        if asked.is_err() {
            continue;
        }
        let answer = b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<h1>Bad Gateway</h1>";
        client.write_all(answer).await.ok();
    }
}

#[tokio::test]
async fn an_open_page_goes_on_by_itself_after_a_restart_behind_a_proxy() {
    let centre = Centre::start("{}").await;
    let address = free_address();
    let here = plain(&centre.url, PROBE).replace("web: 127.0.0.1:0", &format!("web: {address}"));
    let service = Service::start(&here).await;
    let browser = Browser::start(1280, 900).await;
    browser.open(&format!("{}/", service.web)).await;
    browser.shows("table", "watch").await;
    // Killed, not asked to end.
    drop(service);
    let proxy = TcpListener::bind(address).await.unwrap();
    let proxy = tokio::spawn(refuse(proxy));
    browser.shows("#reach", "cannot be reached since").await;
    browser.click("button[aria-label='Pause: watch']").await;
    browser
        .shows("#said", "something else answered in its place, with 502")
        .await;
    proxy.abort();
    assert!(proxy.await.unwrap_err().is_cancelled());
    let _service = Service::start(&here.replace("watch:", "another:")).await;
    browser.shows("#said", "can be reached again").await;
    browser.shows("table", "another").await;
    browser
        .shows("#changed", "The configuration changed at")
        .await;
}

#[tokio::test]
async fn every_click_says_since_when_a_dead_service_cannot_be_reached_and_pages_recover() {
    let centre = Centre::start("{}").await;
    let address = free_address();
    let more = format!("data: {{ directory: data }}\n{PROBE}");
    let here = plain(&centre.url, &more).replace("web: 127.0.0.1:0", &format!("web: {address}"));
    let service = Service::start(&here).await;
    let web = service.web.clone();
    let run = service
        .burst("{ rate: 1/s, for: 10m }", "{ session_pause: 1h }", "")
        .await;
    let browser = Browser::start(1280, 900).await;
    let run_page = format!("/runs/{run}");
    let mut tabs = Vec::new();
    // Where an order is given, and where the answer stands.
    for (path, order, told) in [
        ("/", "[data-order='probe pause']", "#said"),
        ("/probes/watch", "[data-order='probe run']", "#said"),
        (
            "/configuration",
            "[data-order='configuration preview']",
            "#said",
        ),
        ("/bursts/new", "#preview", "#cost"),
        (&run_page, "[data-order='run pause']", "#said"),
    ] {
        let tab = browser.open_tab(&format!("{web}{path}")).await;
        browser.shows("main", "").await;
        tabs.push((tab, order, told));
    }
    eventually("the run in the file", async || {
        let seconds = service.read(&format!("/api/v1/runs/{run}")).await.body;
        (seconds["elapsed_seconds"].as_f64()? > 2.0).then_some(())
    })
    .await;
    // Killed, not asked to end.
    let Service {
        process, folder, ..
    } = service;
    drop(process);
    for (tab, order, told) in &tabs {
        browser.turn_to(tab).await;
        browser
            .shows("#reach", "chatprobe cannot be reached since")
            .await;
        // What is said at the bottom of a page may cover it.
        let scroll = "document.querySelector(arguments[0]).scrollIntoView({ block: 'center' })";
        browser.run(scroll, json!([order])).await;
        browser.click(order).await;
        browser
            .shows(told, "chatprobe cannot be reached since")
            .await;
        let page = browser.text("body").await.unwrap();
        assert!(!page.contains("Failed to fetch"), "{page}");
    }
    let _service = Service::start_in(folder, &here, &[], &[]).await;
    for (tab, ..) in &tabs {
        browser.turn_to(tab).await;
        browser.shows("#said", "can be reached again").await;
        eventually("nothing about a connection", async || {
            (browser.text("#reach").await.as_deref() == Some("")).then_some(())
        })
        .await;
    }
    browser.shows("h1", "interrupted").await;
}
