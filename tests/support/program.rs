//! Programs that watch over chatprobe.

use std::{
    fs::File,
    process::{Child, Command, Stdio},
};

use super::{Folder, eventually, get, install_crypto};

/// A program of Debian's that runs; killed with the end of the test.
pub struct Program {
    name: &'static str,
    child: Child,
    folder: Folder,
}

impl Program {
    /// Starts it; its data and its log go into the folder.
    pub fn start(name: &'static str, package: &str, folder: Folder, arguments: &[String]) -> Self {
        install_crypto();
        let child = Command::new(name)
            .args(arguments)
            // What it leaves goes with the folder.
            .env("TMPDIR", folder.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path("log")).unwrap())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "cannot start {name}: {error}; \
                     apt-get install -y --no-install-recommends {package}"
                )
            });
        Self {
            name,
            child,
            folder,
        }
    }

    /// Waits until it answers here with success.
    pub async fn answers(&mut self, url: &str, with: &str) {
        eventually(self.name, async || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{} ended, {ended:?}", self.name);
            get(url).await.filter(|answer| answer.contains(with))
        })
        .await;
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path("log")).unwrap_or_default();
            eprintln!("--- log of {}:\n{log}", self.name);
        }
    }
}
