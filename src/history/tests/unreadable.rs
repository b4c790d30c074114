//! Rows that cannot be read among others that can.

use std::sync::Arc;

use rusqlite::{Connection, params};
use serde_json::json;
use tokio::sync::mpsc;

use super::{MOST, begun, open, record, value};
use crate::{
    event::{Mode, Verdict},
    history::{
        FailureQuery, History, HistoryError, HourQuery, Listing, RunQuery, baselines::Named,
        figures::HistoryCounters, file::HistoryFile, open_chats, rows::apply, write::Write,
    },
    runner::{RunState, Sample},
    testing::TemporaryFolder,
};

/// What no row of ours has: no JSON, JSON of something else, no text, and text that is not UTF-8.
const UNREADABLE: [&str; 4] = [
    "'no JSON'",
    "'{\"verdict\":\"passed\",\"scenario\":\"s\",\"name\":\"p\"}'",
    "x'00ff'",
    "CAST(x'c328' AS TEXT)",
];

fn report(id: &str) -> String {
    let mut report = record(1, 1_000).report;
    report.id = id.to_owned();
    serde_json::to_string(&report).unwrap()
}

/// A file with runs `a` and `z` that can be read, and four between them that cannot.
fn runs() -> (TemporaryFolder, HistoryFile) {
    let folder = TemporaryFolder::new();
    let file = open(folder.path(), MOST).unwrap();
    for id in ["a", "z"] {
        let insert = "INSERT INTO runs VALUES (?, 'probe', 'p', 'ended', ?, '{}')";
        file.connection
            .execute(insert, params![id, report(id)])
            .unwrap();
    }
    for (number, text) in UNREADABLE.iter().enumerate() {
        let insert =
            format!("INSERT INTO runs VALUES ('b{number}', 'probe', 'p', 'ended', {text}, '{{}}')");
        file.connection.execute(&insert, []).unwrap();
    }
    (folder, file)
}

fn said<T>(listing: &Listing<T>) -> Vec<String> {
    listing.warnings()
}

#[test]
fn a_run_that_cannot_be_read_is_left_out_whatever_is_asked_for() {
    let (_folder, file) = runs();
    let all = RunQuery {
        limit: 10,
        ..RunQuery::default()
    };
    let queries = [
        all.clone(),
        RunQuery {
            mode: Some(Mode::Probe),
            ..all.clone()
        },
        RunQuery {
            state: Some(RunState::Ended),
            ..all.clone()
        },
        RunQuery {
            name: Some("p".to_owned()),
            ..all.clone()
        },
        RunQuery {
            verdict: Some(Verdict::Passed),
            ..all.clone()
        },
        RunQuery {
            part: Some("s".to_owned()),
            ..all.clone()
        },
    ];
    for query in queries {
        let figures = HistoryCounters::default();
        let found = query.read(&file.connection, &figures).unwrap();
        let ids: Vec<_> = found.entries.iter().map(|run| &*run.id).collect();
        assert_eq!(ids, ["z", "a"], "{query:?}");
        assert_eq!(
            (found.unreadable, figures.now().unreadable),
            (4, 4),
            "{query:?}"
        );
        assert_eq!(
            said(&found),
            ["4 rows of the history cannot be read and are left out; the log says which and why"]
        );
    }
    // A page has as many entries as it may have, so that nobody takes it for the last one.
    let page = RunQuery {
        limit: 2,
        ..RunQuery::default()
    };
    let page = page
        .read(&file.connection, &HistoryCounters::default())
        .unwrap();
    assert_eq!(page.entries.len(), 2);
}

