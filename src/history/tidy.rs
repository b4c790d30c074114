//! What is too old or too much goes, the oldest first.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, params};

use super::file::{self, HistoryError};
use crate::event::RunIdentity;

/// Of what the file may have, in hundredths: beyond the first it is emptied down to the second.
const FULL: u64 = 90;
const EMPTIED: u64 = 75;
/// Runs, hours or failures that go at a time.
const AT_A_TIME: usize = 20;
/// Neither in progress nor a baseline.
const MAY_GO: &str = "rest IS NOT NULL AND id NOT IN (SELECT run FROM baselines)";

pub(super) fn tidy(
    connection: &mut Connection,
    keep: Duration,
    max_bytes: u64,
) -> Result<(), HistoryError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let oldest = now.unwrap_or_default().saturating_sub(keep);
    let change = connection.transaction()?;
    let id = RunIdentity::least_id(oldest);
    let old = format!("DELETE FROM runs WHERE id < ? AND {MAY_GO}");
    change.execute(&old, [&id])?;
    let millis = i64::try_from(oldest.as_millis()).unwrap_or(i64::MAX);
    change.execute("DELETE FROM failures WHERE failed_at < ?", [millis])?;
    change.execute("DELETE FROM probe_hours WHERE hour < ?", [millis / 1_000])?;
    change.commit()?;
    if used(connection)? > max_bytes / 100 * FULL {
        make_room(connection, max_bytes)?;
    }
    // Each step of the first gives back one page; the second cuts them off the file.
    for pragma in [
        "PRAGMA incremental_vacuum",
        "PRAGMA wal_checkpoint(PASSIVE)",
    ] {
        let mut statement = connection.prepare(pragma)?;
        let mut steps = statement.query([])?;
        while steps.next()?.is_some() {}
    }
    // A file that was larger could not be bounded so before.
    file::bound(connection, max_bytes)
}

/// Removes the oldest until there is room.
pub(super) fn make_room(connection: &mut Connection, max_bytes: u64) -> Result<(), HistoryError> {
    while used(connection)? > max_bytes / 100 * EMPTIED {
        let change = connection.transaction()?;
        let mut gone = 0;
        let oldest = format!("(SELECT id FROM runs WHERE {MAY_GO} ORDER BY id LIMIT ?)");
        for statement in [
            format!("DELETE FROM failures WHERE run IN {oldest}"),
            format!("DELETE FROM runs WHERE id IN {oldest}"),
        ] {
            gone += change.execute(&statement, [AT_A_TIME])?;
        }
        if gone == 0 {
            // No run is left but baselines and those in progress.
            gone += change.execute(
                "DELETE FROM failures WHERE id IN \
                 (SELECT id FROM failures ORDER BY failed_at, id LIMIT ?)",
                params![AT_A_TIME],
            )?;
            let hour = "SELECT min(hour) FROM probe_hours";
            gone += change.execute(
                &format!("DELETE FROM probe_hours WHERE hour = ({hour})"),
                [],
            )?;
        }
        change.commit()?;
        if gone == 0 {
            break;
        }
    }
    Ok(())
}

/// What the file needs, free pages aside, in bytes.
fn used(connection: &Connection) -> Result<u64, HistoryError> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
    Ok(pages * number("page_size")?)
}
