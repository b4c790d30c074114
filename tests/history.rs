//! What outlives the process: runs, their seconds, failures, whatever becomes of the process and the disk.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use support::{
    Answer, Centre, Folder, PROBE, Process, QUICK, SCENARIO, Service, Signal, eventually, plain,
};
use tokio::time::{Instant, sleep};

const DATA: &str = "data: { directory: data }";

async fn serve_in(folder: Folder, configuration: &str) -> Service {
    Service::start_in(folder, configuration, &[], &[]).await
}

/// Starts a burst of the shipped scenario; its id.
async fn start(service: &Service, load: &str, more: &str) -> String {
    let body = format!(
        "{{ scenario: {SCENARIO}, target: centre, load: {load}, inputs: {QUICK}, seed: 1{more} }}"
    );
    let answer = service.order("POST", "/api/v1/bursts", &body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.text("id")
}

async fn read(service: &Service, path: &str) -> Value {
    let answer: Answer = service.read(path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.body
}

async fn ended(service: &Service, run: &str) -> Value {
    eventually("the end of the run", async || {
        let report = read(service, &format!("/api/v1/runs/{run}")).await;
        Some(report).filter(|report| report["state"] == "ended")
    })
    .await
}

fn ids(list: &Value) -> Vec<String> {
    let list = list.as_object().unwrap().values().next().unwrap();
    let ids = list.as_array().unwrap().iter();
    ids.map(|entry| entry["id"].as_str().unwrap().to_owned())
        .collect()
}

fn sum(samples: &Value, count: &str) -> u64 {
    let samples = samples.as_array().unwrap().iter();
    samples.map(|sample| sample[count].as_u64().unwrap()).sum()
}

/// How often a step passed, by a report.
fn passed(report: &Value, step: &str) -> u64 {
    let steps = report["steps"].as_array().unwrap();
    let step = steps.iter().find(|known| known["step"] == step).unwrap();
    step["passed"].as_u64().unwrap()
}

fn database(folder: &Folder) -> Connection {
    Connection::open(folder.path("data/history.sqlite")).unwrap()
}

fn rows(connection: &Connection, table: &str) -> u64 {
    let query = format!("SELECT count(*) FROM {table}");
    connection.query_row(&query, [], |row| row.get(0)).unwrap()
}

fn assert_sound(connection: &Connection) {
    let found: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(found, "ok");
}

#[tokio::test]
async fn a_restart_keeps_runs_with_their_seconds_and_probes_by_the_hour() {
    let centre = Centre::start("{}").await;
    let probe = format!(
        "{DATA}\nprobes: {{ watch: {{ scenario: {SCENARIO}, target: centre, every: 200ms, inputs: {QUICK} }} }}"
    );
    let configuration = plain(&centre.url, &probe);
    let mut service = serve_in(Folder::new(), &configuration).await;
    let first = start(&service, "{ chats: 5, ramp: 1500ms }", ", by: Ada").await;
    let before = ended(&service, &first).await;
    let second = start(&service, "{ chats: 2 }", "").await;
    ended(&service, &second).await;
    service.passed(3).await;
    service.process.finish().await;
    let counted = {
        let connection = database(&service.folder);
        assert_sound(&connection);
        assert_eq!(rows(&connection, "samples"), 0, "they are in the record");
        assert_eq!(rows(&connection, "open_chats"), 0, "every chat has ended");
        rows(&connection, "probe_hours")
    };
    assert!(counted >= 1);

    let service = serve_in(service.folder, &plain(&centre.url, DATA)).await;
    assert_eq!(
        read(&service, &format!("/api/v1/runs/{first}")).await,
        before
    );
    assert_eq!(before["asked_by"], "Ada");
    assert_eq!(before["configuration"].as_str().unwrap().len(), 16);
    let record = read(&service, &format!("/api/v1/runs/{first}/report.json")).await;
    assert_eq!(record["report"], before);
    assert_eq!(sum(&record["samples"], "started"), 5);
    assert_eq!(sum(&record["samples"], "passed"), 5);
    let joins = record["steps"]["agent_join"].as_array().unwrap().iter();
    assert_eq!(
        joins.map(|bucket| bucket[1].as_u64().unwrap()).sum::<u64>(),
        5
    );

    let list = async |query: &str| ids(&read(&service, &format!("/api/v1/runs?{query}")).await);
    assert_eq!(list("mode=burst").await, [&*second, &*first]);
    assert_eq!(list("mode=burst&limit=1").await, [&*second]);
    assert_eq!(
        list(&format!("mode=burst&before={second}")).await,
        [&*first]
    );
    assert_eq!(list("state=interrupted").await, Vec::<String>::new());
    assert_eq!(list("name=ad-hoc&state=ended").await, [&*second, &*first]);
    assert_eq!(list("mode=burst&verdict=passed").await, [&*second, &*first]);
    assert_eq!(list("verdict=failed").await, Vec::<String>::new());

    let hours = read(&service, "/api/v1/probes/watch/hours").await;
    let hours = hours["hours"].as_array().unwrap().clone();
    let runs: u64 = hours
        .iter()
        .map(|hour| hour["runs"].as_u64().unwrap())
        .sum();
    let passed: u64 = hours
        .iter()
        .map(|hour| hour["passed"].as_u64().unwrap())
        .sum();
    // One more may have passed than was waited for, and one may have been stopped.
    assert!(
        passed >= 3 && runs >= passed && runs <= passed + 1,
        "{hours:?}"
    );
    let stopped = service
        .order("POST", &format!("/api/v1/runs/{first}/stop"), "")
        .await;
    assert_eq!(stopped.status, 409, "{stopped:?}");
}

/// Whatever the moment at which it is killed, twenty times from the same folder.
#[tokio::test]
async fn killed_at_any_moment_the_database_opens_and_nothing_is_counted_twice() {
    const TIMES: usize = 20;
    /// What it may take until a run that began is in the file.
    const NOTED: Duration = Duration::from_millis(500);
    let centre = Centre::start("{ join: 300ms }").await;
    let configuration = plain(&centre.url, &format!("{DATA}\nshutdown: {{ grace: 0s }}"));
    let begun = Instant::now();
    let mut folder = Folder::new();
    let mut killed: Vec<Killed> = Vec::new();
    let mut seen_before = 0;
    for _ in 0..TIMES {
        let mut service = serve_in(folder, &configuration).await;
        for killed in &mut killed {
            killed.check(&service).await;
        }
        let run = start(&service, "{ chats: 5000, ramp: 10s }", "").await;
        let after = Duration::from_millis(fastrand::u64(0..2_500));
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
    let orphaned = with(|report| report["orphans"][0]["correlation"]["session_id"].is_string());
    assert!(
        counted.min(timed).min(orphaned) >= TIMES / 4,
        "{counted}, {timed}, {orphaned}"
    );
    assert!(
        begun.elapsed() < Duration::from_mins(5),
        "{:?}",
        begun.elapsed()
    );
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
        assert!(report["orphans_total"].as_u64().unwrap() <= self.seen);
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
        assert_eq!(sum(&record["samples"], "started"), count("started"));
        assert_eq!(
            sum(&record["samples"], "received"),
            report["books"]["received"]
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
    let books = &report["books"];
    let settled = sum(&books["by_fate"]);
    let waiting = books["waiting"].as_u64().unwrap();
    assert_eq!(books["received"], settled + waiting, "{books}");
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

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_a_new_one_begins() {
    let centre = Centre::start("{}").await;
    let folder = Folder::new();
    folder.write("data/history.sqlite", &"this is no database ".repeat(1_000));
    let mut service = serve_in(folder, &plain(&centre.url, DATA)).await;
    let told = service.process.line("the history is damaged").await;
    assert!(told.contains("history.sqlite.damaged"), "{told}");
    let run = start(&service, "{ chats: 2 }", "").await;
    ended(&service, &run).await;
    service
        .when("the file that was set aside", |metrics| {
            metrics.count("chatprobe_history_files_set_aside_total", &[]) == 1
        })
        .await;
    service.process.finish().await;
    assert!(
        service
            .folder
            .read("data/history.sqlite.damaged")
            .starts_with("this is no")
    );
    let service = serve_in(service.folder, &plain(&centre.url, DATA)).await;
    let report = read(&service, &format!("/api/v1/runs/{run}")).await;
    assert_eq!(report["chats"]["passed"], 2);
}

#[tokio::test]
async fn a_folder_that_is_moved_away_is_told_and_a_new_one_begins() {
    let centre = Centre::start("{}").await;
    let mut service = serve_in(Folder::new(), &plain(&centre.url, DATA)).await;
    let first = start(&service, "{ chats: 2 }", "").await;
    ended(&service, &first).await;
    // Whole: what is written of it later would be in the new file.
    let whole = "runs WHERE rest IS NOT NULL";
    let first_kept = async || (rows(&database(&service.folder), whole) == 1).then_some(());
    eventually("its record", first_kept).await;
    std::fs::rename(service.folder.path("data"), service.folder.path("away")).unwrap();
    let second = start(&service, "{ chats: 2 }", "").await;
    let report = ended(&service, &second).await;
    assert_eq!(report["verdict"], "passed", "{report}");
    let told = service.process.line("the history is missing").await;
    assert!(told.contains("deleted or moved"), "{told}");
    eventually("a new file with the second run", async || {
        let path = service.folder.path("data/history.sqlite");
        let kept = std::path::Path::new(&path).exists();
        // Until it is made there may be no such table.
        let count = "SELECT count(*) FROM runs";
        let runs = || database(&service.folder).query_row(count, [], |row| row.get(0));
        (kept && runs() == Ok(1)).then_some(())
    })
    .await;
    service
        .when("rows that can be written again", |metrics| {
            metrics.count("chatprobe_history_broken", &[]) == 0
        })
        .await;
    service.process.finish().await;
    let service = serve_in(service.folder, &plain(&centre.url, DATA)).await;
    let kept = ids(&read(&service, "/api/v1/runs?mode=burst").await);
    assert_eq!(kept, [second]);
}

#[tokio::test]
async fn a_full_disk_costs_history_and_no_measurement() {
    let centre = Centre::start("{}").await;
    let folder = Folder::new();
    let file = folder.write("chatprobe.yaml", &plain(&centre.url, DATA));
    // No file may grow beyond so many blocks of 512 bytes, as on a disk that is full.
    let limits = "-f 200; trap '' XFSZ; true";
    let mut process = Process::start_limited(limits, &["serve", "--config", &file]);
    let line = process.line("/metrics").await;
    let from = line.find("http://").unwrap();
    let web = line[from..].split("/metrics").next().unwrap().to_owned();
    let mut service = Service {
        process,
        folder,
        token: None,
        web,
    };
    let mut lost = 0;
    for _ in 0..20 {
        let run = start(&service, "{ chats: 20 }", "").await;
        let report = ended(&service, &run).await;
        assert_eq!(report["verdict"], "passed", "{report}");
        assert_eq!(report["chats"]["passed"], 20);
        sleep(Duration::from_millis(300)).await;
        let metrics = service.metrics().await;
        lost = metrics.count("chatprobe_history_rows_lost_total", &[]);
        if lost > 0 {
            break;
        }
    }
    assert!(lost > 0, "{}", service.process.log());
    let told = service.process.line("rows are lost").await;
    assert!(
        told.contains("cannot be written") && told.contains("data"),
        "{told}"
    );
    let metrics = service.metrics().await;
    assert_eq!(
        metrics.count(
            "chatprobe_bursts_total",
            &[("burst", "ad-hoc"), ("verdict", "failed")]
        ),
        0
    );
    service.process.finish().await;
    assert_sound(&database(&service.folder));
}

#[tokio::test]
async fn a_disk_that_hangs_holds_up_no_run_and_costs_nothing_once_it_is_back() {
    let centre = Centre::start("{}").await;
    let service = serve_in(Folder::new(), &plain(&centre.url, DATA)).await;
    let connection = database(&service.folder);
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    let run = start(&service, "{ chats: 20, ramp: 2s }", "").await;
    let report = ended(&service, &run).await;
    assert_eq!(report["verdict"], "passed", "{report}");
    assert_eq!(
        rows(&connection, "runs"),
        0,
        "the thread that writes still waits"
    );
    connection.execute_batch("COMMIT").unwrap();
    eventually("its row", async || {
        (rows(&connection, "runs") == 1).then_some(())
    })
    .await;
    let record = eventually("its record", async || {
        let kept = "SELECT rest FROM runs WHERE rest IS NOT NULL";
        connection
            .query_row(kept, [], |row| row.get::<_, String>(0))
            .ok()
    });
    let record: Value = serde_json::from_str(&record.await).unwrap();
    assert_eq!(sum(&record["samples"], "passed"), 20);
    let metrics = service.metrics().await;
    assert_eq!(metrics.count("chatprobe_history_rows_lost_total", &[]), 0);
}

#[tokio::test]
async fn the_file_stays_below_its_size_and_the_oldest_runs_go() {
    const MOST: u64 = 1_000_000;
    let centre = Centre::start("{}").await;
    let data = format!("data: {{ directory: data, max_bytes: {MOST} }}");
    let mut service = serve_in(Folder::new(), &plain(&centre.url, &data)).await;
    let first = start(&service, "{ chats: 3 }", "").await;
    ended(&service, &first).await;
    service.process.finish().await;
    let path = service.folder.path("data/history.sqlite");
    let size = || std::fs::metadata(&path).unwrap().len();
    {
        let connection = database(&service.folder);
        connection
            .execute_batch(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
                 INSERT INTO runs SELECT substr(id, 1, 5) || printf('%06x-%d', i, i), mode, name, \
                 state, report, rest FROM runs, n WHERE runs.id = (SELECT max(id) FROM runs)",
            )
            .unwrap();
    }
    assert!(size() > MOST, "{}", size());
    let service = serve_in(service.folder, &plain(&centre.url, &data)).await;
    let second = start(&service, "{ chats: 3 }", "").await;
    ended(&service, &second).await;
    eventually("a smaller file", async || (size() <= MOST).then_some(())).await;
    let kept = ids(&read(&service, "/api/v1/runs?mode=burst&limit=1000").await);
    assert_eq!(kept[..2], [second, first], "the latest stay");
    let kept = rows(&database(&service.folder), "runs");
    assert!((20..480).contains(&kept), "{kept}");
    let metrics = service.metrics().await;
    assert_eq!(metrics.count("chatprobe_history_rows_lost_total", &[]), 0);
}

#[tokio::test]
async fn a_folder_that_cannot_be_is_told_and_stops_nothing() {
    let centre = Centre::start("{}").await;
    let folder = Folder::new();
    folder.write("data", "a file where a folder should be");
    let mut service = serve_in(folder, &plain(&centre.url, DATA)).await;
    let told = service.process.line("cannot use the folder").await;
    assert!(told.contains("change `data.directory`"), "{told}");
    let run = start(&service, "{ chats: 2 }", "").await;
    let report = ended(&service, &run).await;
    assert_eq!(report["verdict"], "passed");
    service
        .when("the loss", |metrics| {
            metrics.count("chatprobe_history_broken", &[]) == 1
                && metrics.count("chatprobe_history_rows_lost_total", &[]) > 0
        })
        .await;
    assert_eq!(
        json!(ids(&read(&service, "/api/v1/runs").await)),
        json!([run])
    );
    let probes = service.metrics().await;
    assert_eq!(probes.find("chatprobe_chats_failed_total", &PROBE), None);
}
