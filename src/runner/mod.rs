//! Runs: chats started by a load profile, from setup to verdict.
//!
//! A probe is a run of one chat; everything else about it and a burst is the same. [`Engine::start`]
//! makes a run of a [`RunSpec`]: a task that paces arrivals ([`pacing`]), one task per chat
//! ([`chat`]) that performs the scenario's steps ([`track`]), and a [`Tally`] that hears the
//! run's events and counts them. A run that looks for the limit of its target has besides a
//! [`search`], which changes the pacing and judges each of its steps by a [`window`] of what the tally
//! measured. Reports, samples and the verdict are functions of [`measurements`]. The [`RunHandle`] is how the rest of the service looks at a
//! run and gives it orders.

mod averages;
mod barriers;
mod batches;
mod between_chats;
mod chat;
mod chat_counts;
mod chat_spec;
mod chat_state;
mod context;
mod control;
mod deadline;
mod deliveries;
mod delivery_report;
mod engine;
mod failed_frames;
mod findings;
mod forever;
mod frame_figures;
mod frame_log;
mod graceful_stop;
mod health;
mod health_budget;
mod histogram;
mod latencies;
mod listed_chats;
mod machine_sample;
mod marks;
mod measurements;
mod member_report;
mod mix;
mod mixed_counters;
mod order;
mod other_callbacks;
mod outcomes;
mod pace;
mod pacing;
mod quantiles;
mod record;
mod report;
mod resolution;
mod run;
mod sample;
mod search;
mod session_events;
mod snapshot;
mod socket_report;
mod spec;
mod step_report;
mod tally;
#[cfg(test)]
pub(crate) mod tests;
mod thresholds;
mod timeline;
mod trace_budget;
mod track;
mod track_group;
mod verdict;
mod window;

pub use batches::{Batch, BatchFigures, Batches, EndedSockets, MOST_BATCHES};
pub use chat_counts::ChatCounts;
pub use chat_spec::ChatSpec;
pub use control::RunHandle;
pub use delivery_report::{DeliveryReport, DeliverySample};
pub use engine::Engine;
pub use findings::{BrokenBy, SearchLevel, SearchOutcome, SearchReport, SearchStep};
pub use frame_figures::FrameFigures;
pub use graceful_stop::{GracefulStop, GracefulStopReport};
pub use health::{HealthReport, MeanAndMost};
pub use health_budget::HealthBudget;
pub use histogram::Histogram;
pub use listed_chats::{Example, Orphan};
pub use machine_sample::MachineSample;
pub use member_report::MemberReport;
pub use mix::{Mix, MixMember};
pub use order::{Order, OrderError, Stop};
pub use other_callbacks::OtherCallback;
pub use outcomes::add_counts;
pub use pace::Pace;
pub use quantiles::Quantiles;
pub use record::RunRecord;
pub use report::{ReceivedEvents, RequestFigures, RunReport, RunState, TeardownFailure};
pub use resolution::{MOST_PIECES, joined};
pub use sample::{Sample, StepSample};
pub use snapshot::Snapshot;
pub use socket_report::{SocketReport, SocketSample};
pub use spec::RunSpec;
pub use step_report::StepReport;
pub use tally::{Tally, WholeSeconds};
pub use thresholds::{ThresholdReport, ThresholdState};
pub use timeline::WholeSecond;
pub use trace_budget::TraceBudget;
