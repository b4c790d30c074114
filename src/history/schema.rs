//! The tables of the file, and how files of earlier versions get them.

use std::path::Path;

use rusqlite::Connection;

use super::error::HistoryError;

/// Each brings the file from the version of its place to the next one.
pub(super) const MIGRATIONS: [&str; 6] = [
    "
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        mode TEXT NOT NULL,
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        report TEXT NOT NULL,
        -- Samples and histograms; NULL while the run is in progress.
        rest TEXT
    );
    CREATE INDEX runs_by_name ON runs (name, id);
    CREATE TABLE samples (
        run TEXT NOT NULL,
        number INTEGER NOT NULL,
        sample TEXT NOT NULL,
        PRIMARY KEY (run, number)
    ) WITHOUT ROWID;
    CREATE TABLE open_chats (
        run TEXT NOT NULL,
        chat INTEGER NOT NULL,
        correlation TEXT NOT NULL,
        PRIMARY KEY (run, chat)
    ) WITHOUT ROWID;
    CREATE TABLE probe_hours (
        name TEXT NOT NULL,
        scenario TEXT NOT NULL,
        target TEXT NOT NULL,
        hour INTEGER NOT NULL,
        sums TEXT NOT NULL,
        PRIMARY KEY (name, hour, scenario, target)
    ) WITHOUT ROWID;
    CREATE TABLE failures (
        id TEXT PRIMARY KEY,
        run TEXT NOT NULL,
        scenario TEXT NOT NULL,
        target TEXT NOT NULL,
        mode TEXT NOT NULL,
        failed_at INTEGER NOT NULL,
        failure TEXT NOT NULL
    );
    CREATE INDEX failures_by_time ON failures (failed_at, id);
    CREATE INDEX failures_by_run ON failures (run, failed_at);
",
    // How long the chats and the steps of a second took, packed; NULL where that is not known.
    "ALTER TABLE samples ADD COLUMN histograms BLOB",
    "
    CREATE TABLE baselines (
        name TEXT PRIMARY KEY,
        run TEXT NOT NULL,
        set_at TEXT NOT NULL
    ) WITHOUT ROWID;
",
    // The chats that an interrupted run left open are kept as long as it is, whatever removes it.
    "
    CREATE TRIGGER open_chats_go_with_their_run AFTER DELETE ON runs
    BEGIN DELETE FROM open_chats WHERE run = old.id; END;
",
    // Why a chat is open that has ended; NULL as long as it is in progress.
    "ALTER TABLE open_chats ADD COLUMN why TEXT",
    // The order of the runs: see `RunPosition`. Ids of earlier versions have one digit of the time less.
    "
    ALTER TABLE runs ADD COLUMN position TEXT GENERATED ALWAYS AS
        (CASE instr(id, '-') WHEN 12 THEN '0' ELSE '' END || replace(id, '-', '')) VIRTUAL;
    CREATE INDEX runs_by_position ON runs (position);
    DROP INDEX runs_by_name;
    CREATE INDEX runs_by_name ON runs (name, position);
",
];

/// Brings the file to the latest version; the one that it had before.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<usize, HistoryError> {
    let version: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > MIGRATIONS.len() {
        return Err(HistoryError::TooNew {
            path: path.to_owned(),
            version,
        });
    }
    for (from, migration) in MIGRATIONS.iter().enumerate().skip(version) {
        let step = connection.transaction()?;
        step.execute_batch(migration)?;
        step.pragma_update(None, "user_version", from + 1)?;
        step.commit()?;
    }
    Ok(version)
}
