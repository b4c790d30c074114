//! What is drawn over the load of a search, and what is said of a long run.

use serde_json::json;

use super::*;
use crate::event::Mode;

/// A search by rate: 30/s held, 40/s broke, and at 60/s the generator could not follow.
fn search_by_rate() -> RunRecord {
    let mut record = usual();
    let latency = |p50: f64| json!({ "count": 9, "p50": p50, "p95": 1.5 * p50, "p99": 2.0 * p50 });
    let step = |amount: f64, p50: f64, failed: u64, broken_by: Option<&str>| {
        json!({
            "load": { "text": format!("{amount}/s"), "amount": amount }, "held": broken_by.is_none(),
            "broken_by": broken_by, "reasons": [], "started_per_second": amount,
            "ended_per_second": amount, "in_progress": 1, "thresholds": [], "failed": failed,
            "chat_duration": latency(p50),
            "steps": [{
                "step": "ask", "passed": 9, "failed": 0, "failed_by_reason": {}, "latency": latency(p50 / 2.0),
            }],
        })
    };
    let level = |amount: u64| json!({ "text": format!("{amount}/s"), "amount": amount });
    record.report.search = serde_json::from_value(json!({
        "outcome": "limit", "summary": "30/s held, 40/s broke", "held": level(30), "broke": level(40),
        "now": null,
        "steps": [
            step(10.0, 0.1, 0, None),
            step(20.0, 0.2, 0, None),
            step(40.0, 0.5, 9, Some("target")),
            step(30.0, 0.4, 3, None),
            step(60.0, 9.0, 9, Some("generator")),
        ],
    }))
    .unwrap();
    record
}

#[test]
fn a_search_is_drawn_over_its_load_with_the_limit_marked() {
    let page = search(&search_by_rate().report).into_string();
    for drawn in [
        // p50, p95 and p99 of whole chats, and p50 of the step, which are half of them.
        "d=\"M126.5 139.0h0L201.0 126.0L275.5 100.0L350.0 87.0\"",
        "d=\"M126.5 132.5h0L201.0 113.0L275.5 74.0L350.0 54.5\"",
        "d=\"M126.5 126.0h0L201.0 100.0L275.5 48.0L350.0 22.0\"",
        "p99, from 200 ms to 1 s. held: 30/s. broke: 40/s.",
        "p99, from 100 ms to 500 ms. held: 30/s. broke: 40/s.",
        // Nothing, nothing, 3 of 12 and 9 of 18 that failed.
        "d=\"M126.5 152.0h0L201.0 152.0L275.5 87.0L350.0 22.0\"",
        "chats, from 0% to 50.0%. ask, from 0% to 0%. held: 30/s. broke: 40/s.",
        "d=\"M275.5 22.0V152.0\"",
        ">held: 30/s<",
        ">40/s</text>",
    ] {
        assert!(page.contains(drawn), "{drawn} in {page}");
    }
    assert_eq!(page.matches("<svg").count(), 3);
    assert!(
        !page.contains("9 s"),
        "what the generator broke says nothing: {page}"
    );
}

#[test]
fn a_search_that_an_earlier_chatprobe_has_kept_has_its_table() {
    let mut record = search_by_rate();
    let mut value = serde_json::to_value(&record.report.search).unwrap();
    for step in value["steps"].as_array_mut().unwrap() {
        let step = step.as_object_mut().unwrap();
        for figure in ["failed", "chat_duration", "steps"] {
            step.remove(figure);
        }
    }
    record.report.search = serde_json::from_value(value).unwrap();
    let page = search(&record.report).into_string();
    assert!(
        page.contains("30/s held, 40/s broke") && !page.contains("<svg"),
        "{page}"
    );
}

#[test]
fn a_burst_is_held_against_itself_and_a_probe_is_not() {
    let mut long = record(&vec![
        Second {
            passed: vec![0.5, 0.7, 0.9],
            failed: 1,
        };
        640
    ]);
    long.report.elapsed_seconds = 640.0;
    let page = document(&long, None);
    let says = "No step became slower or failed more often between the first and the last quarter.";
    assert!(
        page.contains(says) && page.contains(">First quarter</th>"),
        "{page}"
    );
    assert!(
        page.contains("The first 2 min 40 s and the last 2 min 40 s"),
        "{page}"
    );
    long.report.mode = Mode::Probe;
    assert!(!document(&long, None).contains("data-drift"));
    let short = document(&usual(), None);
    assert!(
        short.contains("the run took less than 10 min") && !short.contains(">First quarter</th>")
    );
}
