//! How much is kept of inbound events.

use std::time::Duration;

use serde::Deserialize;

/// How much is kept of what nobody has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallbackLimits {
    /// The largest body of an event, in bytes; a larger one is answered with 413.
    pub max_body_bytes: usize,
    /// How long an event waits for its key to be claimed.
    #[serde(with = "crate::units::duration")]
    pub early_for: Duration,
    /// How many events wait so, per scenario and target; the oldest goes first.
    pub early_events: usize,
    /// How many bytes they may take in memory together, with their keys, ids and what is kept of their requests.
    pub early_bytes: usize,
    /// How long the keys of ended chats and the paths of ended runs are remembered, to tell a late
    /// event from an unknown one.
    #[serde(with = "crate::units::duration")]
    pub remember_for: Duration,
    /// How many of these keys are remembered, per scenario and target.
    pub remember_keys: usize,
}

impl Default for CallbackLimits {
    fn default() -> Self {
        Self {
            max_body_bytes: 64 * 1024,
            early_for: Duration::from_secs(30),
            early_events: 10_000,
            early_bytes: 32 * 1024 * 1024,
            remember_for: Duration::from_mins(5),
            remember_keys: 100_000,
        }
    }
}
