//! chatprobe
pub mod document;
pub mod event;
pub mod scenario;
pub mod units;
