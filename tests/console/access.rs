//! The console for those who do not see it, who see colours differently, who use no pointer, and on any screen.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    PROBE,
    keyboard::{ENTER, LEFT, TAB, focused, open, tab_to},
    states::States,
    support::{Browser, Centre, Folder, QUICK, SCENARIO, Service, eventually, plain},
};

/// What a reader can operate.
const CONTROLS: [&str; 8] = [
    "button",
    "checkbox",
    "combobox",
    "Date",
    "link",
    "searchbox",
    "slider",
    "textbox",
];

/// Every text, line and placeholder that is told from its background by less than WCAG 2.2 AA asks for.
const FAINT: &str = r"
const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const known = new Map();
const channels = (color) => {
    if (!known.has(color)) {
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = color;
        context.fillRect(0, 0, 1, 1);
        known.set(color, [...context.getImageData(0, 0, 1, 1).data]);
    }
    return known.get(color);
};
const luminance = ([r, g, b]) => [r, g, b]
    .map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
const ratio = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
};
const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
        const color = channels(getComputedStyle(at).backgroundColor);
        if (color[3] === 255) {
            return color;
        }
    }
    return [255, 255, 255, 255];
};
const faint = [];
const check = (element, color, least, what) => {
    const found = ratio(channels(color), behind(element));
    if (found < least) {
        faint.push(`${what.trim()}: ${found.toFixed(2)}`);
    }
};
let texts = 0;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data;
    const hidden = !element.checkVisibility() || element.closest('.unseen, .skip, script, [disabled]');
    if (hidden || !text.trim()) {
        continue;
    }
    texts += 1;
    const style = getComputedStyle(element);
    check(element, element.closest('svg') ? style.fill : style.color, 4.5, text);
}
for (const path of document.querySelectorAll('figure path:not(.grid)')) {
    check(path, getComputedStyle(path).stroke, 3, `line ${path.getAttribute('class')}`);
}
for (const field of document.querySelectorAll('[placeholder]')) {
    check(field, getComputedStyle(field, '::placeholder').color, 4.5, field.placeholder);
}
return [texts, faint];
";

/// What is wrong with the order of headings, with tables and with the title.
const STRUCTURE: &str = r"
const wrong = [];
const levels = [...document.querySelectorAll('h1, h2, h3, h4')].map((heading) => Number(heading.tagName[1]));
if (levels[0] !== 1 || levels.filter((level) => level === 1).length !== 1) {
    wrong.push(`headings ${levels}`);
}
levels.reduce((before, level) => {
    if (level > before + 1) {
        wrong.push(`heading ${level} under ${before}`);
    }
    return level;
}, 0);
for (const table of document.querySelectorAll('table')) {
    if (!table.caption?.textContent && !table.closest('[role=region][aria-label]')) {
        wrong.push('a table without a caption');
    }
    if (table.querySelector('th:not([scope])')) {
        wrong.push('a heading of a table without a scope');
    }
}
const report = location.pathname.endsWith('report.html');
if (!document.title || !(report || document.title.endsWith(' - chatprobe')) || document.documentElement.lang !== 'en') {
    wrong.push(`title ${document.title}`);
}
return wrong;
";

/// What a screen reader reads has its headings in order, and each of its controls a name.
async fn assert_structure(browser: &Browser, path: &str) {
    let wrong = browser.run(STRUCTURE, json!([])).await;
    assert_eq!(wrong, json!([]), "{path}");
    let tree = browser
        .protocol("Accessibility.getFullAXTree", json!({}))
        .await;
    let nodes = tree["nodes"].as_array().unwrap();
    let word = |node: &Value, key: &str| node[key]["value"].as_str().unwrap_or("").to_owned();
    let controls = nodes
        .iter()
        .filter(|node| node["ignored"] == false && CONTROLS.contains(&&*word(node, "role")));
    let controls: Vec<_> = controls.collect();
    // A report has nothing to operate but its tables.
    let is_report = path.ends_with("report.html");
    assert!(
        is_report || controls.len() >= 5,
        "{path}: {}",
        controls.len()
    );
    for control in controls {
        assert!(
            !word(control, "name").trim().is_empty(),
            "{path}: {control:#}"
        );
    }
}

/// Everything can be told from its background.
async fn assert_contrast(browser: &Browser, path: &str) {
    for dark in [false, true] {
        if dark {
            browser.dark().await;
        } else {
            browser.light().await;
        }
        let found = browser.run(FAINT, json!([])).await;
        assert!(found[0].as_u64().unwrap() >= 10, "{path}: {found}");
        assert_eq!(found[1], json!([]), "{path}, dark: {dark}");
    }
}

