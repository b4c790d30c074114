//! The binary as a child process.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::Instant;

use super::{PATIENCE, eventually, install_crypto};

/// A `chatprobe` that runs, with what it wrote so far; killed with the end of the test.
pub struct Process {
    child: Child,
    arguments: String,
    output: Arc<Mutex<String>>,
    log: Arc<Mutex<String>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Process {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(arguments, &[])
    }

    /// With these variables in its environment besides.
    pub fn start_in(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_chatprobe"));
        Self::spawn(&command, arguments, environment)
    }

    /// With what `ulimit` takes, for instance `-n 64`.
    pub fn start_limited(limits: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("ulimit {limits} && exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_chatprobe"));
        Self::spawn(&command, arguments, &[])
    }

    /// Where `/proc` shows nothing; `None` if the system lets nobody hide it.
    pub fn start_without_proc(arguments: &[&str]) -> Option<Self> {
        let hidden = "mount -t tmpfs none /proc && exec \"$0\" \"$@\"";
        let unshare = |program: &str| {
            let mut command = Command::new("unshare");
            command.args(["--map-root-user", "--mount", "sh", "-c", hidden, program]);
            command
        };
        let possible = unshare("true").stderr(Stdio::null()).status();
        possible.ok().filter(std::process::ExitStatus::success)?;
        let command = unshare(env!("CARGO_BIN_EXE_chatprobe"));
        Some(Self::spawn(&command, arguments, &[]))
    }

    /// In a control group, with the file that has its processes.
    pub fn start_in_group(processes: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", "echo $$ > \"$0\" && exec \"$@\""])
            .arg(processes)
            .arg(env!("CARGO_BIN_EXE_chatprobe"));
        Self::spawn(&command, arguments, &[])
    }

    /// On these CPUs only, as `taskset -c` takes them.
    pub fn start_pinned(cpus: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("taskset");
        command
            .args(["-c", cpus])
            .arg(env!("CARGO_BIN_EXE_chatprobe"));
        Self::spawn(&command, arguments, &[])
    }

    fn spawn(program: &Command, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        install_crypto();
        // Tests that run under `nohup`, or in the background of a script, would hand down that signals are ignored.
        let mut command = Command::new("env");
        command
            .arg("--default-signal=HUP,INT,QUIT,TERM")
            .arg(program.get_program())
            .args(program.get_args());
        for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command.env_remove(variable);
            command.env_remove(variable.to_lowercase());
        }
        let mut child = command
            .args(arguments)
            // What whoever runs the tests has set must not decide about them.
            .env_remove("CHATPROBE_CONFIG")
            .env_remove("CHATPROBE_LOG")
            .env_remove("CHATPROBE_ADMIN_TOKEN")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (output, log) = (Arc::default(), Arc::default());
        let readers = vec![
            collect(child.stdout.take().unwrap(), &output),
            collect(child.stderr.take().unwrap(), &log),
        ];
        Self {
            child,
            arguments: arguments.join(" "),
            output,
            log,
            readers,
        }
    }

    /// Standard output so far.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(id), signal).unwrap();
    }

    /// Stands still for so long, as under a hypervisor that has no CPU for it.
    pub async fn pause(&self, time: Duration) {
        self.signal(Signal::SIGSTOP);
        tokio::time::sleep(time).await;
        self.signal(Signal::SIGCONT);
    }

    /// The first line of the log with this in it.
    pub async fn line(&mut self, part: &str) -> String {
        self.lines(part, 1).await.remove(0)
    }

    /// At least so many lines of the log with this in them.
    pub async fn lines(&mut self, part: &str, count: usize) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        eventually(&format!("`{part}` in the log"), async || {
            let running = self.is_running();
            if !running {
                // So that the last lines are there.
                self.read_to_the_end();
            }
            let log = self.log();
            let lines: Vec<_> = log
                .lines()
                .filter(|line| line.contains(part))
                .map(str::to_owned)
                .collect();
            if lines.len() >= count {
                return Some(lines);
            }
            let late = Instant::now() + Duration::from_secs(1) > deadline;
            assert!(
                running && !late,
                "no `{part}` from {}:\n{log}",
                self.arguments
            );
            None
        })
        .await
    }

    /// Waits for the end; its exit code, with everything written by then.
    pub async fn ended(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE * 3;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "no end of {}:\n{}",
                self.arguments,
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        self.read_to_the_end();
        status
            .code()
            .unwrap_or_else(|| panic!("{} was killed: {status}", self.arguments))
    }

    fn read_to_the_end(&mut self) {
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
    }

    /// Ends it by its own account and expects it to be content.
    pub async fn finish(&mut self) {
        self.signal(Signal::SIGTERM);
        let code = self.ended().await;
        assert_eq!(code, 0, "{}:\n{}", self.arguments, self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of {}:\n{}", self.arguments, self.log());
        }
    }
}

fn collect(
    stream: impl Read + Send + 'static,
    into: &Arc<Mutex<String>>,
) -> std::thread::JoinHandle<()> {
    let into = into.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            writeln!(into.lock().unwrap(), "{line}").unwrap();
        }
    })
}
