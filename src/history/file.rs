//! The SQLite file: opened, migrated, locked, set aside.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, types::FromSql};

use super::{error::HistoryError, figures::Figures, interrupted, tidy::Clock};

const NAME: &str = "history.sqlite";
/// How long the connection that writes waits for another one.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one that reads does, for which somebody waits.
const READERS_PATIENCE: Duration = Duration::from_secs(1);
/// A smaller file could not keep one run.
const SMALLEST: u64 = 1_000_000;
/// In bytes; no file of SQLite with anything in it is smaller than one page of the smallest size.
const LEAST: u64 = 512;
/// In bytes; what a big transaction left of the log is cut off.
const LONGEST_LOG: u64 = 8_000_000;

/// Each brings the file from the version of its place to the next one.
pub(super) const MIGRATIONS: [&str; 4] = [
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
];

/// The file with the one connection that writes to it.
pub(super) struct HistoryFile {
    pub(super) connection: Connection,
    /// The same file, for its head. It stays open as long as the connection: whoever closes a file gives up
    /// all locks that the process has on it, those of SQLite among them.
    head: File,
    /// What is believed of the time.
    pub(super) clock: Clock,
    path: PathBuf,
    /// Device and inode of the file that is open, and of its log.
    places: [Option<(u64, u64)>; 2],
    /// The size of the file when it was last written, in bytes.
    size: u64,
    /// What SQLite changes when another connection has written; of when the file was last written.
    data_version: i64,
    /// Held as long as the file is in use.
    _lock: File,
}

pub(super) fn path_in(directory: &Path) -> PathBuf {
    directory.join(NAME)
}

