//! The control groups that the process is in, and what they let it have of the machine: cgroups(7),
//! <https://docs.kernel.org/admin-guide/cgroup-v2.html>, <https://docs.kernel.org/admin-guide/cgroup-v1/memory.html>.
//!
//! A limit of a group holds for all groups below it, so every group from that of the process up to the
//! mount of its hierarchy is looked at. Both versions may be there at once, each with some of the controllers.

mod folder;
#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
    process,
};

use self::folder::{Group, Mount, Version, folders};

/// What version 1 says where there is no limit: the largest number of whole pages.
const NONE: u64 = i64::MAX as u64 / 2;

/// What the control groups let the process have.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupLimits {
    /// Those on memory, of every group that has one.
    pub memory: Vec<MemoryLimit>,
    /// The smallest one on CPU time.
    pub cpu: Option<CpuLimit>,
}

/// What a group may have of the memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryLimit {
    /// In bytes.
    pub bytes: u64,
    /// How much of that is left, in bytes; what the kernel can take back at once is counted as left.
    pub left: u64,
    /// The file that says so.
    pub file: PathBuf,
}

/// What a group may have of the CPU time.
#[derive(Debug, Clone, PartialEq)]
pub struct CpuLimit {
    /// In CPUs.
    pub cpus: f64,
    /// The file that says so.
    pub file: PathBuf,
}

impl GroupLimits {
    /// Those of this process as they are now; `None` if its groups are hidden from it.
    pub fn read() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        Self::of(&groups, &mounts, process::id())
    }

    /// The limit on memory that will be reached first.
    pub fn tightest(&self) -> Option<&MemoryLimit> {
        self.memory.iter().min_by_key(|limit| limit.left)
    }

    /// The most memory that the process may ever have, in bytes.
    pub fn memory_bytes(&self) -> Option<u64> {
        self.memory.iter().map(|limit| limit.bytes).min()
    }

    fn of(groups: &str, mounts: &str, process: u32) -> Option<Self> {
        let groups: Vec<_> = groups.lines().filter_map(Group::parse).collect();
        let mounts: Vec<_> = mounts.lines().filter_map(Mount::parse).collect();
        let mut limits = Self::default();
        // The controller of memory is in one hierarchy: in that of version 2 if none of version 1 has it.
        let memory = groups.iter().find(|group| group.has("memory"));
        let memory = memory.or_else(|| groups.iter().find(|group| group.version() == Version::Two));
        if let Some(group) = memory {
            let folders = folders(group, "memory", &mounts, process)?;
            limits.read_memory(group.version(), &folders);
        }
        let cpu = groups.iter().find(|group| group.has("cpu"));
        let cpu = cpu.or_else(|| groups.iter().find(|group| group.version() == Version::Two));
        if let Some(group) = cpu
            && let Some(folders) = folders(group, "cpu", &mounts, process)
        {
            limits.read_cpu(group.version(), &folders);
        }
        Some(limits)
    }

    fn read_memory(&mut self, version: Version, folders: &[PathBuf]) {
        let (limits, usage, reclaimable): (&[_], _, _) = match version {
            // Beyond `memory.high` processes are held up, for as long as it takes.
            Version::Two => (
                &["memory.max", "memory.high"],
                "memory.current",
                "inactive_file",
            ),
            Version::One => (
                &["memory.limit_in_bytes"],
                "memory.usage_in_bytes",
                "total_inactive_file",
            ),
        };
        for (level, folder) in folders.iter().enumerate() {
            // Long ago a group of version 1 could leave those below it alone.
            if level > 0 && number(&folder.join("memory.use_hierarchy")) == Some(0) {
                break;
            }
            let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
            let reclaimable = field(&stat, reclaimable).unwrap_or(0);
            let used = number(&folder.join(usage)).unwrap_or(0);
            let used = used.saturating_sub(reclaimable);
            let mut add = |file: &str, bytes: Option<u64>| {
                if let Some(bytes) = bytes.filter(|bytes| *bytes < NONE) {
                    self.memory.push(MemoryLimit {
                        bytes,
                        left: bytes.saturating_sub(used),
                        file: folder.join(file),
                    });
                }
            };
            for file in limits {
                add(file, number(&folder.join(file)));
            }
            // Version 1 tells a container of the limits above what it sees.
            if level == 0 && version == Version::One {
                add("memory.stat", field(&stat, "hierarchical_memory_limit"));
            }
        }
    }

    fn read_cpu(&mut self, version: Version, folders: &[PathBuf]) {
        let limits = folders.iter().filter_map(|folder| match version {
            Version::Two => {
                let file = folder.join("cpu.max");
                let text = fs::read_to_string(&file).ok()?;
                let (quota, period) = text.trim().split_once(' ')?;
                CpuLimit::of(quota.parse().ok()?, period.parse().ok()?, file)
            }
            Version::One => {
                let file = folder.join("cpu.cfs_quota_us");
                // -1 where there is none.
                let quota = number(&file)?;
                CpuLimit::of(quota, number(&folder.join("cpu.cfs_period_us"))?, file)
            }
        });
        self.cpu = limits.min_by(|a, b| a.cpus.total_cmp(&b.cpus));
    }
}

impl CpuLimit {
    /// From the time that a group may have of each period, both in microseconds.
    fn of(quota: u64, period: u64, file: PathBuf) -> Option<Self> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a period is a second at the most"
        )]
        let cpus = quota as f64 / period as f64;
        (period > 0).then_some(Self { cpus, file })
    }
}

/// The number that a file has; `None` for `max` and -1, which stand for no limit.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The number behind a name, at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let (_, number) = lines.find(|(found, _)| *found == name)?;
    number.parse().ok()
}
