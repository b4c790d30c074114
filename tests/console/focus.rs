//! Where the focus is after orders and while a page changes, and what a screen reader hears unasked.

use std::time::Duration;

use serde_json::json;

use crate::{
    PROBE,
    keyboard::{ENTER, RIGHT, TAB, focused, open, tab_to},
    support::{Browser, Centre, QUICK, Service, eventually, plain},
};

/// The page has changed by itself so often; the counter is set up with the first look.
const CHANGES: &str = r"
if (window.rendered === undefined) {
    window.rendered = 0;
    new MutationObserver(() => { window.rendered += 1; }).observe(document.querySelector('[data-live]'), { subtree: true, childList: true, characterData: true });
}
return window.rendered;
";

/// Waits until the open page has been rendered twice more.
async fn changes(browser: &Browser) {
    let count = async || browser.run(CHANGES, json!([])).await.as_u64().unwrap();
    let before = count().await;
    eventually("two changes of the page", async || {
        (count().await >= before + 2).then_some(())
    })
    .await;
}

async fn start() -> (Centre, Service) {
    let centre = Centre::start("{ join: 300ms, answer: 100ms, typing: 0s }").await;
    let more = format!("data: {{ directory: data }}\n{PROBE}");
    let service = Service::start(&plain(&centre.url, &more)).await;
    (centre, service)
}

const ENDLESS: &str = "{ rate: 5/s, for: 10m, max_active: 100 }";

#[tokio::test]
async fn the_focus_stays_at_the_orders_of_a_probe() {
    let (_centre, service) = start().await;
    // So that the page changes.
    service.burst(ENDLESS, QUICK, "").await;
    let browser = Browser::start(1280, 900).await;
    for path in ["/", "/probes/watch"] {
        open(&browser, &service, path).await;
        tab_to(&browser, "Run now: watch").await;
        browser.press(&[ENTER]).await;
        browser.shows("#said", "watch").await;
        assert_eq!(focused(&browser).await, "Run now: watch", "{path}");
    }
    open(&browser, &service, "/").await;
    tab_to(&browser, "Pause: watch").await;
    for (order, next) in [
        ("Pause: watch", "Resume: watch"),
        ("Resume: watch", "Pause: watch"),
    ] {
        assert_eq!(focused(&browser).await, order);
        browser.press(&[ENTER]).await;
        let shown = format!("[aria-label='{next}']");
        eventually(next, async || browser.text(&shown).await).await;
        changes(&browser).await;
        assert_eq!(focused(&browser).await, next);
    }
}

