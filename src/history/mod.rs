//! The memory of the service: what runs did and why chats failed, in a file that outlives the process.
//!
//! The [`Recorder`] is a task that asks the runs in progress a few times a second for what is new, so
//! that no chat ever waits for a disk, and puts it into a bounded queue. Behind that is the [`writer`],
//! a thread that alone writes to the SQLite file. [`History`] reads from it over connections of its own.
//! The last [`Failures`] of every subject are in memory besides, with or without a file.

mod baselines;
mod creation;
mod directory;
mod error;
mod explanation;
mod failures;
mod figures;
mod file;
mod generation;
mod hours;
mod interrupted;
mod joining;
mod listing;
mod open_chats;
mod packed;
mod query;
mod reader;
mod reading;
mod recorder;
mod rows;
mod schema;
mod storage;
#[cfg(test)]
mod tests;
mod tidy;
mod unwritten;
mod write;
mod write_time;
mod writer;

pub use baselines::{Baseline, BaselineError};
pub use error::HistoryError;
pub use explanation::{FailureReport, FailureSummary, StepTrace};
pub use failures::Failures;
pub use hours::{ProbeHour, StepHour};
pub use listing::Listing;
pub use query::{FailureQuery, HourQuery, RunQuery};
pub use reader::History;
pub use recorder::{Recorder, RunIntake};
pub use storage::Storage;
