//! The repository itself: its architecture, what its documents show, mistakes in configurations, its pipeline.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod configuration;
mod documents;
mod file_cycles;
mod pipeline;
#[path = "../support/mod.rs"]
mod support;
mod type_names;
