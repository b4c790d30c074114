//! A control group with little memory.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A group below that of the tests; it is removed with the end of the test, when nobody is in it.
pub struct Group(PathBuf);

impl Group {
    /// `None` if the system lets nobody have one, or gives it no limit.
    pub fn with_memory(bytes: u64) -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let path_of = |controllers: &str| {
            let mut lines = groups.lines().filter_map(|line| line.split_once(':'));
            lines.find_map(|(_, line)| line.strip_prefix(controllers)?.strip_prefix(':'))
        };
        let (top, own, limit) = match path_of("memory") {
            Some(own) => ("/sys/fs/cgroup/memory", own, "memory.limit_in_bytes"),
            None => ("/sys/fs/cgroup", path_of("")?, "memory.max"),
        };
        let name = format!("chatprobe-test-{}", std::process::id());
        let folder = Path::new(top).join(own.trim_start_matches('/')).join(name);
        fs::create_dir(&folder).ok()?;
        let group = Self(folder);
        // Not `create`: a file that is not there belongs to a controller that is not there.
        let limit = fs::OpenOptions::new().write(true).open(group.0.join(limit));
        std::io::Write::write_all(&mut limit.ok()?, bytes.to_string().as_bytes()).ok()?;
        Some(group)
    }

    /// Who is written to it, is in it.
    pub fn processes(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A process that was killed leaves its group when it has been waited for.
        let _ = fs::remove_dir(&self.0);
    }
}
