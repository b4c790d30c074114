mod over_load;

use serde_json::Value;

use super::*;
use crate::{
    event::{Fate, Verdict},
    report::{
        Comparison, junit,
        testing::{Second, record, with_rooms},
    },
    runner::{HealthReport, OtherCallback, Quantiles, RunRecord, RunState, TeardownFailure},
    scenario::Reason,
};

const EVIL: &str = "<script>alert(\"1\")</script>'&";

fn usual() -> RunRecord {
    let second = Second {
        passed: vec![0.5, 0.7, 0.9],
        failed: 1,
    };
    record(&vec![second; 20])
}

/// Puts a text into every text of a record, names of inputs and correlations among them.
fn poison(value: &mut Value, known: &[&str]) {
    match value {
        Value::String(text) if !known.contains(&text.as_str()) => EVIL.clone_into(text),
        Value::Array(list) => list.iter_mut().for_each(|value| poison(value, known)),
        Value::Object(map) => map.values_mut().for_each(|value| poison(value, known)),
        _ => {}
    }
}

/// A run of which everything is told that can be, in texts of others.
fn poisoned() -> RunRecord {
    let mut value = serde_json::to_value(usual()).unwrap();
    let report = &mut value["report"];
    report["verdict_reasons"] = serde_json::json!(["x"]);
    report["load_changed_to"] = "x".into();
    report["warnings"] = serde_json::json!(["x"]);
    report["inputs"] = serde_json::json!({ EVIL: "x", "count": [EVIL] });
    let threshold = serde_json::json!({ "threshold": "x", "held": true, "measured": "x" });
    report["thresholds"] = serde_json::json!([threshold]);
    report["events"]["differences"] = serde_json::json!(["x"]);
    report["events"]["through_other_callbacks"] = 1.into();
    report["events"]["other_callbacks"] =
        serde_json::json!([{ "run": "x", "name": "x", "events": 1 }]);
    report["teardown_failed"] =
        serde_json::json!({ "step": "x", "reason": "timeout", "detail": "x" });
    report["failures"] = serde_json::json!([{
        "chat": 1, "step": "x", "reason": "timeout", "detail": "x", "correlation": { EVIL: "x" },
    }]);
    report["search"] = serde_json::json!({
        "outcome": "limit", "summary": "x", "held": null, "broke": null, "now": null,
        "steps": [{
            "load": { "text": "x", "amount": 1.0 }, "held": true, "broken_by": null,
            "reasons": ["x"], "started_per_second": 1.0, "ended_per_second": 1.0,
            "in_progress": 1, "thresholds": [threshold],
        }],
    });
    poison(
        &mut value,
        &["burst", "api", "ended", "passed", "timeout", "limit"],
    );
    serde_json::from_value(value).unwrap()
}

#[test]
fn whatever_others_say_stays_text() {
    let record = poisoned();
    let baseline = BaselineCheck::new(&[&usual()], &record, Some(0.0));
    let mut page = document(&record, Some(&baseline));
    page.push_str(&comparison_document(&Comparison::of(&[&record], &record)));
    assert!(
        !page.contains("<script") && !page.contains("alert(\"1\")"),
        "{page}"
    );
    let escaped = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;'&amp;";
    let shown = page.matches(escaped).count();
    // Each text of the record at least once.
    let told = serde_json::to_string(&record)
        .unwrap()
        .matches("<script>")
        .count();
    assert!(shown > told, "{shown} of {told}");
    // No attribute is in single quotes, out of which one of theirs could lead.
    assert!(!page.contains("='"), "{page}");
}

#[test]
fn a_report_needs_nothing_from_elsewhere() {
    let page = document(&usual(), None);
    for reference in [
        "http:",
        "https:",
        "src=",
        "href=",
        "url(",
        "@import",
        "<link",
        "style=",
        "javascript",
    ] {
        assert!(!page.contains(reference), "{reference}");
    }
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
}

