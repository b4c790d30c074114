//! chatprobe
pub mod callbacks;
pub mod config;
pub mod document;
pub mod driver;
pub mod event;
pub mod load;
pub mod runner;
pub mod scenario;
pub mod scheduler;
pub mod simulator;
pub mod units;
