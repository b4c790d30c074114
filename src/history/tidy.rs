//! Expired rows are deleted, and the oldest ones if the file is too large.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, params};
use tokio::time::Instant;

use super::error::HistoryError;
use crate::event::RunPosition;

/// Of what the file may have, in hundredths: beyond the first it is emptied down to the second.
const FULL: u64 = 90;
const EMPTIED: u64 = 75;
/// A smaller file could not keep one run.
const SMALLEST: u64 = 1_000_000;
/// Runs, hours or failures that go at a time.
const AT_A_TIME: usize = 20;
/// Neither in progress nor a baseline.
const MAY_GO: &str = "rest IS NOT NULL AND id NOT IN (SELECT run FROM baselines)";

/// So much further than the time that passed a clock may be.
const LEAP: Duration = Duration::from_hours(1);
/// A clock that leapt and then goes on for so long is right after all.
const PROBATION: Duration = Duration::from_hours(24);

/// The wall clock held against a steady one: a wrong leap forward must not make everything too old.
#[derive(Debug)]
pub(super) struct Clock {
    believed: ClockReading,
    /// The first reading after a leap.
    unconfirmed: Option<ClockReading>,
}

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockReading {
    /// Since the Unix epoch.
    pub(super) wall: Duration,
    pub(super) steady: Instant,
}

impl ClockReading {
    pub(super) fn now() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            wall: wall.unwrap_or_default(),
            steady: Instant::now(),
        }
    }

    fn leapt_since(&self, before: &Self) -> bool {
        let passed = self.steady.saturating_duration_since(before.steady);
        self.wall.saturating_sub(before.wall) > passed + LEAP
    }
}

impl Clock {
    /// For a file that is opened now: its newest entry is a time that was believed before.
    pub(super) fn of(connection: &Connection) -> Result<Self, HistoryError> {
        let now = ClockReading::now();
        let query = "SELECT max(failed_at) FROM failures";
        let failure: Option<i64> = connection.query_row(query, [], |row| row.get(0))?;
        let query = "SELECT max(hour) FROM probe_hours";
        let hour: Option<i64> = connection.query_row(query, [], |row| row.get(0))?;
        let query = "SELECT max(position) FROM runs";
        let run: Option<String> = connection.query_row(query, [], |row| row.get(0))?;
        let newest = [
            failure.and_then(|at| Some(Duration::from_millis(at.try_into().ok()?))),
            hour.and_then(|at| Some(Duration::from_secs(at.try_into().ok()?))),
            run.and_then(|position| RunPosition::from(position).began()),
        ];
        let newest = newest.into_iter().flatten().max();
        Ok(Self {
            believed: ClockReading {
                wall: newest.unwrap_or(now.wall),
                ..now
            },
            unconfirmed: None,
        })
    }

    /// The time by which something is too old, if it can be told.
    pub(super) fn believe(&mut self, now: ClockReading) -> Option<Duration> {
        if now.leapt_since(&self.believed) {
            match self.unconfirmed.filter(|first| !now.leapt_since(first)) {
                Some(first) if now.steady.duration_since(first.steady) >= PROBATION => {}
                Some(_) => return None,
                None => {
                    self.unconfirmed = Some(now);
                    tracing::warn!(
                        "the clock is more than an hour ahead of what is kept: nothing goes from the history because it is too old until the clock is set back or has gone on like this for a day"
                    );
                    return None;
                }
            }
        }
        self.believed = now;
        self.unconfirmed = None;
        Some(now.wall)
    }
}

/// Without the time only what is too much goes.
pub(super) fn tidy(
    connection: &mut Connection,
    now: Option<Duration>,
    keep: Duration,
    max_bytes: u64,
) -> Result<(), HistoryError> {
    if let Some(now) = now {
        remove_old(connection, now.saturating_sub(keep))?;
    }
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
    bound(connection, max_bytes)
}

/// Lets the file grow so far; beyond that it is full. One that is larger stays as large.
pub(super) fn bound(connection: &Connection, max_bytes: u64) -> Result<(), HistoryError> {
    let page: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = max_bytes.max(SMALLEST) / page;
    // It answers with the number that holds, which is larger if the file is.
    connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    Ok(())
}

/// Deletes the oldest until there is space.
pub(super) fn make_room(connection: &mut Connection, max_bytes: u64) -> Result<(), HistoryError> {
    while used(connection)? > max_bytes / 100 * EMPTIED {
        let change = connection.transaction()?;
        let mut gone = 0;
        let oldest = format!("(SELECT id FROM runs WHERE {MAY_GO} ORDER BY position LIMIT ?)");
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

fn remove_old(connection: &mut Connection, oldest: Duration) -> Result<(), HistoryError> {
    let change = connection.transaction()?;
    let position = RunPosition::at(oldest);
    let old = format!("DELETE FROM runs WHERE position < ? AND {MAY_GO}");
    change.execute(&old, [position.as_str()])?;
    let millis = i64::try_from(oldest.as_millis()).unwrap_or(i64::MAX);
    change.execute("DELETE FROM failures WHERE failed_at < ?", [millis])?;
    change.execute("DELETE FROM probe_hours WHERE hour < ?", [millis / 1_000])?;
    change.commit()?;
    Ok(())
}
