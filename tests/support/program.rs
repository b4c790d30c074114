//! Programs that watch over chatprobe.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::Instant;

use super::{Folder, PATIENCE, eventually, get, install_crypto};

/// A program of Debian's that runs; killed with the end of the test, with all processes that it started.
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
            // What it leaves is deleted with the folder, and its processes are known by it.
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

impl Program {
    /// Ends what the program started: it may still write to the folder, which is deleted next. A browser answers that
    /// its session has ended while its processes for the network and for crashes still run.
    fn end_processes(&self) {
        let folder = self.folder.argument("");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let running = processes_of(&folder);
            if running.is_empty() || Instant::now() > deadline {
                return;
            }
            for process in running {
                // It may have ended by itself.
                let _ = kill(process, Signal::SIGKILL);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The processes that have this text in their command line or environment. One that has ended has neither.
fn processes_of(folder: &str) -> Vec<Pid> {
    let names = |path: &Path, file: &str| {
        let text = fs::read(path.join(file)).unwrap_or_default();
        text.windows(folder.len())
            .any(|part| part == folder.as_bytes())
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = processes.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let path = entry.path();
        // A process that shows another title writes it over its environment.
        let is_one = names(&path, "environ") || names(&path, "cmdline");
        is_one.then(|| Pid::from_raw(id))
    });
    processes.collect()
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.end_processes();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path("log")).unwrap_or_default();
            eprintln!("--- log of {}:\n{log}", self.name);
        }
    }
}
