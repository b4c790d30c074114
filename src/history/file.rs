//! The SQLite file: opened, locked, watched for what others do to it.

use std::{
    fs::{self, File},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{
    creation,
    directory::{length, log_of, path_in, private_file},
    error::HistoryError,
    figures::HistoryCounters,
    generation::{Generation, Head},
    interrupted,
    schema::migrate,
    tidy::{Clock, bound},
};

/// How long the connection that writes waits for another one.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one that reads does, for which somebody waits.
const READERS_PATIENCE: Duration = Duration::from_secs(1);
/// In bytes; what a big transaction left of the log is cut off.
const LONGEST_LOG: u64 = 8_000_000;

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
    identities: [Option<(u64, u64)>; 2],
    /// The size of the file when it was last written, in bytes.
    size: u64,
    pub(super) generation: Generation,
    /// Held as long as the file is in use.
    _lock: File,
}

impl HistoryFile {
    /// Opens the file, makes or migrates it, and concludes the runs that an earlier process left.
    pub(super) fn open(
        directory: &Path,
        max_bytes: u64,
        figures: &HistoryCounters,
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
        creation::clear_rest(directory, figures).map_err(folder)?;
        if path.symlink_metadata().is_err() {
            creation::create(directory)?;
        }
        let head = {
            // One that cannot be written is refused here, where the reason is known.
            let _writable = File::options().write(true).open(&path).map_err(folder)?;
            File::open(&path).map_err(folder)?
        };
        let connection = connect(&path, max_bytes, figures)?;
        let in_file = Head::read(&head).map_or(0, |head| head.generation);
        Ok(Self {
            clock: Clock::of(&connection)?,
            generation: Generation::begin(in_file, Generation::read(&connection)?),
            connection,
            head,
            identities: identities(&path),
            size: length(&path),
            path,
            _lock: lock,
        })
    }

    /// Whether the file or its log was deleted, moved or replaced: what is written to it nobody finds any more.
    pub(super) fn is_missing(&self) -> bool {
        identities(&self.path) != self.identities
    }

    /// Whether another file is in its place and its own log is still beside that, which SQLite would take for the log of
    /// the other one.
    pub(super) fn leaves_log(&self) -> bool {
        let [file, log] = identities(&self.path);
        let [own_file, own_log] = self.identities;
        file.is_some() && file != own_file && log.is_some() && log == own_log
    }

    /// What somebody else did to the file without SQLite, if that can be seen: pages of it are gone, or another one was
    /// written over it.
    pub(super) fn damage(&self) -> Option<String> {
        let (before, now) = (self.size, length(&self.path));
        let cut = || format!("somebody cut it from {before} to {now} bytes while it was in use");
        let Some(head) = Head::read(&self.head) else {
            return Some(if now < before {
                cut()
            } else {
                "somebody overwrote it while it was in use, so that it is no file of SQLite"
                    .to_owned()
            });
        };
        if now < before && now < head.bytes {
            return Some(cut());
        }
        let is_other = !self.generation.may_be_followed_by(head.generation);
        is_other.then(|| {
            format!(
                "somebody put another one of {now} bytes in its place, of {before} bytes, while it was in use"
            )
        })
    }

    /// Notes what the file is like after something was written, unless another one is in its place since the look before:
    /// the next look has to find that.
    pub(super) fn note(&mut self) {
        if let Some(head) = Head::read(&self.head) {
            if !self.generation.may_be_followed_by(head.generation) {
                return;
            }
            self.generation.note(head.generation);
        }
        self.size = length(&self.path);
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Opens the database, makes or migrates it, and concludes the runs that an earlier process left.
fn connect(
    path: &Path,
    max_bytes: u64,
    figures: &HistoryCounters,
) -> Result<Connection, HistoryError> {
    let mut connection = Connection::open(path)?;
    prepare(&connection)?;
    let version = migrate(&mut connection, path)?;
    interrupted::conclude(&mut connection, version, figures)?;
    // Only now: what an earlier process left may need more while it is put in order.
    bound(&connection, max_bytes)?;
    Ok(connection)
}

fn identities(path: &Path) -> [Option<(u64, u64)>; 2] {
    [path, &log_of(path)].map(|path| {
        let file = fs::metadata(path).ok()?;
        Some((file.dev(), file.ino()))
    })
}

fn prepare(connection: &Connection) -> Result<(), HistoryError> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", LONGEST_LOG)?;
    Ok(())
}

/// A connection that can only read.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, HistoryError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(READERS_PATIENCE)?;
    Ok(connection)
}
