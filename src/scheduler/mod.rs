//! When runs start: probes by their interval, bursts by cron or because somebody asks, and how all
//! of them come to an end.
//!
//! [`Scheduler`] is the handle that the web and the service hold. It owns the plan in force, the
//! tasks of the probes, the cron clock, and the [`runs`] in progress with the reports of the last
//! ones.

mod cron;
mod handle;
mod orders;
mod preview;
mod probes;
mod records;
mod reload;
mod runs;
mod shutdown;
mod starts;
mod wall_clock;

pub use handle::{BurstRefused, Scheduler};
pub use orders::OrderRefused;
pub use preview::BurstPreview;
pub use probes::{ProbeStatus, RunRefused};
pub use reload::Installed;
pub use runs::{KEPT_REPORTS, RunEntry};
pub use shutdown::CutOff;