impl HistoryFile {
    /// Opens the file, makes or migrates it, and concludes the runs that an earlier process left.
    pub(super) fn open(
        directory: &Path,
        max_bytes: u64,
        figures: &Figures,
    ) -> Result<Self, HistoryError> {
        let folder = |error| HistoryError::Folder {
            path: directory.to_owned(),
            error,
        };
        let mut private = fs::DirBuilder::new();
        // What targets said of customers is not for everybody on the machine.
        private.recursive(true).mode(0o700);
        private.create(directory).map_err(folder)?;
        let lock = private_file(&directory.join("lock")).map_err(folder)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(HistoryError::Taken(directory.to_owned()));
            }
            Err(fs::TryLockError::Error(error)) => return Err(folder(error)),
        }
        let path = path_in(directory);
        if fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() < LEAST) {
            clear_rest(directory).map_err(folder)?;
            figures.set_aside.fetch_add(1, Ordering::Relaxed);
        }
        let is_new = path.symlink_metadata().is_err();
        let head = {
            // SQLite gives the log the rights of the file.
            let _made = private_file(&path).map_err(folder)?;
            File::open(&path).map_err(folder)?
        };
        let connection = connect(&path, max_bytes, figures).inspect_err(|_| {
            if is_new {
                remove_if_empty(&path);
            }
        })?;
        Ok(Self {
            clock: Clock::of(&connection)?,
            data_version: data_version(&connection)?,
            connection,
            head,
            places: places(&path),
            size: length(&path),
            path,
            _lock: lock,
        })
    }

    /// Whether the file or its log was deleted or moved: what is written to it nobody finds any more.
    pub(super) fn is_missing(&self) -> bool {
        places(&self.path) != self.places
    }

    /// What somebody else did to the file without SQLite, if that can be seen: pages of it are gone, or it is
    /// another one.
    pub(super) fn damage(&self) -> Option<String> {
        let (before, now) = (self.size, length(&self.path));
        let cut = || format!("somebody cut it from {before} to {now} bytes while it was in use");
        let Some(needed) = pages_need(&self.head) else {
            return Some(if now < before {
                cut()
            } else {
                "somebody overwrote it while it was in use, so that it is no file of SQLite"
                    .to_owned()
            });
        };
        if now >= before {
            return None;
        }
        if now < needed {
            return Some(cut());
        }
        let is_other = self.is_other(now).unwrap_or_else(|error| error.is_damage());
        is_other.then(|| {
            format!(
                "somebody put another one of {now} bytes in its place, of {before} bytes, while it was in use"
            )
        })
    }

    /// Whether a file that became smaller, and has so many bytes now, is not what SQLite made of it.
    fn is_other(&self, now: u64) -> Result<bool, HistoryError> {
        let (page, pages): (u64, u64) = (self.pragma("page_size")?, self.pragma("page_count")?);
        // Nobody has written over SQLite: only what was in the log may have been moved to the file.
        if data_version(&self.connection)? == self.data_version && now != page * pages {
            return Ok(true);
        }
        // Pages in memory are those of the file as it was.
        self.connection.execute_batch("PRAGMA shrink_memory")?;
        let found: String = self.pragma("quick_check(1)")?;
        Ok(found != "ok")
    }

    fn pragma<T: FromSql>(&self, pragma: &str) -> rusqlite::Result<T> {
        let query = format!("PRAGMA {pragma}");
        self.connection.query_row(&query, [], |row| row.get(0))
    }

    /// Notes what the file is like after something was written.
    pub(super) fn note(&mut self) {
        self.size = length(&self.path);
        if let Ok(version) = data_version(&self.connection) {
            self.data_version = version;
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Opens the database, makes or migrates it, and concludes the runs that an earlier process left.
fn connect(path: &Path, max_bytes: u64, figures: &Figures) -> Result<Connection, HistoryError> {
    let mut connection = Connection::open(path)?;
    prepare(&connection)?;
    let version = migrate(&mut connection, path)?;
    interrupted::conclude(&mut connection, version, figures)?;
    // Only now: what an earlier process left may need more while it is put in order.
    bound(&connection, max_bytes)?;
    Ok(connection)
}

/// Removes a file that was made just now and has nothing in it: the next attempt would take it for one that
/// somebody cut.
fn remove_if_empty(path: &Path) {
    if length(path) < LEAST
        && let Err(error) = fs::remove_file(path)
    {
        tracing::debug!(
            "`{}` is empty and cannot be removed: {error}",
            path.display()
        );
    }
}

fn places(path: &Path) -> [Option<(u64, u64)>; 2] {
    [path, &log_of(path)].map(|path| {
        let file = fs::metadata(path).ok()?;
        Some((file.dev(), file.ino()))
    })
}

fn log_of(path: &Path) -> PathBuf {
    path.with_file_name(format!("{NAME}-wal"))
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "data_version", |row| row.get(0))
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// What the pages take that the file says it has, in bytes; `None` if it has no head.
/// <https://www.sqlite.org/fileformat.html#the_database_header>
fn pages_need(file: &File) -> Option<u64> {
    let mut head = [0; 32];
    file.read_exact_at(&mut head, 0).ok()?;
    let (magic, rest) = head.split_first_chunk::<16>()?;
    // 1 stands for 65,536.
    let size = match u16::from_be_bytes(*rest.first_chunk()?) {
        1 => 65_536,
        size => u64::from(size),
    };
    let pages = u32::from_be_bytes(*rest.last_chunk()?);
    (magic == b"SQLite format 3\0").then(|| size * u64::from(pages))
}

/// Opens a file; one that was not there is for its owner alone.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path)
}

fn prepare(connection: &Connection) -> Result<(), HistoryError> {
    connection.busy_timeout(PATIENCE)?;
    // Of a file that exists already these two change nothing.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", LONGEST_LOG)?;
    Ok(())
}

/// Lets the file grow so far; beyond that it is full. One that is larger stays as large.
pub(super) fn bound(connection: &Connection, max_bytes: u64) -> Result<(), HistoryError> {
    let page: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = max_bytes.max(SMALLEST) / page;
    // It answers with the number that holds, which is larger if the file is.
    connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    Ok(())
}

/// Brings the file to the latest version; the one that it had before.
fn migrate(connection: &mut Connection, path: &Path) -> Result<usize, HistoryError> {
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

/// A connection that can only read.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, HistoryError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(READERS_PATIENCE)?;
    Ok(connection)
}

/// Moves a damaged file out of the way with its log, for somebody to look at; the one before it goes.
pub(super) fn set_aside(directory: &Path) -> io::Result<PathBuf> {
    let aside = format!("{NAME}.damaged");
    // The log first: without the file it would be taken for that of the next one.
    for ending in ["-shm", "-wal", ""] {
        let from = directory.join(format!("{NAME}{ending}"));
        let to = directory.join(format!("{aside}{ending}"));
        unless_missing(fs::remove_file(&to))?;
        unless_missing(fs::rename(from, to))?;
    }
    Ok(directory.join(aside))
}

/// Clears the way for a new file where an earlier one was cut to nothing.
fn clear_rest(directory: &Path) -> io::Result<()> {
    let path = path_in(directory);
    let bytes = length(&path);
    // SQLite would delete the log of an empty file, and it may have what the file had.
    let rest = if length(&log_of(&path)) > 0 {
        let aside = set_aside(directory)?;
        format!("its log is `{}-wal`", aside.display())
    } else {
        fs::remove_file(&path)?;
        "nothing can be recovered of it".to_owned()
    };
    tracing::error!(
        "the history `{}` was cut to {bytes} bytes: a new one begins, and {rest}",
        path.display()
    );
    Ok(())
}

fn unless_missing(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

/// The size of the file and its log.
pub(super) fn size(directory: &Path) -> u64 {
    let files = [NAME.to_owned(), format!("{NAME}-wal")];
    let sizes = files.iter().map(|name| fs::metadata(directory.join(name)));
    sizes.flatten().map(|file| file.len()).sum()
}
