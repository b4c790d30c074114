//! File descriptors: each connection takes one, and the system gives a process only so many.

mod permits;

use std::{fs, io};

use nix::{
    errno::Errno,
    sys::resource::{Resource, getrlimit, setrlimit},
};

use crate::plain_words;

pub use self::permits::{
    Permit, Purpose, Reclaim, acquire, acquire_outbound, limit_for_outbound, most_outbound,
    outbound, reclaim, reclaim_from,
};

/// Allows this process as many as the system lets it ask for. The usual allowance of 1024 is made
/// for programs that wait for descriptors with `select`, which this one does not.
pub fn allow_all() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        let why = plain_words::of_system(&error.into());
        tracing::warn!("cannot raise the number of open files: {why}");
    }
}

/// How many this process may have open.
pub fn allowed() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft)
}

/// How many this process has open now, sockets among them; `None` where `/proc` does not show them.
pub fn open() -> Option<u64> {
    const DIRECTORY: &str = "/proc/self/fd";
    // The directory's size is their number since Linux 6.2, at no cost; before it was 0, and each of
    // perhaps 20,000 entries has to be counted.
    let size = fs::metadata(DIRECTORY).map_or(0, |metadata| metadata.len());
    if size > 0 {
        return Some(size);
    }
    let entries = fs::read_dir(DIRECTORY).ok()?.count();
    // One of them is open to read the others.
    Some(u64::try_from(entries).unwrap_or(u64::MAX).saturating_sub(1))
}

/// Whether something failed because this machine, not the other side, had no more to give: files,
/// or local ports.
pub fn are_exhausted(error: &io::Error) -> bool {
    let errors = [Errno::EMFILE, Errno::ENFILE, Errno::EADDRNOTAVAIL];
    error
        .raw_os_error()
        .is_some_and(|code| errors.contains(&Errno::from_raw(code)))
}
