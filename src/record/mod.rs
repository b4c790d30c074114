//! Metrics and a log, made of events.
//!
//! Nothing in here decides anything; it stands behind [`crate::event::Observers`].

mod configured;
mod failure_log;
mod metrics;
mod process;

pub use failure_log::FailureLog;
pub use metrics::{Boundaries, Metrics, MetricsError};
pub use process::{ProcessMonitor, Resources};
