//! What pages and reports have to say of a run, by what the API says of it.

mod rooms;

use std::collections::BTreeMap;

use serde_json::Value;

use self::rooms::{deliveries, sockets};

/// What the API says of one figure.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    Word(String),
    Number(Option<f64>),
}

/// By place, as [`figures`](crate::reading::figures) has it.
pub type Expected = BTreeMap<String, Told>;

fn number(value: &Value) -> Told {
    Told::Number(value.as_f64())
}

pub fn word(text: impl Into<String>) -> Told {
    Told::Word(text.into())
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn float(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// The share that failed.
fn share(passed: &Value, failed: &Value) -> Told {
    let of = float(passed) + float(failed);
    Told::Number((of > 0.0).then(|| float(failed) / of))
}

/// `2026-11-21T20:07:13.123Z` as `2026-11-21 20:07:13 UTC`.
fn moment(rfc3339: &str) -> String {
    let whole = rfc3339.trim_end_matches('Z').split('.').next().unwrap();
    format!("{} UTC", whole.replace('T', " "))
}

/// The state or the verdict of a run.
fn standing(report: &Value) -> String {
    let state = if report["verdict"].is_null() {
        "state"
    } else {
        "verdict"
    };
    text(report, state).replace('_', " ")
}

/// The steps of a run and its whole chats, each with its name, counts and latencies.
fn steps(report: &Value) -> Vec<(String, Value, Value)> {
    let steps = report["steps"].as_array().unwrap().iter();
    let mut all: Vec<_> = steps
        .map(|step| {
            (
                text(step, "step").to_owned(),
                step.clone(),
                step["latency"].clone(),
            )
        })
        .collect();
    let resent = all
        .iter()
        .filter_map(|(_, step, _)| step["resent"].as_u64());
    let mut whole = report["chats"].clone();
    whole["resent"] = resent.sum::<u64>().into();
    all.push((
        "whole chats".to_owned(),
        whole,
        report["chat_duration"].clone(),
    ));
    all
}

/// `agent_join_timeout 4 stopped 1`, as the last column of the steps has it.
fn details(counts: &Value) -> Told {
    let reasons = counts["failed_by_reason"].as_object().unwrap().iter();
    let others = [("stopped", "stopped"), ("sent again", "resent")];
    let others = others.map(|(name, key)| (name.to_owned(), &counts[key]));
    let told = reasons
        .map(|(reason, count)| (reason.clone(), count))
        .chain(others);
    let told = told.filter(|(_, count)| count.as_u64() > Some(0));
    let mut told: Vec<_> = told
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    told.sort();
    word(told.join(" "))
}

pub fn run_page(report: &Value) -> Expected {
    let mut told = Expected::new();
    let mut put = |place: String, value: Told| told.insert(place, value);
    put("State".to_owned(), word(standing(report)));
    let why = report["verdict_reasons"].as_array().unwrap().iter();
    let why: Vec<_> = why.map(|reason| reason.as_str().unwrap()).collect();
    put("Reasons".to_owned(), word(why.join("\n")));
    let elapsed = &report["elapsed_seconds"];
    let over = report["state"] == "ended";
    put(
        if over { "Took" } else { "So far" }.to_owned(),
        number(elapsed),
    );
    put("Began".to_owned(), word(moment(text(report, "started_at"))));
    put("Load".to_owned(), word(text(report, "load")));
    let chats = &report["chats"];
    for name in [
        "in progress",
        "started",
        "passed",
        "failed",
        "stopped",
        "dropped",
    ] {
        put(
            format!("Chats / {name}"),
            number(&chats[name.replace(' ', "_")]),
        );
    }
    // All at once is no rate.
    let scheduled = report["scheduled_seconds"].as_f64();
    if let Some(scheduled) = scheduled.filter(|scheduled| over && *scheduled >= 0.5) {
        let mean = float(&chats["started"]) / scheduled;
        put(
            "Chats / started on average".to_owned(),
            Told::Number(Some(mean)),
        );
    }
    for (name, asked) in [("asked for", "rate"), ("customers asked for", "customers")] {
        if let Some(asked) = report["pace"][asked].as_f64() {
            put(format!("Chats / {name}"), Told::Number(Some(asked)));
        }
    }
    for (name, counts, latency) in steps(report) {
        let mut cell = |column: &str, value| put(format!("Steps / {name} / {column}"), value);
        let (passed, failed) = (&counts["passed"], &counts["failed"]);
        cell("Passed", number(passed));
        cell("Failed", number(failed));
        cell("Failed, %", share(passed, failed));
        let rate = (float(passed) + float(failed)) / float(elapsed);
        cell("Ended", Told::Number(Some(rate)));
        for quantile in ["p50", "p90", "p95", "p99", "max"] {
            cell(quantile, number(&latency[quantile]));
        }
        cell("Details", details(&counts));
    }
    events(report, &mut told, "Events received / ", "");
    sockets(report, &mut told);
    deliveries(report, &mut told);
    thresholds(report, &mut told, "", ", then");
    generator(report, &mut told);
    told
}

fn events(report: &Value, told: &mut Expected, before: &str, behind: &str) {
    let events = &report["events"];
    let fates = events["by_fate"].as_object().unwrap().iter();
    let fates = fates.map(|(fate, count)| (fate.replace('_', " "), count));
    let sums = ["received", "waiting"].map(|name| (name.to_owned(), &events[name]));
    for (name, count) in fates.chain(sums) {
        told.insert(format!("{before}{name}{behind}"), number(count));
    }
}

/// How each stands at one place, what was measured at another.
fn thresholds(report: &Value, told: &mut Expected, stands: &str, measured: &str) {
    for threshold in report["thresholds"].as_array().unwrap() {
        let place = format!("Thresholds / {}", text(threshold, "threshold"));
        let state = text(threshold, "state").replace('_', " ");
        told.insert(format!("{place}{stands}"), word(state));
        told.insert(
            format!("{place}{measured}"),
            word(text(threshold, "measured")),
        );
    }
}

fn generator(report: &Value, told: &mut Expected) {
    let machine = &report["machine"];
    for (name, value) in [
        ("Starts late, p99", &report["start_lateness"]["p99"]),
        ("Requests late, p99", &report["send_lateness"]["p99"]),
        (
            "Waits for a connection, p99",
            &report["connection_wait"]["p99"],
        ),
        ("CPUs used", &machine["cpus"]["mean"]),
        ("CPU wait", &machine["cpu_wait"]["mean"]),
        ("Memory, at most", &machine["memory_bytes"]["most"]),
        ("Host busy", &machine["host_busy"]["mean"]),
        ("Files, at most", &machine["files"]["most"]),
        ("Latency error, at most", &report["precision"]),
    ] {
        told.insert(name.to_owned(), number(value));
    }
}

pub fn html_report(report: &Value) -> Expected {
    let mut told = Expected::new();
    let state = match &*standing(report) {
        "passed" => "Passed",
        "failed" => "Failed",
        "stopped" => "Stopped before its end",
        _ => "In progress",
    };
    told.insert("State".to_owned(), word(state));
    let chats = &report["chats"];
    let counts = [
        ("chats began", "started"),
        ("passed", "passed"),
        ("failed", "failed"),
        ("were stopped", "stopped"),
    ];
    for (name, key) in counts {
        told.insert(format!("Chats / {name}"), number(&chats[key]));
    }
    told.insert("Took".to_owned(), number(&report["elapsed_seconds"]));
    told.insert("Began".to_owned(), word(moment(text(report, "started_at"))));
    for (name, counts, latency) in steps(report) {
        let name = name.replace("whole chats", "Whole chats");
        let mut cell =
            |column: &str, value| told.insert(format!("Steps / {name} / {column}"), number(value));
        cell("Passed", &counts["passed"]);
        cell("Failed", &counts["failed"]);
        for quantile in ["p50", "p90", "p95", "p99"] {
            cell(quantile, &latency[quantile]);
        }
        cell("Slowest", &latency["max"]);
        cell("Mean", &latency["mean"]);
        if chats["stopped"] != 0 {
            cell("Stopped", &counts["stopped"]);
        }
    }
    thresholds(report, &mut told, " / ", " / Measured");
    events(report, &mut told, "Events received / ", " / Events");
    for (row, key) in [
        ("Chats began after they were due", &report["start_lateness"]),
        (
            "Requests waited for the generator",
            &report["send_lateness"],
        ),
        ("Its heartbeat was late", &report["scheduler_lag"]),
        (
            "A thread that only sleeps woke late",
            &report["machine"]["thread_lag"],
        ),
    ] {
        for (column, quantile) in [
            ("p50", "p50"),
            ("p95", "p95"),
            ("p99", "p99"),
            ("Most", "max"),
        ] {
            told.insert(format!("Delays / {row} / {column}"), number(&key[quantile]));
        }
    }
    for (row, key) in [
        ("CPUs used", "cpus"),
        ("CPU wait", "cpu_wait"),
        ("Memory in RAM", "memory_bytes"),
        ("Host busy", "host_busy"),
        ("Files open", "files"),
        ("TCP sockets", "sockets"),
        ("Run queue of the host", "run_queue"),
    ] {
        for (column, of) in [("Mean", "mean"), ("Most", "most")] {
            told.insert(
                format!("Machine / {row} / {column}"),
                number(&report["machine"][key][of]),
            );
        }
    }
    told
}

/// The row of a run in the list of runs.
pub fn row(report: &Value) -> Expected {
    let (chats, scenario) = (&report["chats"], text(report, "scenario"));
    [
        ("Result", word(standing(report))),
        ("Kind", word(text(report, "mode"))),
        (
            "Scenario",
            word(format!("{scenario} on {}", text(report, "target"))),
        ),
        ("Passed", number(&chats["passed"])),
        ("Failed", number(&chats["failed"])),
        ("Chats, p95", number(&report["chat_duration"]["p95"])),
        ("Took", number(&report["elapsed_seconds"])),
        ("Began", word(moment(text(report, "started_at")))),
    ]
    .map(|(column, told)| {
        (
            format!("Runs, the latest first / {} / {column}", text(report, "id")),
            told,
        )
    })
    .into()
}

/// The row of a burst in progress on the page of what goes on now.
pub fn burst_now(report: &Value) -> Expected {
    let chats = &report["chats"];
    [
        ("State", word(standing(report))),
        ("Load", word(text(report, "load"))),
        ("In progress", number(&chats["in_progress"])),
        ("Passed", number(&chats["passed"])),
        ("Failed", number(&chats["failed"])),
    ]
    .map(|(column, told)| {
        (
            format!("Bursts in progress / {} / {column}", text(report, "id")),
            told,
        )
    })
    .into()
}

/// The row of a probe there.
pub fn probe_now(report: &Value) -> Expected {
    let latest = "Probes with their last results / watch / Latest result";
    [
        (latest.to_owned(), word(standing(report))),
        (
            format!("{latest}, then"),
            number(&report["elapsed_seconds"]),
        ),
    ]
    .into()
}
