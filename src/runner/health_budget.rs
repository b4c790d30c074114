//! When a load generator counts as saturated.

use std::time::Duration;

use serde::Deserialize;

use crate::units::Share;

/// How late the load generator may be before a run is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthBudget {
    /// The 99th percentile of how late chats start.
    #[serde(with = "crate::units::duration")]
    pub start_lateness_p99: Duration,
    /// The 99th percentile of how late requests are sent.
    #[serde(with = "crate::units::duration")]
    pub send_lateness_p99: Duration,
    /// The 99th percentile of how late a run's heartbeat comes.
    #[serde(with = "crate::units::duration")]
    pub scheduler_lag_p99: Duration,
    /// The 99th percentile of how long what has arrived waits to be read.
    #[serde(with = "crate::units::duration")]
    pub read_delay_p99: Duration,
    /// How long a thread that does nothing but sleep may once sleep too long.
    #[serde(with = "crate::units::duration")]
    pub stall: Duration,
    /// CPU wait: of the CPU time that the process wanted over the whole run, the share that it may wait for.
    pub cpu_wait: Share,
}

impl Default for HealthBudget {
    fn default() -> Self {
        Self {
            start_lateness_p99: Duration::from_millis(500),
            send_lateness_p99: Duration::from_millis(500),
            scheduler_lag_p99: Duration::from_millis(500),
            read_delay_p99: Duration::from_millis(500),
            stall: Duration::from_secs(1),
            cpu_wait: Share::percent(60),
        }
    }
}
