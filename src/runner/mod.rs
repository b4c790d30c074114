//! Runs: chats started by a load profile, from setup to verdict.
//!
//! A probe is a run of one chat; everything else about it and a burst is the same. [`Engine::start`]
//! makes a run of a [`RunSpec`]: a task that paces arrivals ([`pacing`]), one task per chat
//! ([`chat`]) that performs the scenario's steps ([`performer`]), and a [`Tally`] that hears the
//! run's events and keeps the books. The [`RunHandle`] is how the rest of the service looks at a
//! run and gives it orders.

mod chat;
mod context;
mod control;
mod engine;
mod latencies;
mod pacing;
mod performer;
mod report;
mod run;
mod tally;
#[cfg(test)]
mod tests;
mod verdict;

pub use control::{Order, OrderError, RunHandle, Stop};
pub use engine::{Engine, RunSpec};
pub use report::{
    Books, ChatCounts, Example, Quantiles, RunReport, RunState, StepReport, ThresholdReport,
};
pub use tally::Tally;
