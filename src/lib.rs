//! chatprobe
pub mod callbacks;
pub mod config;
pub mod document;
pub mod event;
pub mod scenario;
pub mod units;
