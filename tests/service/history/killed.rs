//! A process that is killed in the middle of a burst.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{DATA, assert_sound, database, ids, read, rows, serve_in, sum};
use crate::support::{Centre, Folder, QUICK, Service, Signal, eventually, plain, rounds};

/// Whatever the moment at which it is killed, again and again from the same folder.
#[tokio::test]
async fn killed_at_any_moment_the_database_opens_and_nothing_is_counted_twice() {
    /// What it may take until a run that began is in the file.
    const NOTED: Duration = Duration::from_millis(500);
    let kills = rounds(8, 40);
    let centre = Centre::start("{ join: 300ms }").await;
    let configuration = plain(&centre.url, &format!("{DATA}\nshutdown: {{ grace: 0s }}"));
    let begun = Instant::now();
    let mut folder = Folder::new();
    let mut killed: Vec<Killed> = Vec::new();
    let mut seen_before = 0;
    for kill in 0..kills as u64 {
        let mut service = serve_in(folder, &configuration).await;
        // The earlier ones are checked once more at the end: that each time costs the square of the kills.
        if let Some(latest) = killed.last_mut() {
            latest.check(&service).await;
        }
        let thresholds = ", thresholds: [ { step: agent_join, p95: 1h } ]";
        let run = service
            .burst("{ chats: 5000, ramp: 10s }", QUICK, thresholds)
            .await;
        // At random within its part of the span, so that all of it is tried.
        let part = 2_500 / kills as u64;
        let after = Duration::from_millis(part * kill + fastrand::u64(0..part));
        sleep(after).await;
        service.process.signal(Signal::SIGKILL);
        eventually("its end", async || {
            (!service.process.is_running()).then_some(())
        })
        .await;
        assert_sound(&database(&service.folder));
        let seen = answered(&centre.stats().await, "session_create");
        killed.push(Killed {
            run,
            seen: seen - seen_before,
            noted: after > NOTED,
            report: Value::Null,
        });
        seen_before = seen;
        folder = service.folder;
    }
    let service = serve_in(folder, &configuration).await;
    for killed in &mut killed {
        killed.check(&service).await;
    }
    let connection = database(&service.folder);
    assert_eq!(rows(&connection, "samples"), 0, "they are in the records");
    let open = killed
        .iter()
        .map(|run| run.report["orphans_total"].as_u64());
    let open: u64 = open.flatten().sum();
    assert_eq!(rows(&connection, "open_chats"), open, "as the reports say");
    let listed = ids(&read(&service, "/api/v1/runs?state=interrupted").await);
    let known = killed
        .iter()
        .filter(|killed| !killed.report.is_null())
        .count();
    assert_eq!(listed.len(), known);
    // Most moments are behind the first second, when there is something to be kept.
    let with = |holds: fn(&Value) -> bool| killed.iter().filter(|run| holds(&run.report)).count();
    let counted = with(|report| report["chats"]["started"].as_u64() > Some(0));
    let timed = with(|report| report["steps"][0]["latency"]["p99"].as_f64() > Some(0.0));
    let orphaned = with(|report| report["orphans"][1]["correlation"]["session_id"].is_string());
    assert!(
        counted.min(timed).min(orphaned) >= kills / 4,
        "{counted}, {timed}, {orphaned}"
    );
    let took = begun.elapsed();
    assert!(took < Duration::from_mins(5), "{took:?}");
}

/// A run whose process was killed.
struct Killed {
    run: String,
    /// Sessions that the centre was asked for by it.
    seen: u64,
    /// It was killed so late that the run has to be known.
    noted: bool,
    /// What was said of it the first time.
    report: Value,
}

impl Killed {
    async fn check(&mut self, service: &Service) {
        let answer = service.read(&format!("/api/v1/runs/{}", self.run)).await;
        if answer.status == 404 && !self.noted {
            return;
        }
        let report = answer.body;
        assert_eq!(report["state"], "interrupted", "{report}");
        assert_eq!(report["verdict"], Value::Null);
        if self.report.is_null() {
            self.report.clone_from(&report);
        }
        assert_eq!(report, self.report, "it stays as it is");
        let chats = &report["chats"];
        let count = |name: &str| chats[name].as_u64().unwrap();
        let over = count("passed") + count("failed") + count("stopped");
        assert_eq!(count("started"), over + count("in_progress"));
        assert!(passed(&report, "session_create") <= self.seen, "{report}");
        // What the setup made is one of them, and every other one is a chat in progress.
        let open = report["orphans_total"].as_u64().unwrap();
        assert!(open <= self.seen + 1, "{report}");
        assert!(open <= count("in_progress") + 1, "{report}");
        let threshold = &report["thresholds"][0];
        assert_eq!(threshold["threshold"], "agent_join p95 <= 1 h");
        let state = if passed(&report, "agent_join") > 0 {
            "held"
        } else {
            "not_judged"
        };
        assert_eq!(threshold["state"], state, "{report}");
        let steps = report["steps"].as_array().unwrap().iter();
        let observed = steps.filter(|step| step["observes"] == "agent_join");
        assert_eq!(observed.count(), 1, "{report}");
        assert_eq!(report["ended_by"], "crash");
        assert_pages_have_all_orphans(service, &report).await;
        let (first, last) = (
            moment(&report, "first_chat_began_at"),
            moment(&report, "last_chat_ended_at"),
        );
        assert_eq!(first.is_some(), count("started") > 0, "{report}");
        assert_eq!(last.is_some(), over > 0, "{report}");
        let sorted = [moment(&report, "started_at"), first, last]
            .into_iter()
            .flatten();
        assert!(sorted.is_sorted(), "{report}");
        assert_explained(&report);
        let record = read(service, &format!("/api/v1/runs/{}/report.json", self.run)).await;
        assert_has_percentiles(&record);
        // Chats that began later are known by their names alone.
        let later = count("started") - sum(&record["samples"], "started");
        assert!(later <= open, "{report}");
        assert_eq!(
            sum(&record["samples"], "received"),
            report["events"]["received"]
        );
    }
}

