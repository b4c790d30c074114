//! When runs start: probes by their interval, bursts by cron or because somebody asks, and how all
//! of them come to an end.
//!
//! [`Scheduler`] is the handle that the web and the service hold. It owns the tasks of the probes, the
//! cron clock, and the [`launcher`], which starts what these ask for: it has the plan in force and the
//! [`runs`] in progress with the reports of the last ones.

mod clock_watch;
mod cron;
mod handle;
mod launcher;
#[cfg(test)]
mod lifetime_tests;
mod orders;
mod preview;
mod probes;
mod records;
mod reload;
mod runs;
mod shutdown;
mod starts;
#[cfg(test)]
mod testing;
mod wall_clock;

pub use handle::Scheduler;
pub use launcher::BurstRefused;
pub use orders::OrderRefused;
pub use preview::BurstPreview;
pub use probes::{ProbeStatus, RunRefused};
pub use reload::Installed;
pub use runs::{KEPT_REPORTS, RunEntry};
pub use shutdown::CutOff;