#[test]
fn a_baseline_whose_run_cannot_be_read_is_left_out_and_its_name_is_known() {
    let (_folder, file) = runs();
    let insert = "INSERT INTO baselines SELECT 'name of ' || id, id, '' FROM runs";
    file.connection.execute(insert, []).unwrap();
    let named = Named::default();
    named.read(&file.connection, &HistoryCounters::default());
    assert_eq!(named.all().len(), 6);
    assert_eq!(named.all()["name of b0"], "b0");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_and_is_asked_for_by_its_id_is_counted_and_said_to_be_one() {
    let (folder, file) = runs();
    for statement in [
        "INSERT INTO baselines SELECT 'name of ' || id, id, '' FROM runs",
        "INSERT INTO failures SELECT id, id, 's', 't', 'probe', 0, report FROM runs",
    ] {
        file.connection.execute(statement, []).unwrap();
    }
    let figures = Arc::<HistoryCounters>::default();
    let (requests, _requested) = mpsc::channel(1);
    let (failures, named) = (Arc::default(), Arc::default());
    let history = History::in_folder(folder.path(), failures, figures.clone(), named, requests);
    for number in 0..UNREADABLE.len() as u64 {
        let id = format!("b{number}");
        let name = format!("name of {id}");
        let found = [
            ("runs", &id, history.report(&id).await.map(drop)),
            ("runs", &id, history.record(&id).await.map(drop)),
            ("failures", &id, history.failure(&id).await.map(drop)),
            ("baselines", &name, history.baseline(&name).await.map(drop)),
        ];
        for (of, named, found) in found {
            let Err(HistoryError::Row { table, row, error }) = found else {
                panic!("{of} {named}: {found:?}");
            };
            assert_eq!((table, &row), (of, named), "{error}");
        }
        assert_eq!(figures.now().unreadable, 4 * (number + 1));
    }
    assert!(history.report("a").await.unwrap().is_some());
    assert!(history.report("nobody").await.unwrap().is_none());
    assert_eq!(figures.now().unreadable, 16);
}

#[test]
fn failures_hours_and_open_chats_that_cannot_be_read_are_left_out() {
    let folder = TemporaryFolder::new();
    let file = open(folder.path(), MOST).unwrap();
    let failure = json!({
        "id": "f", "run": "r", "name": "p", "scenario": "s", "target": "t", "mode": "probe", "chat": 1,
        "failed_at": "2026-05-04T10:59:59Z", "seconds": 1.0, "step": "say", "reason": "timeout",
        "detail": "", "correlation": {}, "whole": true, "steps": [],
    });
    let insert = |table: &str, key: &str, text: &str| {
        let row = match table {
            "failures" => format!("'{key}', 'r', 's', 't', 'probe', 0, {text}"),
            "probe_hours" => format!("'p', '{key}', 't', 0, {text}"),
            _ => format!("'r', {}, {text}, NULL", key.len()),
        };
        let insert = format!("INSERT INTO {table} VALUES ({row})");
        file.connection.execute(&insert, []).unwrap();
    };
    let good = |table: &str| match table {
        "failures" => failure.to_string(),
        "probe_hours" => serde_json::to_string(&crate::history::ProbeHour::default()).unwrap(),
        _ => "{}".to_owned(),
    };
    for table in ["failures", "probe_hours", "open_chats"] {
        for (number, text) in UNREADABLE.iter().enumerate() {
            insert(table, &"x".repeat(number), text);
        }
        insert(table, "xxxxxx", &format!("'{}'", good(table)));
    }
    let figures = HistoryCounters::default();
    let failures = FailureQuery {
        name: Some("p".to_owned()),
        limit: 10,
        ..FailureQuery::default()
    };
    let failures = failures.read(&file.connection, &figures).unwrap();
    assert_eq!((failures.entries.len(), failures.unreadable), (1, 4));
    let hours = HourQuery {
        name: "p".to_owned(),
        before: None,
        limit: 10,
    };
    let hours = hours.read(&file.connection, &figures).unwrap();
    assert_eq!((hours.entries.len(), hours.unreadable), (1, 4));
    let open = open_chats::list(&file.connection, "r", None, 10, &figures).unwrap();
    // One of them reads like what a target calls a chat.
    assert_eq!((open.entries.len(), open.unreadable), (2, 3));
    assert_eq!(figures.now().unreadable, 11);
}

#[test]
fn runs_that_were_cut_off_are_concluded_without_the_rows_that_cannot_be_read() {
    let folder = TemporaryFolder::new();
    let file = open(folder.path(), MOST).unwrap();
    let begun = serde_json::to_string(&begun()).unwrap();
    let insert = "INSERT INTO runs VALUES (?, 'burst', 'p', 'running', ?, NULL)";
    file.connection
        .execute(insert, params!["r", begun])
        .unwrap();
    file.connection
        .execute(insert, params!["s", "no JSON"])
        .unwrap();
    let sample = Sample {
        started: 3,
        passed: 3,
        ..Sample::default()
    };
    let sample = serde_json::to_string(&sample).unwrap();
    for (number, text) in [sample.clone(), "no JSON".to_owned(), sample]
        .iter()
        .enumerate()
    {
        let insert = "INSERT INTO samples VALUES ('r', ?, ?, 'no histogram')";
        file.connection
            .execute(insert, params![number, text])
            .unwrap();
    }
    drop(file);
    let figures = HistoryCounters::default();
    let file = HistoryFile::open(folder.path(), MOST, &figures).unwrap();
    assert_eq!(figures.now().unreadable, 2);
    let seconds = "SELECT json_array_length(rest, '$.samples') FROM runs WHERE id = 'r'";
    let seconds: u64 = value(&file.connection, seconds);
    assert_eq!(seconds, 2);
    // The other one is in progress no more, so that it is deleted when it is too old.
    let open: u64 = value(
        &file.connection,
        "SELECT count(*) FROM runs WHERE rest IS NULL",
    );
    assert_eq!(open, 0);
}

#[test]
fn an_hour_that_cannot_be_read_begins_anew() {
    let folder = TemporaryFolder::new();
    let mut file = open(folder.path(), MOST).unwrap();
    let figures = HistoryCounters::default();
    let end = |connection: &mut Connection| {
        let change = connection.transaction().unwrap();
        let end = Write::Ended(Box::new(record(1, 1_000)));
        apply(&change, &end, &figures).unwrap();
        change.commit().unwrap();
    };
    end(&mut file.connection);
    let update = "UPDATE probe_hours SET sums = 'no JSON'";
    file.connection.execute(update, []).unwrap();
    end(&mut file.connection);
    end(&mut file.connection);
    let runs = "SELECT json_extract(sums, '$.runs') FROM probe_hours";
    let runs: u64 = value(&file.connection, runs);
    assert_eq!((runs, figures.now().unreadable), (2, 1));
}
