//! Where the history is kept.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

/// Where the history is kept on disk, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// Where; without it nothing is.
    pub directory: Option<PathBuf>,
    /// How long runs and failures are kept.
    #[serde(with = "crate::units::duration")]
    pub keep: Duration,
    /// What the file may grow to, in bytes; its log comes on top.
    pub max_bytes: u64,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            directory: None,
            keep: Duration::from_hours(30 * 24),
            max_bytes: 1_000_000_000,
        }
    }
}
