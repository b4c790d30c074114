//! A new file, which is there as a whole or not at all.

use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::atomic::Ordering,
};

use rusqlite::Connection;

use super::{
    directory::{
        NAME, length, log_of, path_in, private_file, set_aside, set_log_aside, unless_missing,
    },
    error::HistoryError,
    figures::HistoryCounters,
    schema::migrate,
};

/// In bytes; no file of SQLite with anything in it is smaller than one page of the smallest size.
const LEAST: u64 = 512;

/// Makes the file with all its tables under another name and renames it: of a process that is killed meanwhile, or has no
/// room on the disk, no part of a file is left that would be taken for one that somebody cut.
pub(super) fn create(directory: &Path) -> Result<(), HistoryError> {
    let folder = |error| HistoryError::Folder {
        path: directory.to_owned(),
        error,
    };
    let unfinished = directory.join(format!("{NAME}.new"));
    for ending in ["", "-journal"] {
        let left = directory.join(format!("{NAME}.new{ending}"));
        unless_missing(fs::remove_file(left)).map_err(folder)?;
    }
    // SQLite gives the log the rights of the file.
    drop(private_file(&unfinished).map_err(folder)?);
    // Not with a log beside it yet: what is committed is in the file and on the disk.
    let mut connection = Connection::open(&unfinished)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    migrate(&mut connection, &unfinished)?;
    connection.close().map_err(|(_, error)| error)?;
    let put_in_place = || {
        fs::rename(&unfinished, path_in(directory))?;
        File::open(directory)?.sync_all()
    };
    put_in_place().map_err(folder)
}

/// Clears the way for a new file where an earlier one was cut to nothing, or has left nothing but its log.
pub(super) fn clear_rest(directory: &Path, figures: &HistoryCounters) -> io::Result<()> {
    let path = path_in(directory);
    let bytes = match fs::metadata(&path) {
        Ok(file) if file.is_file() && file.len() < LEAST => Some(file.len()),
        Ok(_) => return Ok(()),
        Err(_) => None,
    };
    // SQLite would delete the log, or take it for that of the new file, and it may have what the file had.
    let has_log = length(&log_of(&path)) > 0;
    let rest = match bytes {
        None if !has_log => return Ok(()),
        None => {
            let log = set_log_aside(directory)?;
            format!(
                "is not there: a new one begins, and its log is `{}`",
                log.display()
            )
        }
        Some(bytes) if has_log => {
            let aside = set_aside(directory)?;
            format!(
                "was cut to {bytes} bytes: a new one begins, and its log is `{}-wal`",
                aside.display()
            )
        }
        Some(bytes) => {
            fs::remove_file(&path)?;
            format!(
                "was cut to {bytes} bytes: a new one begins, and nothing can be recovered of it"
            )
        }
    };
    tracing::error!("the history `{}` {rest}", path.display());
    figures.set_aside.fetch_add(1, Ordering::Relaxed);
    Ok(())
}
