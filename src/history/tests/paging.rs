//! The order of runs and pages of it.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::{MOST, open, record};
use crate::{
    event::{RunIds, RunPosition},
    history::{RunQuery, figures::HistoryCounters},
    testing::TemporaryFolder,
};

/// Of runs that an earlier version of chatprobe has kept, in the order in which they began.
const EARLIER: [&str; 3] = [
    "18bcfe56800-ffffffff",
    "18bcfe56801-00000000",
    "18bcfe56802-7fffffff",
];
/// A second after those, in seconds since the Unix epoch.
const NOW: u64 = 1_700_000_001;

fn insert(connection: &Connection, id: &str) {
    let mut report = record(1, 1).report;
    id.clone_into(&mut report.id);
    let report = serde_json::to_string(&report).unwrap();
    let insert = "INSERT INTO runs VALUES (?, 'burst', 'n', 'ended', ?, '{}')";
    connection.execute(insert, params![id, report]).unwrap();
}

fn page(connection: &Connection, before: Option<&str>, since: Option<Duration>) -> Vec<String> {
    let query = RunQuery {
        before: before.map(RunPosition::of),
        since: since.map(RunPosition::at),
        limit: 2,
        ..RunQuery::default()
    };
    let listing = query.read(connection, &HistoryCounters::default()).unwrap();
    listing
        .entries
        .into_iter()
        .map(|report| report.id)
        .collect()
}

#[test]
fn pages_neither_skip_nor_repeat_runs_while_others_begin_and_the_clock_is_set_back() {
    let folder = TemporaryFolder::new();
    let file = open(folder.path(), MOST).unwrap();
    let connection = &file.connection;
    let ids = RunIds::new();
    let mut begun: Vec<String> = EARLIER.map(str::to_owned).into();
    // The clock goes on, is set back by an hour and goes on from there.
    for moment in [NOW, NOW + 1, NOW + 2, NOW - 3_600, NOW - 3_599] {
        begun.push(ids.next(Duration::from_secs(moment)));
    }
    for id in &begun {
        insert(connection, id);
    }
    let mut seen = Vec::new();
    for number in 0_u64.. {
        let page = page(connection, seen.last().map(String::as_str), None);
        if page.is_empty() {
            break;
        }
        seen.extend(page);
        let moment = NOW - 3_600 * number;
        insert(connection, &ids.next(Duration::from_secs(moment)));
    }
    seen.reverse();
    assert_eq!(seen, begun);
}

#[test]
fn runs_since_a_moment_are_found_whatever_version_kept_them() {
    let folder = TemporaryFolder::new();
    let file = open(folder.path(), MOST).unwrap();
    let now = RunIds::new().next(Duration::from_secs(NOW));
    for id in [EARLIER[0], EARLIER[2], &now] {
        insert(&file.connection, id);
    }
    for (since, found) in [
        (Duration::from_secs(NOW), vec![&*now]),
        (
            Duration::from_millis(0x18b_cfe5_6801),
            vec![&now, EARLIER[2]],
        ),
    ] {
        assert_eq!(page(&file.connection, None, Some(since)), found);
    }
}
