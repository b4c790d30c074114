use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::averages::weighted;

/// The process and its host in one second; null where the kernel does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MachineSample {
    /// CPUs that the process kept busy in its own code.
    pub cpu_user: f64,
    /// CPUs that the kernel kept busy for it.
    pub cpu_system: f64,
    /// CPU wait: for how many CPUs its threads waited besides, in CPU seconds a second.
    #[serde(alias = "cpus_missing")]
    pub cpu_wait: Option<f64>,
    /// The share of the host's CPUs that was busy, 0 to 1.
    pub host_busy: Option<f64>,
    /// Memory of the process in RAM.
    pub memory_bytes: Option<u64>,
    /// Files that it had open, sockets among them.
    pub files: Option<u64>,
}

impl MachineSample {
    /// Both together, where they stand for so many seconds.
    pub(super) fn joined(self, seconds: [f64; 2], next: &Self) -> Self {
        let mean = |of: fn(&Self) -> Option<f64>| {
            weighted([(of(&self), seconds[0]), (of(next), seconds[1])])
        };
        Self {
            cpu_user: mean(|machine| Some(machine.cpu_user)).unwrap_or_default(),
            cpu_system: mean(|machine| Some(machine.cpu_system)).unwrap_or_default(),
            cpu_wait: mean(|machine| machine.cpu_wait),
            host_busy: mean(|machine| machine.host_busy),
            memory_bytes: self.memory_bytes.max(next.memory_bytes),
            files: self.files.max(next.files),
        }
    }
}
