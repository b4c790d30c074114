use std::sync::Arc;

use proptest::prelude::*;
use rusqlite::{Connection, params, types::Value};
use tokio::sync::mpsc;

use super::{MOST, open, record};
use crate::{
    fuzz::{fuzz, inputs},
    history::{FailureQuery, History, HourQuery, RunQuery, directory::path_in},
    testing::TemporaryFolder,
};

const WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"0.5",
    b"\"\"",
    b"\\ud800",
    b"\0",
    b"\xff",
    b"\x80\x80\x80",
    b"[[0,1]]",
    b"[[18446744073709551615,18446744073709551615]]",
    b"\"report\":",
    b"\"samples\":",
    b"\"steps\":",
    b"\"batches\":",
    b"\"chat_duration\":",
    b"\"machine\":",
    b"\"started_at\":",
    b"\"elapsed_seconds\":",
    b"\"state\":",
    b"\"verdict\":",
    b"\"ended\"",
    b"\"running\"",
    b"\"interrupted\"",
    b"\"2026-05-04T10:59:59Z\"",
    b"\"-999999-01-01T00:00:00Z\"",
    b"\"latency\":",
    b"\"seconds\":",
];

#[test]
fn no_row_breaks_the_history_and_a_run_beside_it_is_still_read() {
    let folder = TemporaryFolder::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let report = serde_json::to_string(&record(0, 0).report).unwrap();
    let rest = r#"{"samples":[],"chat_duration":[],"steps":{}}"#;
    drop(open(folder.path(), MOST).unwrap());
    let connection = Connection::open(path_in(folder.path())).unwrap();
    let (requests, _requests) = mpsc::channel(1);
    let history = History::in_folder(
        folder.path(),
        Arc::default(),
        Arc::default(),
        Arc::default(),
        requests,
    );
    fuzz("history_row", inputs("history_row", WORDS), |input| {
        let hostile = match std::str::from_utf8(input) {
            Ok(text) => Value::from(text.to_owned()),
            Err(_) => Value::from(input.to_vec()),
        };
        let keep = |text: &str, values: &[&dyn rusqlite::ToSql]| {
            connection.execute(text, values).unwrap();
        };
        keep("BEGIN", &[]);
        for table in [
            "runs",
            "samples",
            "open_chats",
            "probe_hours",
            "failures",
            "baselines",
        ] {
            keep(&format!("DELETE FROM {table}"), &[]);
        }
        let run = "INSERT INTO runs VALUES (?, 'probe', 'p', 'ended', ?, ?)";
        keep(run, params![&"good", report, rest]);
        keep(run, params![&"report", hostile, rest]);
        keep(run, params![&"rest", report, hostile]);
        // Runs that an earlier process did not end.
        keep(run, params![&"begun", hostile, None::<String>]);
        keep(run, params![&"seconds", report, None::<String>]);
        keep(
            "INSERT INTO samples VALUES ('seconds', 1, ?1, ?1)",
            params![hostile],
        );
        keep(
            "INSERT INTO open_chats VALUES ('seconds', 1, ?1, ?1)",
            params![hostile],
        );
        keep(
            "INSERT INTO probe_hours VALUES ('p', 's', 't', 1, ?)",
            params![hostile],
        );
        keep(
            "INSERT INTO failures VALUES ('f', 'good', 's', 't', 'probe', 1, ?)",
            params![hostile],
        );
        keep(
            "INSERT INTO baselines VALUES ('p', ?1, ?1)",
            params![hostile],
        );
        keep("COMMIT", &[]);
        prop_assert!(open(folder.path(), MOST).is_ok());
        runtime.block_on(async {
            let runs = RunQuery {
                limit: 10,
                ..RunQuery::default()
            };
            let runs = history.runs(runs).await;
            prop_assert!(runs.is_ok_and(|runs| !runs.entries.is_empty()));
            for id in ["good", "report", "rest", "begun", "seconds"] {
                let _ = (history.report(id).await, history.record(id).await);
            }
            let good = history.record("good").await;
            prop_assert!(matches!(good, Ok(Some(_))), "{good:?}");
            let hours = HourQuery {
                name: "p".to_owned(),
                before: None,
                limit: 10,
            };
            prop_assert!(history.hours(hours).await.is_ok());
            let failures = FailureQuery {
                limit: 10,
                ..FailureQuery::default()
            };
            prop_assert!(history.list_failures(failures).await.is_ok());
            let _ = history.failure("f").await;
            Ok(())
        })
    });
}
