//! Load profiles and thresholds: when chats start, and what they must feel like. Pure: no clock.
//!
//! A [`Profile`] is read from its YAML form and answers as a function of the time elapsed since the
//! start of the run. Its [`Shape`] is one of two: [`Arrivals`] say when each chat is due,
//! [`Customers`] say how many chat at any moment. [`Threshold`]s judge what was measured.
//!
//! Every form of the `load:` mapping is one file here (`chats`, `customers`, `steady`, `stages`,
//! `search`) and one line in `profile`; the keys they share are in `keys` and `graceful_stop`. `segment` holds the
//! arithmetic below the arrivals, and `poisson` draws them. A [`Search`] is a shape for each of its steps, and says which
//! [`Level`] comes next; whether one held is for others to say.

mod arrivals;
mod chats;
mod customers;
mod graceful_stop;
mod keys;
mod level;
mod poisson;
mod profile;
mod search;
mod segment;
mod shape;
mod stages;
mod steady;
#[cfg(test)]
mod testing;
mod threshold;

pub use arrivals::{ArrivalSpacing, Arrivals};
pub use customers::Customers;
pub use graceful_stop::graceful_time_for;
pub use level::{Bracket, Level};
pub use poisson::PoissonStarts;
pub use profile::Profile;
pub use search::Search;
pub use shape::Shape;
pub use threshold::{
    Judgement, Measure, Measured, Statistic, Threshold, ThresholdSubject, ThresholdSubjects,
};

/// A schedule that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Chats remain, and at a rate of zero they would never start.
    #[error("at a rate of zero the remaining chats would never start")]
    NeverEnds,
    /// The last chat would start later than anyone waits for.
    #[error("this load would last longer than a year")]
    TooLong,
    /// More chats than can be counted exactly.
    #[error("this load would start more than {} chats", segment::MOST_CHATS)]
    TooManyChats,
}
