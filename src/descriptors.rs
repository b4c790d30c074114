//! File descriptors: each connection takes one, and the system gives a process only so many.

use std::io;

use nix::{
    errno::Errno,
    sys::resource::{Resource, getrlimit, setrlimit},
};

/// Allows this process as many as the system lets it ask for. The usual allowance of 1024 is made
/// for programs that wait for descriptors with `select`, which this one does not.
pub fn allow_all() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!("cannot raise the number of open files: {error}");
    }
}

/// How many this process may have open.
pub fn allowed() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft)
}

/// Whether something failed because this machine, not the other side, had no more to give: files,
/// or local ports.
pub fn are_exhausted(error: &io::Error) -> bool {
    let errors = [Errno::EMFILE, Errno::ENFILE, Errno::EADDRNOTAVAIL];
    error
        .raw_os_error()
        .is_some_and(|code| errors.contains(&Errno::from_raw(code)))
}
