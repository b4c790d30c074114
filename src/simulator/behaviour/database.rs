//! The SQLite database: opened for one connection that writes and some that read beside it.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use uuid::Uuid;

use crate::plain_words;

/// Names a database of this kind; `chBE` in ASCII.
const APPLICATION: i32 = 0x6368_4245;
/// How long one connection waits for another.
const PATIENCE: Duration = Duration::from_secs(5);
/// In bytes; what a big transaction left of the log is cut off.
const LONGEST_LOG: u64 = 8_000_000;

/// `stored` is when the service stored it, `at` when it happened; both in milliseconds since 1970. The index has all that
/// a query counts, in its order.
const SCHEMA: &str = "
    CREATE TABLE records (
        id INTEGER PRIMARY KEY,
        user TEXT NOT NULL,
        article TEXT NOT NULL,
        status TEXT NOT NULL,
        at INTEGER NOT NULL,
        stored INTEGER NOT NULL
    );
    CREATE INDEX records_of_user ON records (user, status, at, id, stored);
";

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BehaviourDatabaseError {
    /// The folder of the temporary file cannot be had.
    #[error(
        "cannot use the folder `{path}` for a temporary database: {}; name a file with `--database`, or another folder with the environment variable TMPDIR",
        plain_words::of_system(error)
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file cannot be had.
    #[error("cannot use the database `{path}`: {}", plain_words::of_system(error))]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Two processes would give the same ids.
    #[error(
        "another process uses the database `{0}`; stop it, or name another file with `--database`"
    )]
    Taken(PathBuf),
    /// It holds something else.
    #[error("`{0}` is the database of something else; name another file with `--database`")]
    Foreign(PathBuf),
    /// The database says no.
    #[error("the database failed: {}", of_database(.0))]
    Database(#[from] rusqlite::Error),
    /// A transaction was given up, with all that was in it.
    #[error("{0}")]
    Unwritten(String),
    /// The system starts no thread for it.
    #[error("the thread of a database cannot be started: {}", plain_words::of_system(.0))]
    Thread(#[source] io::Error),
    /// The thread of a database ended.
    #[error("the database is not in use any more")]
    Ended,
}

/// What the database says, in plain words.
fn of_database(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "no space left on the disk".to_owned(),
        Some(ErrorCode::NotADatabase) => "the file is no database".to_owned(),
        Some(ErrorCode::DatabaseCorrupt) => "the file is damaged".to_owned(),
        Some(ErrorCode::SystemIoFailure) => "the disk failed under it".to_owned(),
        Some(ErrorCode::CannotOpen) => "the file cannot be opened".to_owned(),
        Some(ErrorCode::ReadOnly) => "the file is read-only".to_owned(),
        _ => error.to_string(),
    }
}

/// The connections to one database.
pub(super) struct Database {
    pub writer: Connection,
    pub readers: Vec<Connection>,
    /// Held as long as the file is in use; none for a temporary one.
    pub lock: Option<File>,
}

impl Database {
    /// Opens the file, or a temporary one that nobody can find any more once this returns.
    pub fn open(path: Option<&Path>, readers: usize) -> Result<Self, BehaviourDatabaseError> {
        let Some(path) = path else {
            return Self::temporary(readers);
        };
        let of_file = |error| BehaviourDatabaseError::File {
            path: path.to_owned(),
            error,
        };
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .read(true)
            .open(path)
            .map_err(of_file)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(BehaviourDatabaseError::Taken(path.to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(of_file(error)),
        }
        let (writer, readers) = connect(path, readers, "NORMAL")?;
        Ok(Self {
            writer,
            readers,
            lock: Some(file),
        })
    }

    /// Its folder is removed as soon as all connections have their files open, so that nothing stays behind whatever
    /// ends the process.
    fn temporary(readers: usize) -> Result<Self, BehaviourDatabaseError> {
        let folder = std::env::temp_dir().join(format!("chatprobe-behaviour-{}", Uuid::new_v4()));
        let of_folder = |error| BehaviourDatabaseError::Folder {
            path: folder.clone(),
            error,
        };
        DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(of_folder)?;
        // Whatever the disk does with it: it is gone with the process.
        let connected = connect(&folder.join("behaviour.sqlite"), readers, "OFF");
        fs::remove_dir_all(&folder).map_err(of_folder)?;
        let (writer, readers) = connected?;
        Ok(Self {
            writer,
            readers,
            lock: None,
        })
    }
}

/// All connections, each with the file and its log open.
fn connect(
    path: &Path,
    readers: usize,
    synchronous: &str,
) -> Result<(Connection, Vec<Connection>), BehaviourDatabaseError> {
    let writer = Connection::open(path)?;
    writer.busy_timeout(PATIENCE)?;
    writer.pragma_update(None, "journal_mode", "WAL")?;
    writer.pragma_update(None, "synchronous", synchronous)?;
    writer.pragma_update(None, "journal_size_limit", LONGEST_LOG)?;
    prepare(&writer, path)?;
    let reader = |_| {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Connection::open_with_flags(path, flags)?;
        reader.busy_timeout(PATIENCE)?;
        reader.query_row("SELECT count(*) FROM records WHERE id = 0", [], |_| Ok(()))?;
        Ok(reader)
    };
    let readers = (0..readers).map(reader).collect::<rusqlite::Result<_>>()?;
    Ok((writer, readers))
}

/// Makes the table in an empty file.
fn prepare(writer: &Connection, path: &Path) -> Result<(), BehaviourDatabaseError> {
    let application: i32 = writer.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application == APPLICATION {
        return Ok(());
    }
    let tables: u64 =
        writer.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != 0 || tables != 0 {
        return Err(BehaviourDatabaseError::Foreign(path.to_owned()));
    }
    let making = writer.unchecked_transaction()?;
    making.execute_batch(SCHEMA)?;
    making.pragma_update(None, "application_id", APPLICATION)?;
    making.commit()?;
    Ok(())
}
