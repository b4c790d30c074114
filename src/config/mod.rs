//! The configuration: from files to a [`Plan`] in which every name is resolved and every
//! expression compiled. What is wrong is found here, all of it at once, or not at all.

mod burst;
mod catalogue;
mod declarations;
mod environment;
mod files;
mod kind;
mod mix;
mod objectives;
mod plan;
mod probe;
mod rows;
mod schedule;
mod settings;
#[cfg(test)]
mod tests;

pub use burst::{Burst, thresholds_of};
pub use catalogue::{Catalogue, check_addresses, check_variables};
pub use files::{read_configuration, read_file, read_scenario};
pub use kind::Kind;
pub use plan::Plan;
pub use probe::Probe;
pub use schedule::Schedule;
pub use settings::{Admin, Caps, HostName, Listen, ReadSection, Sections, Settings, Shutdown};