#[test]
fn the_verdict_and_why_come_first() {
    let mut record = usual();
    record.report.verdict = Some(Verdict::Failed);
    record.report.verdict_reasons = vec!["broken: p95 <= 1 s".to_owned()];
    let page = document(&record, None);
    let at = |text: &str| {
        page.find(text)
            .unwrap_or_else(|| panic!("{text} in {page}"))
    };
    let order = [
        "Failed</h2>",
        "broken: p95 &lt;= 1 s",
        "<h2>Steps",
        "<h2>Thresholds",
        "<h2>Over time",
        "<h2>Errors",
        "ask: timeout",
        "<h2>Load",
        "<h2>Generator",
        "<h2>Events received",
    ];
    assert!(order.map(at).is_sorted(), "{page}");
    assert!(page.contains("20 of 80 (25.0%)"), "{page}");
}

#[test]
fn each_verdict_has_a_word_and_a_sign() {
    let mut record = usual();
    let mut told = std::collections::BTreeSet::new();
    for verdict in Verdict::ALL.map(Some).into_iter().chain([None]) {
        record.report.verdict = verdict;
        let page = document(&record, None);
        let (_, head) = page.split_once("<h2><span aria-hidden=\"true\">").unwrap();
        told.insert(head.split_once("</h2>").unwrap().0.to_owned());
    }
    assert_eq!(told.len(), 5, "{told:?}");
}