#[tokio::test]
async fn the_focus_stays_at_the_orders_of_a_run_and_is_at_its_heading_when_it_has_ended() {
    let (_centre, service) = start().await;
    let run = service.burst(ENDLESS, QUICK, "").await;
    let browser = Browser::start(1280, 900).await;
    open(&browser, &service, &format!("/runs/{run}")).await;
    tab_to(&browser, "Pause").await;
    for (order, state, next) in [
        ("Pause", "paused", "Resume"),
        ("Resume", "running", "Pause"),
    ] {
        assert_eq!(focused(&browser).await, order);
        browser.press(&[ENTER]).await;
        browser.shows("h1", state).await;
        eventually(next, async || {
            (focused(&browser).await == next).then_some(())
        })
        .await;
    }
    changes(&browser).await;
    assert_eq!(focused(&browser).await, "Pause");

    tab_to(&browser, "change").await;
    browser.press(&["7", "/", "s"]).await;
    tab_to(&browser, "Change").await;
    browser.press(&[ENTER]).await;
    browser.shows("#standing", "rate: 7/s").await;
    changes(&browser).await;
    assert_eq!(focused(&browser).await, "Change");

    open(&browser, &service, &format!("/runs/{run}")).await;
    tab_to(&browser, "Stop; chats finish").await;
    browser.press(&[ENTER]).await;
    browser.shows("h1", "stopped").await;
    eventually("the heading has the focus", async || {
        let name = focused(&browser).await;
        (name.starts_with("ad-hoc") && name.ends_with("stopped")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_focus_stays_where_a_baseline_was_named_and_a_reload_asked_for() {
    let (_centre, service) = start().await;
    let run = service.burst("{ chats: 1 }", QUICK, "").await;
    let path = format!("/api/v1/runs/{run}");
    eventually("the end of the run", async || {
        (service.read(&path).await.body["state"] == "ended").then_some(())
    })
    .await;
    let browser = Browser::start(1280, 900).await;
    open(&browser, &service, &format!("/runs/{run}")).await;
    tab_to(&browser, "baseline").await;
    browser.press(&["a", "b"]).await;
    tab_to(&browser, "Keep").await;
    browser.press(&[ENTER]).await;
    browser.shows("#said", "baseline ab").await;
    assert_ne!(focused(&browser).await, "");

    open(&browser, &service, "/configuration").await;
    let preview = "What would a reload change?";
    tab_to(&browser, preview).await;
    browser.press(&[ENTER]).await;
    browser.shows("#changes", "watch").await;
    assert_eq!(focused(&browser).await, preview);
}

#[tokio::test]
async fn what_is_told_takes_no_focus_no_word_and_no_place_in_a_table_away() {
    let centre = Centre::start("{ join: 1h }").await;
    let service = Service::start(&plain(&centre.url, PROBE)).await;
    let inputs = "{ session_pause: 0s, agent_join_timeout: 300ms }";
    let run = service.burst("{ rate: 1/s, for: 10m, max_active: 100 }", inputs, "");
    let run = run.await;
    let browser = Browser::start(390, 740).await;
    open(&browser, &service, &format!("/runs/{run}")).await;
    tab_to(&browser, "change").await;
    browser.press(&["3"]).await;
    changes(&browser).await;
    assert_eq!(focused(&browser).await, "change");
    let typed = "return document.activeElement.value";
    assert_eq!(browser.run(typed, json!([])).await, "3");

    tab_to(&browser, "Count from now").await;
    browser.press(&[ENTER]).await;
    browser.shows("#since", "Counts and rates since").await;
    assert_eq!(focused(&browser).await, "Count from the beginning");

    tab_to(&browser, "Steps").await;
    let place = "return document.activeElement.scrollLeft";
    let place = async || browser.run(place, json!([])).await.as_f64().unwrap();
    eventually("a place in the table", async || {
        browser.press(&[RIGHT]).await;
        (place().await > 50.0).then_some(())
    })
    .await;
    changes(&browser).await;
    assert_eq!(focused(&browser).await, "Steps");
    assert!(place().await > 50.0);

    // New failures come before the one that has the focus.
    eventually("a failure", async || browser.text("#failures a").await).await;
    let chat = eventually("a link to a chat", async || {
        browser.press(&[TAB]).await;
        let name = focused(&browser).await;
        name.starts_with("Chat ").then_some(name)
    })
    .await;
    changes(&browser).await;
    assert_eq!(focused(&browser).await, chat);
}

/// What a screen reader would read without being asked, since the first look.
const HEARD: &str = r"
if (!window.heard) {
    window.heard = [];
    const note = (records) => records.forEach(({ target }) => window.heard.push(target.textContent ?? target.tagName));
    const changes = { subtree: true, childList: true, characterData: true };
    document.querySelectorAll('[aria-live]:not([aria-live=off]), [role=status], [role=alert], [role=log]')
        .forEach((region) => new MutationObserver(note).observe(region, changes));
    // Written anew with every drawing, and read aloud where it is another one.
    const at = document.activeElement;
    const first = at.ariaValueText;
    const values = { attributes: true, attributeFilter: ['aria-valuetext'] };
    new MutationObserver(() => at.ariaValueText !== first && window.heard.push(at.ariaValueText)).observe(at, values);
}
return window.heard;
";

#[tokio::test]
async fn nothing_is_read_aloud_every_second() {
    let (_centre, service) = start().await;
    let run = service.burst(ENDLESS, QUICK, "").await;
    let browser = Browser::start(1280, 900).await;
    for path in ["/".to_owned(), format!("/runs/{run}")] {
        open(&browser, &service, &path).await;
        if path != "/" {
            browser.shows("#chats", "started of late").await;
            tab_to(&browser, "Chats in progress").await;
            browser.shows("#reading", "At 0:").await;
        }
        assert_eq!(browser.run(HEARD, json!([])).await, json!([]), "{path}");
        changes(&browser).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(browser.run(HEARD, json!([])).await, json!([]), "{path}");
    }
}
