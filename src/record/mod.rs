//! What observers make of events: metrics and a log.
//!
//! Nothing in here decides anything; it stands behind [`crate::event::Observers`].

mod configured;
mod failure_log;
mod metrics;
mod process;

pub use failure_log::FailureLog;
pub use metrics::{Boundaries, Declaration, Metrics, MetricsError, StepDeclaration};
pub use process::{ProcessMonitor, Resources};
