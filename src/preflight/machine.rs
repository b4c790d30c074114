use std::{fs, thread::available_parallelism};

use sysinfo::System;

use crate::{
    cgroup::{self, MemoryLimit},
    descriptors,
};

/// What this machine has for a burst.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// CPUs that the process may use, as whole ones.
    pub cpus: usize,
    /// Files that it may open.
    pub files: u64,
    /// Those of them that are open; `None` where `/proc` does not show them.
    pub open: Option<u64>,
    /// Of them, connections to targets.
    pub outbound: u64,
    /// Local ports, so many connections from one address to another; `None` where `/proc` does not
    /// show them.
    pub ports: Option<u64>,
    /// Memory of the host that could be had, in bytes; `None` where `/proc` does not show it.
    pub memory: Option<u64>,
    /// What its control groups let the process have; `None` where they are hidden.
    pub limits: Option<cgroup::GroupLimits>,
}

/// Memory that could be had.
pub(super) struct Available<'a> {
    pub(super) bytes: u64,
    /// The limit of a control group that leaves no more, if it is not the host.
    pub(super) limit: Option<&'a MemoryLimit>,
}

impl Machine {
    /// As it is now.
    pub fn look() -> Self {
        Self {
            cpus: available_parallelism().map_or(1, usize::from),
            files: descriptors::allowed(),
            open: descriptors::open(),
            outbound: descriptors::outbound(),
            ports: ports(),
            memory: memory(),
            limits: cgroup::GroupLimits::read(),
        }
    }

    /// Connections to targets that may still be opened. Files that were open already when the process
    /// started may leave fewer than its own rule.
    pub(super) fn outbound_left(&self) -> u64 {
        let share = descriptors::most_outbound(self.files).saturating_sub(self.outbound);
        match (self.files, self.open) {
            (0, _) | (_, None) => share,
            (files, Some(open)) => share.min(files.saturating_sub(open)),
        }
    }

    /// Memory of the host or of the control group, whichever has less.
    pub(super) fn memory_available(&self) -> Option<Available<'_>> {
        let host = self.memory.map(|bytes| Available { bytes, limit: None });
        let limit = self.limits.as_ref().and_then(|limits| limits.tightest());
        let group = limit.map(|limit| Available {
            bytes: limit.left,
            limit: Some(limit),
        });
        host.into_iter()
            .chain(group)
            .min_by_key(|available| available.bytes)
    }

    /// CPUs of the host or of the control group, whichever has fewer.
    pub(super) fn cpus_available(&self) -> Cpus {
        #[expect(clippy::cast_precision_loss, reason = "CPUs are far fewer than 2^52")]
        let cpus = self.cpus as f64;
        let limit = self.limits.as_ref().and_then(|limits| limits.cpu.as_ref());
        // The whole ones are rounded down from the limit, if it is that which bounds them.
        match limit.filter(|limit| limit.cpus < cpus + 1.0) {
            Some(limit) => Cpus {
                count: limit.cpus,
                bound: format!(" by `{}`", limit.file.display()),
            },
            None => Cpus {
                count: cpus,
                bound: String::new(),
            },
        }
    }
}

/// CPUs that may be used.
pub(super) struct Cpus {
    pub(super) count: f64,
    /// What to say behind their number if a control group has fewer than there are.
    pub(super) bound: String,
}

fn memory() -> Option<u64> {
    let mut system = System::new().ok()?;
    system.refresh_memory();
    // Without /proc/meminfo all of it is zero.
    (system.total_memory() > 0).then(|| system.available_memory())
}

fn ports() -> Option<u64> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut bounds = range.split_whitespace().map(str::parse::<u64>);
    let (low, high) = (bounds.next()?.ok()?, bounds.next()?.ok()?);
    high.checked_sub(low).map(|between| between + 1)
}
