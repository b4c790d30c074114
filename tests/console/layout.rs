//! Pages and reports on screens and on paper of any width, whatever they show.

use serde_json::json;

use crate::{
    keyboard::{RIGHT, open},
    states::States,
    support::{Browser, eventually},
};

/// Of telephones, tablets, laptops, desks and walls.
const SCREENS: [u32; 6] = [360, TELEPHONE, 768, 1024, 1440, 2560];
const TELEPHONE: u32 = 390;
/// A4 without the margins of 1 cm that Chromium leaves, at 96 pixels an inch.
const PAPER: u32 = 718;

/// What reaches over the right edge of the page, but what scrolls in a box of its own.
const OVER: &str = r"
const page = document.documentElement;
const over = [...document.querySelectorAll('body *')]
    .filter((element) => !element.parentElement.closest('.wide') && !element.closest('.skip'))
    .filter((element) => element.getBoundingClientRect().right > page.clientWidth + 1)
    .map((element) => `${element.tagName} ${element.textContent.slice(0, 40)}`);
return page.scrollWidth > page.clientWidth ? [`${page.scrollWidth} of ${page.clientWidth}`, ...over] : over;
";

/// What paper cuts off at the right, boxes that scroll on a screen included.
const CUT: &str = r"
const page = document.documentElement;
return [...document.querySelectorAll('body *')]
    .filter((element) => element.checkVisibility() && !element.closest('.unseen, .skip'))
    .filter((element) => {
        const { right, width } = element.getBoundingClientRect();
        return (width > 0 && right > page.clientWidth + 1) || (element.matches('.wide') && element.scrollWidth > element.clientWidth + 1);
    })
    .map((element) => `${element.tagName} ${element.textContent.slice(0, 40)}`);
";

/// Times with more digits than people read; what was sent or received is quoted as it was.
const EXACT: &str = r"
const told = [document.title];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
    if (!walker.currentNode.parentElement.closest('pre, code, script, style')) {
        told.push(walker.currentNode.data);
    }
}
for (const element of document.querySelectorAll('[aria-label], [title]')) {
    told.push(element.ariaLabel ?? '', element.title);
}
const text = told.join('\n');
const isLong = ([, number]) => number.replace('.', '').replace(/^0+/, '').length > 3;
const times = [...text.matchAll(/\b(\d+(?:\.\d+)?)\s?(?:s|ms|µs|min|h)\b/g)].filter(isLong);
const fractions = [...text.matchAll(/\b(\d+\.\d{4,})/g)].filter(isLong);
const moments = [...text.matchAll(/\d:\d\d\.\d+/g)];
return [...times, ...fractions, ...moments].map(([found]) => found);
";

/// The boxes that scroll sideways, as they are called; null for one that the keyboard does not reach or that
/// nobody called anything.
const BOXES: &str = r"
return [...document.querySelectorAll('*')]
    .filter((element) => element.scrollWidth > element.clientWidth + 1)
    .filter((element) => ['auto', 'scroll'].includes(getComputedStyle(element).overflowX))
    .map((element) => (element.tabIndex === 0 && element.role === 'region' ? element.ariaLabel : null));
";

/// What is wrong with a page on some screen or on paper.
pub async fn overflows(browser: &Browser, path: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for width in SCREENS {
        browser.resize(width).await;
        let over = browser.run(OVER, json!([])).await;
        if over != json!([]) {
            wrong.push(format!("{path} at {width}: {over}"));
        }
    }
    let exact = browser.run(EXACT, json!([])).await;
    if exact != json!([]) {
        wrong.push(format!("{path} has times of many digits: {exact}"));
    }
    browser.print(true).await;
    browser.resize(PAPER).await;
    let cut = browser.run(CUT, json!([])).await;
    if cut != json!([]) {
        wrong.push(format!("{path} on paper: {cut}"));
    }
    browser.print(false).await;
    wrong
}

/// Moves every box that scrolls sideways by the keyboard; how many there are.
async fn scroll_boxes(browser: &Browser, path: &str) -> usize {
    let boxes = browser.run(BOXES, json!([])).await;
    let boxes = boxes.as_array().unwrap();
    for name in boxes {
        let name = name.as_str();
        let name = name
            .unwrap_or_else(|| panic!("{path}: a box without a name or the keyboard: {boxes:?}"));
        let selector = format!("[role='region'][aria-label='{name}']");
        browser.focus(&selector).await;
        let outline = "return getComputedStyle(document.activeElement).outlineStyle";
        assert_ne!(
            browser.run(outline, json!([])).await,
            "none",
            "{path}: {name}"
        );
        let moved = "return document.querySelector(arguments[0]).scrollLeft > 0";
        eventually(&format!("{name} of {path} scrolls"), async || {
            // What comes of a key may be cut short by a change of the page.
            browser.press(&[RIGHT]).await;
            (browser.run(moved, json!([selector])).await == true).then_some(())
        })
        .await;
    }
    boxes.len()
}

#[tokio::test]
async fn no_page_scrolls_sideways_but_its_boxes_and_none_is_cut_on_paper() {
    let states = States::start().await;
    let browser = Browser::start(TELEPHONE, 740).await;
    let mut wrong = Vec::new();
    let mut boxes = 0;
    for path in &states.pages {
        browser.resize(TELEPHONE).await;
        open(&browser, &states.service, path).await;
        boxes += scroll_boxes(&browser, path).await;
        wrong.extend(overflows(&browser, path).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(boxes >= 10, "{boxes}");
}
