//! The page on which people chat, in a real browser.

use serde_json::json;

use super::Backend;
use crate::support::Browser;

async fn fill(browser: &Browser, selector: &str, text: &str) {
    let script = "document.querySelector(arguments[0]).value = arguments[1]";
    browser.run(script, json!([selector, text])).await;
}

async fn press(browser: &Browser, selector: &str) {
    let script = "document.querySelector(arguments[0]).click()";
    browser.run(script, json!([selector])).await;
}

#[tokio::test]
async fn two_tabs_chat_and_a_customer_talks_to_an_agent() {
    let backend = Backend::start("{}").await;
    let browser = Browser::start(1_000, 800).await;
    let mut tabs = Vec::new();
    for name in ["Ann", "Bob"] {
        tabs.push(browser.open_tab(&backend.url("/")).await);
        fill(&browser, "#name", name).await;
        press(&browser, "#join button").await;
        browser
            .shows("#state", &format!("In lobby as {name}"))
            .await;
    }
    fill(&browser, "#text", "hello <b>Ann</b>").await;
    press(&browser, "#send").await;
    browser.shows("#messages", "Bob: hello <b>Ann</b>").await;
    browser.turn_to(&tabs[0]).await;
    browser.shows("#messages", "Bob came, 2 present").await;
    browser.shows("#messages", "Bob: hello <b>Ann</b>").await;
    press(&browser, "#support").await;
    browser.shows("#messages", "Agent 1 joined").await;
    fill(&browser, "#text", "my order is late").await;
    press(&browser, "#send").await;
    browser
        .shows("#messages", "Agent 1: You said: my order is late")
        .await;
    let _ = backend
        .ask("POST", "/sockets/close", json!({ "code": 1012 }))
        .await;
    browser.shows("#state", "Not connected (code 1012)").await;
    backend.finish().await;
}

#[tokio::test]
async fn the_page_may_load_nothing_from_elsewhere() {
    let backend = Backend::start("{}").await;
    for (path, kind) in [
        ("/", "text/html"),
        ("/page.js", "text/javascript"),
        ("/page.css", "text/css"),
    ] {
        let answer = reqwest::get(backend.url(path)).await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-type").starts_with(kind), "{path}");
        assert!(
            header("content-security-policy").starts_with("default-src 'none'"),
            "{path}"
        );
        assert!(!answer.text().await.unwrap().contains("//cdn"), "{path}");
    }
    backend.finish().await;
}
