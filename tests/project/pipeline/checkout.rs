//! A checkout in which a script finds no program but those it is given.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tokio::time::timeout;

use super::said;
use crate::support::{Folder, PATIENCE};

/// What scripts may take for granted.
const EVERYWHERE: [&str; 20] = [
    "awk", "base64", "basename", "cat", "chmod", "dirname", "env", "grep", "mkdir", "mktemp", "mv",
    "od", "rm", "sed", "sh", "sleep", "tee", "timeout", "tr", "xargs",
];

/// What the scripts of the project need of it.
const PARTS: [&str; 5] = [
    "ci",
    "config",
    "deploy",
    "docker-compose.load.yml",
    "docker-compose.yml",
];

/// Its path has spaces in it. Other programs than those that are everywhere are fakes, which write down
/// how they are called: see tests/fixtures/pipeline/fake.
pub struct Checkout {
    folder: Folder,
}

/// How a script ended.
pub struct Ran {
    pub code: i32,
    pub said: String,
    /// What it called, in order: `docker [build] [.]`.
    pub calls: Vec<String>,
}

impl Checkout {
    /// With fakes of these programs.
    pub fn with(programs: &[&str]) -> Self {
        let folder = Folder::new();
        for name in ["a checkout", "a bin", "a tmp"] {
            fs::create_dir(folder.path(name)).unwrap();
        }
        let checkout = Self { folder };
        let copied = Command::new("cp")
            .arg("-r")
            .args(PARTS)
            .arg(checkout.path("."))
            .status()
            .unwrap();
        assert!(copied.success());
        for name in EVERYWHERE {
            let path = std::env::var_os("PATH").unwrap();
            let mut places = std::env::split_paths(&path).map(|place| place.join(name));
            let program = places.find(|place| place.exists());
            symlink(program.unwrap(), checkout.bin().join(name)).unwrap();
        }
        for name in programs {
            symlink(fake(), checkout.bin().join(name)).unwrap();
        }
        checkout
    }

    /// Has a fake in the place of one of its scripts.
    pub fn replace(&self, script: &str) {
        let path = self.path(script);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Whether it was copied or not.
        let _ = fs::remove_file(&path);
        symlink(fake(), path).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path("a checkout").join(name)
    }

    /// A file beside the checkout, for what a fake is to say or has seen.
    pub fn beside(&self, name: &str) -> String {
        self.folder.argument(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Writes a script that can be run.
    pub fn write_script(&self, name: &str, text: &str) {
        self.write(name, text);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn bin(&self) -> PathBuf {
        self.folder.path("a bin")
    }

    /// Runs a script to its end, from another folder. It has these variables and no others.
    pub async fn run(&self, script: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let calls = self.folder.write("calls", "");
        let mut command = Command::new(self.path(script));
        command
            .args(arguments)
            .current_dir("/")
            .env_clear()
            .env("PATH", self.bin())
            .env("BIN", self.bin())
            .env("CALLS", calls)
            .env("TMPDIR", self.folder.path("a tmp"))
            .envs(environment.iter().copied())
            .stdin(Stdio::null());
        let running = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = timeout(PATIENCE, running).await.unwrap().unwrap();
        let left = fs::read_dir(self.folder.path("a tmp")).unwrap().count();
        assert_eq!(left, 0, "{script} leaves temporary files");
        Ran {
            code: output.status.code().unwrap(),
            said: said(&output),
            calls: self
                .folder
                .read("calls")
                .lines()
                .map(str::to_owned)
                .collect(),
        }
    }

    /// Runs a script, which succeeds; and again for each of its calls, with that one failing: the script
    /// fails with it and goes no further. What it called when all was well.
    pub async fn stops_at_every_failure(
        &self,
        script: &str,
        environment: &[(&str, &str)],
    ) -> Vec<String> {
        let good = self.run(script, &[], environment).await;
        assert_eq!(good.code, 0, "{script}: {}", good.said);
        for number in 1..=good.calls.len() {
            let fails = number.to_string();
            let environment = [environment, &[("FAILS", &fails)]].concat();
            let bad = self.run(script, &[], &environment).await;
            let call = &good.calls[number - 1];
            assert_ne!(bad.code, 0, "{script} in spite of {call}: {}", bad.said);
            assert_eq!(bad.calls.len(), number, "{script} goes on after {call}");
        }
        good.calls
    }
}

fn fake() -> PathBuf {
    fs::canonicalize(Path::new("tests/fixtures/pipeline/fake")).unwrap()
}
