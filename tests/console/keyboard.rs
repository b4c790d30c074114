//! Somebody who goes through pages with the keyboard.

use serde_json::json;

use crate::support::{Browser, Service, eventually};

pub const TAB: &str = "\u{e004}";
pub const ENTER: &str = "\u{e007}";
pub const LEFT: &str = "\u{e012}";
pub const RIGHT: &str = "\u{e014}";

/// Opens a page of the console or a report, and waits until its charts are drawn.
pub async fn open(browser: &Browser, service: &Service, path: &str) {
    browser.open(&format!("{}{path}", service.web)).await;
    let ready = "return document.readyState === 'complete' && [...document.querySelectorAll('#charts svg')].every((chart) => chart.childElementCount)";
    eventually("a page with its charts", async || {
        (browser.run(ready, json!([])).await == true).then_some(())
    })
    .await;
}

/// What has the focus, as it is called; empty where nothing has it.
pub async fn focused(browser: &Browser) -> String {
    let script = "const at = document.activeElement; return at === document.body ? '' : (at.ariaLabel ?? at.name ?? '') || at.innerText.trim()";
    let name = browser.run(script, json!([])).await;
    name.as_str().unwrap().to_owned()
}

/// Goes on with the key for that until this has the focus.
pub async fn tab_to(browser: &Browser, name: &str) {
    let mut passed = Vec::new();
    for _ in 0..60 {
        browser.press(&[TAB]).await;
        let focused = focused(browser).await;
        if focused == name {
            return;
        }
        passed.push(focused);
    }
    panic!("`{name}` is not among {passed:?}");
}
