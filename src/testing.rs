//! A folder for a test, which `tests/support` includes too.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// How many paths of a folder that cannot be deleted are named.
const MOST_NAMED: usize = 20;

/// A temporary folder that is deleted when it is dropped. Whatever writes to it ends before: a fixture ends its threads
/// and processes, and then drops its folder.
///
/// # Panics
/// On drop, if something was written to the folder while it was being deleted: the test that left it fails.
#[derive(Debug)]
pub struct TemporaryFolder(TempDir);

impl TemporaryFolder {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let path = self.0.path();
        let error = match fs::remove_dir_all(path) {
            Ok(()) => return,
            // The test has deleted or moved it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => error,
        };
        let mut found = Vec::new();
        list(path, &mut found);
        let named = found.iter().take(MOST_NAMED);
        let named = named.fold(String::new(), |mut named, path| {
            let _ = write!(named, "\n  {}", path.display());
            named
        });
        let message = format!(
            "the temporary folder `{}` cannot be deleted: {error}; does a thread or process of this test still write to it? {} paths in it:{named}",
            path.display(),
            found.len()
        );
        // A second panic would abort the process and hide the first one.
        if std::thread::panicking() {
            eprintln!("{message}");
        } else {
            panic!("{message}");
        }
    }
}

/// Everything in a folder, as far as it can be read while others change it.
fn list(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        found.push(path.clone());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            list(&path, found);
        }
    }
}
