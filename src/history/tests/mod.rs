mod damage;
mod explanation;
mod file;
mod fuzz;
mod hours;
mod interrupted;
mod joining;
mod open_chats;
mod paging;
mod queue;
mod readings;
mod tidying;
mod unreadable;
mod unwritten;

use std::{path::Path, sync::Arc};

use rusqlite::{Connection, types::FromSql};

use super::{
    HistoryError, directory::path_in, figures::HistoryCounters, file::HistoryFile,
    schema::MIGRATIONS, writer::Writer,
};
use crate::{
    event::{Mode, RunIdentity, Subject, Trigger, Verdict},
    history::Storage,
    runner::{ChatCounts, RunRecord, RunReport},
};

const MOST: u64 = 1_000_000;

fn open(folder: &Path, max_bytes: u64) -> Result<HistoryFile, HistoryError> {
    HistoryFile::open(folder, max_bytes, &HistoryCounters::default())
}

/// What writes to a file of [`MOST`] bytes, and what it counts.
fn writer(folder: &Path) -> (Writer, Arc<HistoryCounters>) {
    let settings = Storage {
        max_bytes: MOST,
        ..Storage::default()
    };
    let figures = Arc::<HistoryCounters>::default();
    let writer = Writer::new(
        folder.to_owned(),
        &settings,
        figures.clone(),
        Arc::default(),
    );
    (writer, figures)
}

/// A look at the file from outside.
fn database(folder: &Path) -> Connection {
    Connection::open(path_in(folder)).unwrap()
}

fn run() -> Arc<RunIdentity> {
    let subject = Subject {
        scenario: "chat".into(),
        target: "eu".into(),
        mode: Mode::Burst,
    };
    Arc::new(RunIdentity::new("burst".into(), subject, Trigger::Api))
}

/// The one value that a query finds.
fn value<T: FromSql>(connection: &Connection, query: &str) -> T {
    connection.query_row(query, [], |row| row.get(0)).unwrap()
}

/// Of a probe whose chat passed or failed.
fn record(passed: u64, micros: u64) -> RunRecord {
    let mut record: serde_json::Value = serde_json::from_str(RECORD).unwrap();
    let readings = serde_json::json!({ "mean": 0.0, "most": 0.0 });
    let names = [
        "cpus",
        "host_busy",
        "cpu_wait",
        "files",
        "sockets",
        "run_queue",
    ];
    let mut machine: serde_json::Map<_, _> = names
        .map(|name| (name.to_owned(), readings.clone()))
        .into_iter()
        .collect();
    machine.insert("thread_lag".to_owned(), serde_json::json!({ "count": 0 }));
    record["report"]["machine"] = machine.into();
    record["report"]["chats"]["passed"] = passed.into();
    record["report"]["chats"]["failed"] = (1 - passed).into();
    if passed == 0 {
        record["report"]["chats"]["failed_by_reason"] = serde_json::json!({ "timeout": 1 });
    } else {
        record["chat_duration"] = serde_json::json!([[micros, 1]]);
        record["steps"]["say"] = serde_json::json!([[micros, 1]]);
    }
    serde_json::from_value(record).unwrap()
}

/// The report of a burst in which nothing has happened yet.
fn begun() -> RunReport {
    let mut report = record(0, 0).report;
    report.mode = Mode::Burst;
    report.verdict = None;
    report.elapsed_seconds = 0.0;
    report.chats = ChatCounts::default();
    report.steps[0].passed = 0;
    report
}

/// A file as the chatprobe of an earlier version left it.
fn earlier(folder: &Path, version: usize) -> Connection {
    let file = Connection::open(path_in(folder)).unwrap();
    for migration in &MIGRATIONS[..version] {
        file.execute_batch(migration).unwrap();
    }
    file.pragma_update(None, "user_version", version).unwrap();
    file
}

/// Of a probe that did not pass, so that it is kept, with its hour.
fn kept(id: &str) -> RunRecord {
    let mut record = record(0, 0);
    record.report.id = id.to_owned();
    record.report.verdict = Some(Verdict::Failed);
    record
}

/// Of a probe that did nothing.
const RECORD: &str = r#"{
    "report": {
        "id": "r", "name": "p", "scenario": "s", "target": "t", "mode": "probe", "trigger": "interval",
        "state": "ended", "verdict": "passed", "verdict_reasons": [], "load": "", "load_changed_to": null,
        "search": null, "warnings": [], "inputs": {}, "seed": 1, "started_at": "2026-05-04T10:59:59Z",
        "elapsed_seconds": 1.0,
        "chats": { "started": 1, "passed": 0, "failed": 0, "failed_by_reason": {}, "stopped": 0,
            "in_progress": 0, "most_in_progress": 1, "dropped": 0 },
        "chat_duration": { "count": 0 },
        "steps": [{ "step": "say", "passed": 1, "failed": 0, "failed_by_reason": {}, "latency": { "count": 0 } }],
        "thresholds": [],
        "events": { "received": 0, "by_fate": {}, "waiting": 0, "differences": [] },
        "start_lateness": { "count": 0 }, "send_lateness": { "count": 0 }, "connection_wait": { "count": 0 }, "scheduler_lag": { "count": 0 },
        "machine": null,
        "failures": []
    },
    "samples": [], "chat_duration": [], "steps": { "say": [] }
}"#;