async fn assert_pages_have_all_orphans(service: &Service, report: &Value) {
    let path = format!("/api/v1/runs/{}/orphans", report["id"].as_str().unwrap());
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = read(service, &format!("{path}?limit=700{after}")).await;
        assert_eq!(page["total"], report["orphans_total"]);
        let orphans = page["orphans"].as_array().unwrap();
        let Some(last) = orphans.last() else { break };
        after = format!("&after={}", last["chat"]);
        found.extend(orphans.iter().cloned());
    }
    assert_eq!(report["orphans_total"], found.len());
    found.truncate(1_000);
    assert_eq!(report["orphans"], Value::Array(found));
}

/// Every failure has a reason, and every event became something or waits.
fn assert_explained(report: &Value) {
    let sum = |counts: &Value| -> u64 {
        let counts = counts.as_object().unwrap().values();
        counts.map(|count| count.as_u64().unwrap()).sum()
    };
    let steps = report["steps"].as_array().unwrap().iter();
    for counts in steps.chain([&report["chats"]]) {
        assert_eq!(
            counts["failed"],
            sum(&counts["failed_by_reason"]),
            "{counts}"
        );
    }
    let events = &report["events"];
    let settled = sum(&events["by_fate"]);
    let waiting = events["waiting"].as_u64().unwrap();
    assert_eq!(events["received"], settled + waiting, "{events}");
}

fn moment(report: &Value, name: &str) -> Option<jiff::Timestamp> {
    Some(report[name].as_str()?.parse().unwrap())
}

/// The histograms have whatever passed, and their percentiles lie between those of the seconds.
fn assert_has_percentiles(record: &Value) {
    let entries = |histogram: &Value| {
        let buckets = histogram.as_array().unwrap().iter();
        buckets
            .map(|bucket| bucket[1].as_u64().unwrap())
            .sum::<u64>()
    };
    let report = &record["report"];
    let (chats, batches) = (&report["chats"], record["batches"].as_array().unwrap());
    assert_eq!(report["chat_duration"]["count"], chats["passed"]);
    assert_eq!(entries(&record["chat_duration"]), chats["passed"]);
    let chats_of_batches = batches
        .iter()
        .map(|batch| entries(&batch["chats"]["latency"]));
    assert_eq!(chats_of_batches.sum::<u64>(), chats["passed"]);
    for (at, step) in report["steps"].as_array().unwrap().iter().enumerate() {
        let (latency, passed) = (&step["latency"], &step["passed"]);
        assert_eq!(&latency["count"], passed, "{step}");
        let name = step["step"].as_str().unwrap();
        assert_eq!(&json!(entries(&record["steps"][name])), passed, "{step}");
        let of_batches = batches
            .iter()
            .map(|batch| entries(&batch["steps"][at]["latency"]));
        assert_eq!(&json!(of_batches.sum::<u64>()), passed, "{step}");
        let samples = record["samples"].as_array().unwrap().iter();
        let seconds = samples.map(|sample| &sample["steps"][at]);
        let of_seconds = |figure: &str| {
            let known = seconds.clone().filter_map(|second| second[figure].as_f64());
            known.fold((f64::MAX, f64::MIN), |(least, most), value| {
                (least.min(value), most.max(value))
            })
        };
        for figure in ["p50", "p95", "max"] {
            let Some(value) = latency[figure].as_f64() else {
                assert_eq!(passed, 0, "{step}");
                continue;
            };
            let (mut least, most) = of_seconds(figure);
            if figure == "max" {
                least = most;
            }
            // Three significant digits, and a microsecond.
            let slack = most * 0.001 + 2e-6;
            assert!(
                least - slack <= value && value <= most + slack,
                "{figure} {step}"
            );
        }
    }
}

fn answered(stats: &Value, kind: &str) -> u64 {
    let answers = stats["requests"][kind].as_object();
    let counts = answers.into_iter().flat_map(|answers| answers.values());
    counts.map(|count| count.as_u64().unwrap()).sum()
}

/// How often a step passed, by a report.
fn passed(report: &Value, step: &str) -> u64 {
    let steps = report["steps"].as_array().unwrap();
    let step = steps.iter().find(|known| known["step"] == step).unwrap();
    step["passed"].as_u64().unwrap()
}
