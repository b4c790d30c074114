//! Results of runs for a time-series database: each second of a run becomes samples, which are written as Prometheus
//! remote write or as lines of `InfluxDB`.
//!
//! The [`Pusher`] is a task that asks the runs in progress a few times a second for the seconds that are over, as the
//! history does, so that no chat waits for a database. The samples that a second comes to ([`series`]) go into a
//! bounded [`queue`], from which the [`writer`] sends them in batches. Samples that fall out of the queue, are refused or
//! remain at the end are counted.

mod address;
mod counters;
mod influx;
mod key;
mod pusher;
mod queue;
mod remote_write;
mod reply;
mod series;
mod settings;
#[cfg(test)]
mod tests;
mod writer;

pub use pusher::{PushIntake, Pushed, Pusher};
pub use settings::PushSettings;
