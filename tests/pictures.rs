//! The pictures of the console in the documentation, made anew in `target/tmp/pictures`; `docs/console.md` says how
//! they are taken over.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{fs, path::Path};

use base64::Engine as _;
use serde_json::json;
use support::{Browser, Centre, Folder, SCENARIO, Service, eventually, shipped};

/// In bytes: more would make the repository heavy.
const LARGEST: u64 = 200_000;
/// In pixels.
const WIDE: u32 = 1_280;
/// What every PNG begins with.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A contact centre where this part of the chats finds no agent.
async fn centre(never_come: &str) -> Centre {
    Centre::start(&format!(
        "
        agents: 40
        join: {{ uniform: [300ms, 1500ms] }}
        answer: {{ uniform: [200ms, 600ms] }}
        typing: {{ uniform: [100ms, 300ms] }}
        faults:
            agents: {{ never_come: {never_come} }}
            errors: [{{ probability: 0.004, status: 503, only: [send_chat] }}]
            slow: [{{ probability: 0.05, by: {{ uniform: [200ms, 900ms] }}, only: [send_chat] }}]"
    ))
    .await
}

const INPUTS: &str = "{ session_pause: 200ms, first_message_delay: 300ms, reply_delay: 300ms, agent_join_timeout: 5s }";

async fn service(europe: &Centre, america: &Centre) -> Service {
    let quick = "{ session_pause: 0s, first_message_delay: 50ms, reply_delay: 50ms, agent_join_timeout: 2s }";
    let target = |centre: &Centre| {
        format!(
            "{{ url: '{}', variables: {{ tenant_id: t, channel_provider_id: p }} }}",
            centre.url
        )
    };
    let configuration = format!(
        "listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}
data: {{ directory: data }}
health: {{ start_lateness_p99: 1m, send_lateness_p99: 1m, scheduler_lag_p99: 1m, stall: 1m, cpu_missing: 100% }}
targets:
    europe: {}
    america: {}
scenarios: ['{}']
probes:
    chat-europe: {{ scenario: {SCENARIO}, target: europe, every: 2s, inputs: {quick} }}
    chat-america: {{ scenario: {SCENARIO}, target: america, every: 3s, inputs: {quick} }}
bursts:
    lunch-rush:
        scenario: {SCENARIO}
        target: europe
        load: {{ rate: 12/s, for: 25s }}
        inputs: {INPUTS}
        thresholds: [ {{ step: agent_join, p95: 3s }}, {{ failed: 5% }} ]
    nightly:
        scenario: {SCENARIO}
        target: america
        schedule: {{ cron: '0 3 * * *', time_zone: Europe/Berlin }}
        load: {{ chats: 200, ramp: 1m }}
",
        target(europe),
        target(america),
        shipped("scenarios").display()
    );
    Service::start_in(Folder::new(), &configuration, &[], &[]).await
}

/// Starts a burst; its id.
async fn start(service: &Service, body: &str) -> String {
    let answer = service.order("POST", "/api/v1/bursts", body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.text("id")
}

async fn when_it_is_over(service: &Service, run: &str) {
    let path = format!("/api/v1/runs/{run}");
    let mut state = String::new();
    // Longer than anything else is waited for.
    while state != "ended" {
        state = eventually("an answer", async || {
            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
            let body = service.read(&path).await.body;
            body["state"].as_str().map(str::to_owned)
        })
        .await;
    }
}

/// The page from its top, so many pixels of it at the most.
async fn keep(browser: &Browser, name: &str, high: f64) {
    let picture = browser.picture(high).await;
    let picture = base64::engine::general_purpose::STANDARD
        .decode(picture)
        .unwrap();
    assert!(picture.starts_with(PNG), "{name}");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), picture).unwrap();
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    let bytes = fs::metadata(known.join(name))
        .unwrap_or_else(|error| panic!("{name} is not in the documentation: {error}"))
        .len();
    assert!(
        bytes < LARGEST,
        "{name} has {bytes} bytes in the documentation"
    );
}

#[tokio::test]
async fn every_page_has_its_picture() {
    let (europe, america) = (centre("0.01").await, centre("0.25").await);
    let service = service(&europe, &america).await;
    let page = |path: &str| format!("{}{path}", service.web);
    for chats in [30, 40] {
        let body = format!(
            "{{ scenario: {SCENARIO}, target: europe, load: {{ chats: {chats}, ramp: 3s }}, inputs: {INPUTS} }}"
        );
        let run = start(&service, &body).await;
        when_it_is_over(&service, &run).await;
    }
    let rush = start(&service, "{ burst: lunch-rush, by: Grace }").await;
    let browser = Browser::start(WIDE, 640).await;
    browser.open(&page(&format!("/runs/{rush}"))).await;
    eventually("some failures in the middle of the run", async || {
        let failures = "return [document.querySelectorAll('[data-failure]').length, Number(document.querySelector('[data-elapsed]').dataset.elapsed)]";
        let seen = browser.run(failures, json!([])).await;
        (seen[0].as_u64()? >= 1 && seen[1].as_f64()? >= 18.0).then_some(())
    })
    .await;
    keep(&browser, "console-run.png", 1_145.0).await;
    browser.open(&page("/")).await;
    browser.shows("#bursts", "lunch-rush").await;
    keep(&browser, "console-now.png", 1_200.0).await;
    browser.dark().await;
    keep(&browser, "console-dark.png", 1_200.0).await;
    browser.light().await;
    when_it_is_over(&service, &rush).await;
    browser.open(&page("/runs")).await;
    keep(&browser, "console-history.png", 640.0).await;
    browser.open(&page(&format!("/runs/{rush}"))).await;
    browser.click("[data-failure] a").await;
    browser.shows("h1", "of lunch-rush").await;
    keep(&browser, "console-failure.png", 1_200.0).await;
    browser.open(&page("/bursts/new?burst=lunch-rush")).await;
    browser.click("#preview").await;
    browser.shows("#cost", "chats and about").await;
    keep(&browser, "console-burst.png", 1_200.0).await;
    browser.open(&page("/configuration")).await;
    browser.click("[data-post$=preview]").await;
    browser.shows("#changes", "Go on as they are").await;
    keep(&browser, "console-configuration.png", 1_200.0).await;
    browser.open(&page("/probes/chat-america")).await;
    keep(&browser, "console-probe.png", 1_200.0).await;
    let narrow = Browser::start(360, 740).await;
    narrow.open(&page(&format!("/runs/{rush}"))).await;
    narrow.shows("#reading", "Point at a chart").await;
    keep(&narrow, "console-narrow.png", 900.0).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
