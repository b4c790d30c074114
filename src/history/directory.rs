//! The directory of the history and its files, whatever is in them.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

pub(super) const NAME: &str = "history.sqlite";

pub(super) fn path_in(directory: &Path) -> PathBuf {
    directory.join(NAME)
}

pub(super) fn log_of(path: &Path) -> PathBuf {
    path.with_file_name(format!("{NAME}-wal"))
}

pub(super) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// Opens a file; one that was not there is for its owner alone.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path)
}

/// Moves a damaged file out of the way with its log, for somebody to look at; the one before it is deleted.
pub(super) fn set_aside(directory: &Path) -> io::Result<PathBuf> {
    // The log first: without the file it would be taken for that of the next one.
    set_log_aside(directory)?;
    move_aside(directory, "")
}

/// Moves the log out of the way, for somebody to look at; the one before it is deleted.
pub(super) fn set_log_aside(directory: &Path) -> io::Result<PathBuf> {
    move_aside(directory, "-shm")?;
    move_aside(directory, "-wal")
}

/// Renames the file of the history with this ending, if there is one; its new path.
fn move_aside(directory: &Path, ending: &str) -> io::Result<PathBuf> {
    let to = directory.join(format!("{NAME}.damaged{ending}"));
    unless_missing(fs::remove_file(&to))?;
    unless_missing(fs::rename(directory.join(format!("{NAME}{ending}")), &to))?;
    Ok(to)
}

pub(super) fn unless_missing(result: io::Result<()>) -> io::Result<()> {
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