#[test]
fn a_run_that_was_cut_off_is_not_in_progress_and_what_is_unknown_is_no_zero() {
    let mut record = usual();
    let report = &mut record.report;
    report.state = RunState::Interrupted;
    report.verdict = None;
    report.chats.in_progress = 3;
    report.machine = HealthReport::default();
    report.scheduler_lag = Quantiles::default();
    report.scheduler_lag.p99 = Some(0.002);
    report.steps[0].failed += 2;
    report.events.received = 7;
    report.events.by_fate = [(Fate::Consumed, 4)].into();
    report.thresholds = serde_json::from_value(serde_json::json!([
        { "threshold": "p95 <= 1 s", "state": "pending", "measured": "nothing" },
    ]))
    .unwrap();
    let page = document(&record, None);
    for told in [
        "Interrupted: the process ended under it</h2>",
        "3 were in progress when it was cut off",
        "cut off and not judged",
        "… pending",
        "ask: timeout",
        "ask: reason unknown</h3><p>2 of 82",
        "What was not kept is not measured",
        "woke late</th><td class=\"number\" colspan=\"4\">not measured</td>",
        "heartbeat was late</th><td class=\"number\">not measured</td><td class=\"number\">not measured</td>\
         <td class=\"number\">2.0 ms</td><td class=\"number\">not measured</td>",
        "not known</th><td class=\"number\">3<",
        "<th scope=\"row\">Host busy</th><td class=\"number\" colspan=\"2\">not measured</td>",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    let compared = comparison_document(&Comparison::of(&[&record], &record));
    assert!(compared.contains("Now: interrupted"), "{compared}");
    assert!(compared.contains("the run was interrupted"), "{compared}");
    for page in [page, compared] {
        assert!(!page.contains("In progress</h2>"), "{page}");
        assert!(!page.contains("still in progress"), "{page}");
        assert!(!page.contains("No step failed"), "{page}");
    }
}

#[test]
fn charts_show_what_was_measured_and_what_was_not_is_left_out() {
    let mut record = usual();
    let page = charts(&record).into_string();
    for told in [
        "asked for: mean 4/s, max 4/s, from 4/s to 4/s",
        "began: mean 4/s, max 4/s, from 4/s to 4/s",
        "failed: mean 1/s, max 1/s, from 1/s to 1/s",
        "in progress: mean 0, max 7",
        "Latency of ask",
        "p50: whole run 700 ms, from 700 ms to 700 ms",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    for missing in ["dropped", "customers asked for", "A point is", "CPUs of"] {
        assert!(!page.contains(missing), "{missing} in {page}");
    }
    record.samples.clear();
    let page = document(&record, None);
    assert!(page.contains("is not known any more"), "{page}");
}

#[test]
fn the_rest_of_a_second_at_the_end_of_a_run_is_no_spike() {
    let mut record = usual();
    let mut rest = (*record.samples[19]).clone();
    (rest.at, rest.seconds) = (20.01, 0.01);
    (rest.due, rest.started, rest.failed) = (Some(1), 1, 1);
    record.samples.push(std::sync::Arc::new(rest));
    let page = charts(&record).into_string();
    // 80 and one in 20.01 seconds; five of them in the last 1.01.
    assert!(
        page.contains("began: mean 4.05/s, max 4.95/s, from 4/s to 4.95/s"),
        "{page}"
    );
    assert!(page.contains("failed: mean 1.05/s, max 1.98/s"), "{page}");
}

#[test]
fn a_run_of_hours_is_drawn_in_a_few_hundred_points() {
    let second = Second {
        passed: vec![0.5],
        failed: 0,
    };
    let page = charts(&record(&vec![second; 7_200])).into_string();
    assert!(page.contains("A point is 30 seconds"), "{page}");
    assert!(page.contains("began: mean 1/s, max 1/s, from 1/s to 1/s"));
    assert!(page.len() < 60_000, "{}", page.len());
}

#[test]
fn the_steps_that_thresholds_are_about_are_drawn_first() {
    let mut record = usual();
    let step = record.report.steps[0].clone();
    let named = |name: &str, p95: f64| {
        let mut step = step.clone();
        step.step = name.to_owned();
        step.latency.p95 = Some(p95);
        step
    };
    record.report.steps = vec![named("a", 1.0), named("b", 9.0), named("ab", 0.1)];
    record.report.thresholds = serde_json::from_value(serde_json::json!([
        { "threshold": "ab p95 <= 10 s", "held": true, "measured": "100 ms over 5" },
    ]))
    .unwrap();
    for sample in &mut record.samples {
        let sample = std::sync::Arc::make_mut(sample);
        sample.steps = vec![sample.steps[0].clone(); 3];
    }
    let page = charts(&record).into_string();
    let at = |name: &str| page.find(&format!("Latency of {name}<")).unwrap();
    assert!(at("ab") < at("b") && at("b") < at("a"));
}

#[test]
fn a_comparison_says_what_it_does_not_know() {
    let page = comparison_document(&Comparison::of(&[&usual()], &usual()));
    for told in [
        "no more than noise",
        "too little measured",
        "95.0% of such comparisons",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
}

#[test]
fn what_changed_stands_above_the_table() {
    let seconds = |latency: f64| {
        let second = Second {
            passed: vec![latency, latency * 1.1, latency * 1.2],
            failed: 0,
        };
        record(&vec![second; 20])
    };
    let (quick, slow) = (seconds(0.5), seconds(0.7));
    let worse = comparison(&Comparison::of(&[&quick], &slow)).into_string();
    let told = "<h3>Worse</h3><ul><li>Whole chats mean: 550 ms before, 770 ms now: +40.0%</li>";
    assert!(
        worse.contains(told) && !worse.contains("<h3>Better"),
        "{worse}"
    );
    let better = comparison(&Comparison::of(&[&slow], &quick)).into_string();
    assert!(
        better.contains("<h3>Better</h3>") && !better.contains("<h3>Worse"),
        "{better}"
    );
    let same = comparison(&Comparison::of(&[&quick], &quick)).into_string();
    assert!(same.contains("too little measured.</strong>"), "{same}");
}

#[test]
fn verdicts_and_counts_are_the_headline_of_a_comparison() {
    let run = |passed: usize, failed: u64, verdict: Verdict| {
        let mut seconds = vec![Second::default(); 5];
        seconds[0].passed = vec![0.5; passed];
        seconds[0].failed = failed;
        let mut record = record(&seconds);
        record.report.verdict = Some(verdict);
        record
    };
    let headline = |before: &[&RunRecord], after: &RunRecord| {
        let page = comparison_document(&Comparison::of(before, after));
        let (_, told) = page.split_once("data-overall><strong>").unwrap();
        told.split_once("</strong>").unwrap().0.to_owned()
    };
    let good = run(20, 0, Verdict::Passed);
    let bad = run(156, 44, Verdict::Failed);
    let told = headline(&[&good], &bad);
    let says = "Worse. Now failed: 156 of 200 chats passed (78.0%). \
                Before passed: 20 of 20 chats passed (100.0%). Of 10 figures: 2 worse, 8 too little measured.";
    assert_eq!(told, says);
    let told = headline(&[&good], &good);
    assert!(
        told.starts_with("Too short to compare. Now passed: "),
        "{told}"
    );
    let several = [&good, &bad, &good];
    let told = headline(&several, &good);
    let says = "Before 3 runs (1 failed, 2 passed): 196 of 240 chats passed";
    assert!(told.contains(says), "{told}");
    let page = comparison_document(&Comparison::of(&several, &good));
    assert_eq!(page.matches("<dt>Before: ").count(), 3, "{page}");
    assert!(
        page.contains("the 3 baselines differ from each other"),
        "{page}"
    );
}

#[test]
fn a_row_tells_counts_a_bounded_interval_and_the_method() {
    let failing = |failed: u64| {
        record(&[Second {
            passed: vec![0.5; 30],
            failed,
        }])
    };
    let page = comparison(&Comparison::of(&[&failing(0)], &failing(30))).into_string();
    for told in [
        "0% of 30</td>",
        "50.0% of 60</td>",
        "+50.0% points</td>",
        "&lt; 0.001</td><td>exact test</td>",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
}

#[test]
fn the_policy_allows_the_style_of_the_page_and_nothing_else() {
    let page = document(&usual(), None);
    let (_, style) = page.split_once("<style>").unwrap();
    let (style, _) = style.split_once("</style>").unwrap();
    assert_eq!(style, *STYLE);
    assert!(policy().starts_with("default-src 'none'; style-src 'sha256-"));
}

#[test]
fn every_fate_of_an_event_is_named() {
    let mut record = usual();
    record.report.events.received = 8;
    record.report.events.by_fate = Fate::ALL.map(|fate| (fate, 1)).into();
    let page = received_events(&record.report).into_string();
    assert!(
        page.contains("early expired") && page.contains("other callback"),
        "{page}"
    );
}

#[test]
fn a_failed_teardown_and_events_through_other_callbacks_are_told() {
    let mut record = usual();
    let page = document(&record, None);
    assert!(
        !page.contains("teardown") && !page.contains("callbacks of other runs"),
        "{page}"
    );
    record.report.teardown_failed = Some(TeardownFailure {
        step: Some("unhook".to_owned()),
        reason: Some(Reason::Status),
        detail: "500".to_owned(),
    });
    let events = &mut record.report.events;
    (events.received, events.through_other_callbacks) = (9, 4);
    events.other_callbacks = vec![OtherCallback {
        run: "0001".to_owned(),
        name: "rush".to_owned(),
        events: 4,
    }];
    let page = document(&record, None);
    let tests = junit::document(&record, None);
    for told in [
        "the teardown failed at `unhook`: status: 500; something may be left",
        "4 of 9 events came through the callbacks of other runs: 4 through that of rush (0001)",
    ] {
        assert!(page.contains(told), "{page}");
        assert!(tests.contains(told), "{tests}");
    }
}

#[test]
fn the_page_says_when_the_first_chat_began_and_that_none_has_ended() {
    let page = document(&usual(), None);
    for fact in [
        "<dt>First chat began</dt><dd>2026-01-02 03:04:06 UTC</dd>",
        "<dt>Last chat ended</dt><dd>–</dd>",
    ] {
        assert!(page.contains(fact), "{page}");
    }
}

#[test]
fn a_run_with_rooms_tells_of_its_sockets_and_deliveries_and_no_other_run_does() {
    let plain = usual();
    let page = document(&plain, None);
    assert!(
        !page.contains("<h2>Sockets</h2>") && !page.contains("<h2>Deliveries</h2>"),
        "{page}"
    );
    let page = document(&with_rooms(plain), None);
    for told in [
        "21 opened, 1 of them still open; 4 closed by the target (1001: 3, app: 1); 16 closed by chatprobe (1000: 16).",
        "5 received frames fell out",
        "<th scope=\"row\">received</th><td class=\"number\">37</td><td class=\"number\">2</td>",
        "2 messages were published, and 40 deliveries",
        "<th scope=\"row\">lost</th><td class=\"number bad\">3</td><td class=\"number\">7.50%</td>",
        "<th scope=\"row\">duplicate</th><td class=\"number\">7</td><td class=\"number\">–</td>",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    let charts = [
        "<figcaption>Latency of deliveries<",
        "<figcaption>Deliveries a second<",
    ];
    assert!(charts.iter().all(|title| page.contains(title)), "{page}");
    let plain = document(&usual(), None);
    assert!(!charts.iter().any(|title| plain.contains(title)), "{plain}");
}