#[tokio::test]
async fn a_screen_reader_finds_names_and_eyes_find_contrast_in_light_and_dark() {
    let states = States::start().await;
    let browser = Browser::start(1280, 900).await;
    let mut shown = BTreeSet::new();
    for path in &states.pages {
        open(&browser, &states.service, path).await;
        assert_structure(&browser, path).await;
        assert_contrast(&browser, path).await;
        let words = "return [...document.querySelectorAll('h1 .standing')].map((one) => one.innerText.slice(2))";
        let words = browser.run(words, json!([])).await;
        shown.extend(words.as_array().unwrap().iter().map(ToString::to_string));
    }
    // Each has a colour of its own, or shares one.
    for state in [
        "passed",
        "failed",
        "invalid",
        "stopped",
        "interrupted",
        "paused",
        "running",
    ] {
        assert!(
            shown.contains(&format!("\"{state}\"")),
            "{state} is not among {shown:?}"
        );
    }
}

#[tokio::test]
async fn the_keyboard_is_enough() {
    let centre = Centre::start("{ join: 300ms, answer: 100ms, typing: 0s }").await;
    let service = Service::start(&plain(&centre.url, PROBE)).await;
    let browser = Browser::start(1280, 900).await;
    open(&browser, &service, "/").await;
    browser.press(&[TAB]).await;
    assert_eq!(focused(&browser).await, "To the content");
    for expected in ["Now", "History", "New burst"] {
        browser.press(&[TAB]).await;
        assert_eq!(focused(&browser).await, expected);
    }
    let outline = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.run(outline, json!([])).await, "solid");
    browser.press(&[ENTER]).await;
    browser.shows("h1", "New burst").await;
    tab_to(&browser, "load").await;
    let load: Vec<_> = "{ rate: 5/s, for: 10m }"
        .chars()
        .map(String::from)
        .collect();
    browser
        .press(&load.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    browser.press(&[ENTER]).await;
    browser.shows("h1", "running").await;
    browser.shows("#chats", "5.").await;

    tab_to(&browser, "change").await;
    browser.press(&["7", "/", "s", ENTER]).await;
    browser.shows("#said", "Changed to 7/s").await;
    tab_to(&browser, "Chats in progress").await;
    // There is something to read once a second is over.
    eventually("a sample in the chart", async || {
        let read = "return document.activeElement.ariaValueText";
        let text = browser.run(read, json!([])).await;
        text.as_str()?.starts_with("At 0:").then_some(())
    })
    .await;
    browser.press(&[LEFT]).await;
    browser.shows("#reading", "At 0:").await;
    browser.shows("#standing", "rate: 7/s").await;
    open(&browser, &service, &browser.path().await).await;
    tab_to(&browser, "Stop; chats finish").await;
    browser.press(&[ENTER]).await;
    browser.shows("h1", "stopped").await;
}

#[tokio::test]
async fn the_keyboard_is_enough_to_sign_in_to_compare_and_to_sign_out() {
    let centre = Centre::start("{}").await;
    let token = "a-token-of-this-test";
    let environment = [("CHATPROBE_ADMIN_TOKEN", token)];
    let configuration = plain(&centre.url, PROBE);
    let mut service = Service::start_in(Folder::new(), &configuration, &[], &environment).await;
    service.token = Some(token.to_owned());
    let body = format!(
        "{{ scenario: {SCENARIO}, target: centre, load: {{ chats: 2 }}, inputs: {QUICK} }}"
    );
    let mut runs = Vec::new();
    for _ in 0..2 {
        let run = service.order("POST", "/api/v1/bursts", &body).await;
        let path = format!("/api/v1/runs/{}", run.text("id"));
        let ended = eventually("the end of the run", async || {
            let report = service.read(&path).await;
            (report.text("state") == "ended").then_some(report)
        });
        runs.push(ended.await);
    }
    let browser = Browser::start(1280, 900).await;
    open(&browser, &service, "/").await;
    tab_to(&browser, "Sign in").await;
    browser.press(&[ENTER]).await;
    eventually("the field of the token", async || {
        (focused(&browser).await == "token").then_some(())
    })
    .await;
    let keys: Vec<_> = token.chars().map(String::from).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).chain([ENTER]).collect();
    browser.press(&keys).await;
    browser.shows("header", "Sign out").await;

    tab_to(&browser, "History").await;
    browser.press(&[ENTER]).await;
    browser.shows("h1", "History").await;
    // The latest comes first.
    for run in runs.iter().rev() {
        let began = run.text("started_at").replace('T', " ");
        let began = began.split('.').next().unwrap();
        let label = format!("Compare {} of {began} UTC", run.text("name"));
        tab_to(&browser, &label).await;
        browser.press(&[" "]).await;
    }
    tab_to(&browser, "Compare two").await;
    browser.press(&[ENTER]).await;
    let [before, after] = [&runs[0], &runs[1]].map(|run| run.text("id"));
    let compared = format!("/api/v1/runs/{after}/compare/{before}/report.html");
    eventually("the comparison", async || {
        (browser.path().await == compared).then_some(())
    })
    .await;
    browser.shows("body", "agent_join").await;

    open(&browser, &service, "/").await;
    tab_to(&browser, "Sign out").await;
    browser.press(&[ENTER]).await;
    browser.shows("header", "Sign in").await;
}
