//! The console in a real browser.

use serde_json::json;

use crate::{
    PROBE,
    support::{Browser, Centre, Folder, Service, eventually, plain},
};

const HOME: &str = "\u{e011}";

async fn start() -> (Centre, Service) {
    let centre = Centre::start("{ join: 300ms, answer: 100ms, typing: 0s }").await;
    let service = Service::start(&plain(&centre.url, PROBE)).await;
    (centre, service)
}

/// What stands for a step in the table of a run.
async fn passed(browser: &Browser, step: &str) -> u64 {
    let cell = format!("[data-count='{step} passed']");
    let text = browser.text(&cell).await.unwrap_or_default();
    text.replace(',', "").parse().unwrap_or(0)
}

#[tokio::test]
async fn the_preview_of_a_burst_shows_no_digit_that_is_wrong() {
    let folder = Folder::new();
    folder.write(
        "many.yaml",
        "scenario: many\ninputs: { n: 1 }\nsteps:\n  - repeat: '{{ inputs.n }}'\n    steps:\n      - { step: a, http: { get: '{{ target.url }}/a' } }\n",
    );
    let configuration =
        plain("http://127.0.0.1:1", "").replace("scenarios: ['", "scenarios: ['many.yaml', '");
    let service = Service::start_in(folder, &configuration, &[], &[]).await;
    let browser = Browser::start(1280, 900).await;
    let page = format!("{}/bursts/new?scenario=many", service.web);
    browser.open(&page).await;
    browser.fill("[name='load']", "{ chats: 1 }").await;
    for (n, requests) in [
        ("1", "1 chat and about 1 request,"),
        (
            "9007199254740991",
            "1 chat and about 9,007,199,254,740,991 requests,",
        ),
        (
            "9007199254740993",
            "1 chat and more than 9,007,199,254,740,991 requests,",
        ),
        ("3", "1 chat and about 3 requests,"),
    ] {
        browser.fill("[name='input.n']", n).await;
        browser.click("#preview").await;
        browser.shows("#cost", requests).await;
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_burst_is_started_from_the_form_watched_changed_and_stopped() {
    let (_centre, service) = start().await;
    let browser = Browser::start(1280, 900).await;
    browser.open(&format!("{}/", service.web)).await;
    browser.click("nav a[href='/bursts/new']").await;
    browser.shows("h1", "New burst").await;
    let chosen = format!("{}/bursts/new?scenario=contact-center-chat", service.web);
    browser.open(&chosen).await;
    browser
        .fill("[name='load']", "{ rate: 5/s, for: 10m }")
        .await;
    for input in ["session_pause", "first_message_delay", "reply_delay"] {
        browser
            .fill(&format!("[name='input.{input}']"), "100ms")
            .await;
    }
    for (messages, requests) in [("0", "9,002"), ("10", "39,002"), ("2", "15,002")] {
        browser.fill("[name='input.messages']", messages).await;
        browser.click("#preview").await;
        let cost = format!("3,000 chats and about {requests} requests");
        browser.shows("#cost", &cost).await;
    }
    browser.click("#burst [type='submit']").await;
    browser.shows("h1", "running").await;
    let path = browser.path().await;
    let id = path.strip_prefix("/runs/").unwrap().to_owned();

    eventually("steps that pass", async || {
        (passed(&browser, "interact_end").await >= 10).then_some(())
    })
    .await;
    eventually("lines in the charts", async || {
        let script = "return document.querySelectorAll('#charts path.s0[d*=\"L\"]').length";
        (browser.run(script, json!([])).await.as_u64()? >= 4).then_some(())
    })
    .await;

    // A page that is opened late has the whole history.
    let late = Browser::start(1280, 900).await;
    late.open(&format!("{}{path}", service.web)).await;
    late.shows("#reading", "Point at a chart").await;
    eventually("the first second", async || {
        late.focus("#charts svg").await;
        late.press(&[HOME]).await;
        let read = "return document.querySelector('#charts svg').ariaValueText";
        let text = late.run(read, json!([])).await;
        let text = text.as_str()?.to_owned();
        text.starts_with("At 0:01, in progress ").then_some(())
    })
    .await;
    late.shows("#reading", "At 0:01").await;

    browser.fill("[name='change']", "20/s").await;
    browser.click("form[data-patch] button").await;
    browser.shows("#said", "Changed to 20/s").await;
    browser
        .run("document.activeElement.blur()", json!([]))
        .await;
    browser.shows(".facts", "rate: 20/s").await;

    browser.click("[data-reset]").await;
    browser.shows("#since", "Counts and rates since").await;
    let run = service.read(&format!("/api/v1/runs/{id}")).await.body;
    assert!(run["chats"]["started"].as_u64().unwrap() > passed(&browser, "session_create").await);

    browser.click("button.danger").await;
    browser.confirm().await;
    browser.shows("h1", "stopped").await;
    late.shows("h1", "stopped").await;
    // What the stop cut short is no failure.
    late.shows("[data-step='whole chats'] .reasons", "stopped")
        .await;
    let red = "return document.querySelectorAll('tr.failed').length";
    assert_eq!(late.run(red, json!([])).await, json!(0));
    for what in ["First chat began", "Last chat ended"] {
        browser.shows("#standing", what).await;
    }
    let run = service.read(&format!("/api/v1/runs/{id}")).await.body;
    assert_eq!(run["verdict"], "stopped");
    browser
        .open(&format!("{}/runs?name=ad-hoc", service.web))
        .await;
    browser.shows("tbody", "stopped").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_run_is_read_as_a_report_and_is_compared_with_one_or_more() {
    let (_centre, service) = start().await;
    let inputs = "{ session_pause: 0s, first_message_delay: 0s, reply_delay: 0s }";
    let body = format!(
        "{{ scenario: contact-center-chat, target: centre, inputs: {inputs}, load: {{ chats: 3 }} }}"
    );
    let mut runs = Vec::new();
    for _ in 0..3 {
        let run = service
            .order("POST", "/api/v1/bursts", &body)
            .await
            .text("id");
        let path = format!("/api/v1/runs/{run}");
        eventually("the end of the run", async || {
            (service.read(&path).await.body["state"] == "ended").then_some(())
        })
        .await;
        runs.push(run);
    }
    let browser = Browser::start(1280, 900).await;
    browser
        .open(&format!("{}/runs/{}", service.web, runs[0]))
        .await;
    // A run that is over has its charts, too.
    eventually("lines in the charts", async || {
        let script = "return document.querySelectorAll('#charts path.s0[d]:not([d=\"\"])').length";
        (browser.run(script, json!([])).await.as_u64()? >= 3).then_some(())
    })
    .await;
    browser.click("a[href$='report.html']").await;
    browser.shows("body", "agent_join").await;
    assert_eq!(
        browser.path().await,
        format!("/api/v1/runs/{}/report.html", runs[0])
    );
    browser.open(&format!("{}/runs", service.web)).await;
    assert_eq!(
        browser
            .run(
                "return document.querySelector('#compare button').disabled",
                json!([])
            )
            .await,
        true
    );
    for run in &runs[..2] {
        browser.click(&format!("[value='{run}']")).await;
    }
    browser.shows("#compare button", "Compare two").await;
    browser.click("#compare button").await;
    let compared = format!("/api/v1/runs/{}/compare/{}/report.html", runs[1], runs[0]);
    eventually("the comparison", async || {
        (browser.path().await == compared).then_some(())
    })
    .await;
    browser.shows("body", "agent_join").await;
    let says =
        "Too short to compare. Now passed: 3 of 3 chats passed (100.0%). Before passed: 3 of 3";
    browser.shows("[data-overall]", says).await;

    // The latest with all others, chosen on the list, or one on its page.
    browser
        .open(&format!("{}/runs?with={}", service.web, runs[0]))
        .await;
    for run in &runs[1..] {
        browser.click(&format!("[value='{run}']")).await;
    }
    let button = "Compare the latest with the 2 others";
    browser.shows("#compare button", button).await;
    browser.click("#compare button").await;
    let says = "Before 2 runs (2 passed): 6 of 6 chats passed";
    browser.shows("[data-overall]", says).await;
    let both = format!("{},{}", runs[0], runs[1]);
    let compared = format!("/api/v1/runs/{}/compare/{both}/report.html", runs[2]);
    assert_eq!(browser.path().await, compared);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_failure_is_followed_from_its_run_to_its_explanation() {
    let centre = Centre::start("{ join: 1h }").await;
    let service = Service::start(&plain(&centre.url, PROBE)).await;
    let inputs = "{ session_pause: 0s, agent_join_timeout: 300ms }";
    let body = format!(
        "{{ scenario: contact-center-chat, target: centre, inputs: {inputs}, load: {{ chats: 2 }} }}"
    );
    let run = service
        .order("POST", "/api/v1/bursts", &body)
        .await
        .text("id");
    let browser = Browser::start(360, 740).await;
    browser.open(&format!("{}/runs/{run}", service.web)).await;
    browser.click(".failures a").await;
    browser.shows("h1", "of ad-hoc").await;
    browser.shows(".note.failed", "agent_join_timeout").await;
    // What failed is open, what passed is not.
    browser.shows("details[open] summary", "agent_join").await;
    browser.click("details:not([open]) summary").await;
    browser.shows("details[open]", "POST http://").await;
    let wide = browser
        .run("return document.documentElement.scrollWidth", json!([]))
        .await;
    assert!(wide.as_u64().unwrap() <= 360, "{wide}");
    browser.click("h1 a").await;
    eventually("the run", async || {
        (browser.path().await == format!("/runs/{run}")).then_some(())
    })
    .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn only_who_has_signed_in_can_touch_and_the_token_stays_nowhere() {
    let centre = Centre::start("{}").await;
    let token = "a-token-of-this-test";
    let environment = [("CHATPROBE_ADMIN_TOKEN", token)];
    let service =
        Service::start_in(Folder::new(), &plain(&centre.url, PROBE), &[], &environment).await;
    let browser = Browser::start(1280, 900).await;
    browser.open(&format!("{}/", service.web)).await;
    browser.shows("table", "watch").await;
    assert_eq!(browser.text("[data-post]").await, None);
    browser.open(&format!("{}/bursts/new", service.web)).await;
    browser.shows("#burst", "sign in").await;

    browser.open(&format!("{}/sign-in", service.web)).await;
    browser.fill("[name='token']", "not-this-one").await;
    browser.click("main button").await;
    browser.shows("[role='alert']", "not the admin token").await;
    browser.fill("[name='token']", token).await;
    browser.click("main button").await;
    browser.shows("header", "Sign out").await;
    assert_eq!(browser.path().await, "/");
    let kept = "return [document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage), location.href].join()";
    let kept = browser.run(kept, json!([])).await.to_string();
    assert!(
        !kept.contains(token) && !kept.contains("chatprobe_session"),
        "{kept}"
    );

    browser.click("[data-order='probe pause']").await;
    browser.shows("#said", "watch: paused").await;
    // An open page offers no more than a new one once the session has ended elsewhere.
    let other = browser.open_tab(&format!("{}/", service.web)).await;
    let first = browser.open_tab(&format!("{}/", service.web)).await;
    browser.shows("#probes", "Resume").await;
    browser.turn_to(&other).await;
    browser.click("header form button").await;
    browser.shows("header", "Sign in").await;
    assert_eq!(browser.text("[data-post]").await, None);
    browser.turn_to(&first).await;
    eventually("no buttons", async || {
        browser.text("[data-post]").await.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn counts_begin_anew_for_the_eye_with_their_rates_and_failures() {
    let centre = Centre::start("{ join: 1h }").await;
    let service = Service::start(&plain(&centre.url, PROBE)).await;
    let inputs = "{ session_pause: 0s, agent_join_timeout: 300ms }";
    let body = format!(
        "{{ scenario: contact-center-chat, target: centre, inputs: {inputs}, load: {{ rate: 2/s, for: 10m }} }}"
    );
    let run = service
        .order("POST", "/api/v1/bursts", &body)
        .await
        .text("id");
    let browser = Browser::start(1280, 900).await;
    browser.open(&format!("{}/runs/{run}", service.web)).await;
    let failed = async || {
        let text = browser.text("[data-count='agent_join failed']").await;
        text?.parse::<u64>().ok()
    };
    let listed = async || {
        let script = "return [...document.querySelectorAll('[data-failure]')].filter((failure) => !failure.hidden).length";
        browser.run(script, json!([])).await.as_u64().unwrap()
    };
    eventually("failures", async || {
        (failed().await? >= 12 && listed().await >= 8).then_some(())
    })
    .await;
    browser.click("[data-reset]").await;
    browser.shows("#since", "Counts and rates since").await;
    eventually("few failures, all of them new", async || {
        let (failed, listed) = (failed().await?, listed().await);
        (1..8).contains(&failed).then_some(())?;
        (1..8).contains(&listed).then_some(())
    })
    .await;
    // Over the time since then, and not over all of it.
    eventually("a rate near the one that was asked for", async || {
        let rate = browser.text("[data-step='agent_join'] .rate").await?;
        let rate: f64 = rate.trim_end_matches("/s").parse().ok()?;
        (1.0..3.0).contains(&rate).then_some(())
    })
    .await;
    let share = browser.text("[data-step='agent_join'] .share").await;
    assert_eq!(share.unwrap(), "100.0%");
    let run = service.read(&format!("/api/v1/runs/{run}")).await.body;
    assert!(run["chats"]["failed"].as_u64().unwrap() > failed().await.unwrap());
    browser.click("[data-reset]").await;
    eventually("all of them", async || {
        (failed().await? >= 12 && listed().await >= 8).then_some(())
    })
    .await;
}
