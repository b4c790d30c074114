use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
